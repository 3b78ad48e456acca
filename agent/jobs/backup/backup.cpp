// A backup in its steps (design.md 5). Database, filestore and configuration are made side by side; the rest follows.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <future>
#include <set>
#include <thread>

#include "agent/artifact/compression_pool.h"
#include "agent/artifact/tar_writer.h"
#include "agent/jobs/backup/database.h"
#include "agent/jobs/backup/extras.h"
#include "agent/jobs/backup/filestore.h"
#include "agent/jobs/backup/leftovers.h"
#include "agent/jobs/backup/preflight.h"
#include "agent/jobs/backup/shipping.h"
#include "agent/jobs/jobs.h"
#include "common/crypto/digest.h"
#include "common/domain/layout.h"
#include "common/domain/reasons.h"
#include "common/log.h"

namespace backstay {
namespace backup {
namespace {

// Whatever has been stored, as the steps go on.
struct Stored {
    DatabaseStored database;
    std::optional<FilestoreStored> filestore;
    std::optional<Reconciled> reconciled;
    ExtrasStored extras;
};

std::vector<ManifestArtifact> artifacts_of(const Stored& stored) {
    std::vector<ManifestArtifact> artifacts = {stored.database.artifact};
    if (stored.filestore) artifacts.push_back(stored.filestore->artifact);
    artifacts.push_back(stored.extras.config);
    artifacts.push_back(stored.extras.globals);
    return artifacts;
}

// Parts side by side: the first that fails stops the other, whose end is then explained by the first.
class Together {
public:
    explicit Together(const std::stop_token& job_stop)
        : job_stop_(job_stop), on_job_stop_(job_stop, [this] { stop_.request_stop(); }) {}

    std::stop_token stop() const { return stop_.get_token(); }

    template <class T>
    Result<T> guard(std::string_view part, Result<T> result) {
        if (result) return result;
        const std::lock_guard lock(mutex_);
        Error& error = result.error();
        if (first_ && error.code() == Errc::cancelled && !job_stop_.stop_requested()) {
            return Error(Errc::cancelled, fmt::format("stopped, because {} failed", first_part_))
                .with_reason(first_->reason());
        }
        if (!first_) {
            first_ = error;
            first_part_ = part;
            stop_.request_stop();
        }
        return result;
    }
    std::optional<Error> first() const { return first_; }

private:
    std::stop_token job_stop_;
    std::stop_source stop_;
    std::stop_callback<std::function<void()>> on_job_stop_;
    std::mutex mutex_;
    std::optional<Error> first_;
    std::string first_part_;
};

class Run {
public:
    Run(const BackupOrder& order, const JobHost& host, Steps& steps)
        : order_(order),
          host_(host),
          steps_(steps),
          throttle_(host.rate_bytes_per_sec, steps.stop_token()),
          prepared_(order, host) {}

    Result<BackupOutcome> all() {
        started_at_ = host_.clock.now_ms();
        TRY(plan());
        Result<> made = steps();
        if (made) {
            TRY(settle_notes(leftovers_of(prepared_), left_behind_, steps_));
            return outcome();
        }
        if (shipping_) {
            withdraw_all();
        } else {
            // Nothing was written yet; an earlier attempt may have.
            for (const auto& place : prepared_.places) remember_leftovers(*place);
        }
        if (auto settled = settle_notes(leftovers_of(prepared_), left_behind_, steps_); !settled) {
            log::warning("notes of a failed backup not settled", {{"error", settled.error().message()}});
        }
        return std::move(made).error();
    }

private:
    Result<> plan() {
        const EnvironmentOrder& environment = order_.environment;
        prepared_.database = environment.database;
        prepared_.full = order_.scope == "full";
        prepared_.folder =
            layout::backup_folder({environment.organization_id, environment.project_id, environment.environment_id},
                                  order_.created_at.ms, order_.backup_id);
        std::vector<std::string> ids;
        for (const DestinationOrder& destination : order_.destinations) ids.push_back(destination.id);
        return steps_.plan(plan_backup(order_.scope, ids, true));
    }

    // The backup in ten lines.
    Result<> steps() {
        TRY(steps_.run(step::kPreflight, [&] { return prepare(); }));
        TRY(make_artifacts());
        if (prepared_.full) TRY(steps_.run(step::kFilestoreReconcile, [&] { return compare_files(); }));
        TRY(steps_.run(step::kArtifactChecksums, [&] { return checksums(); }));
        TRY(steps_.run(step::kManifestWrite, [&] { return compose_manifest(); }));
        TRY(steps_.run(step::kLocalVerify, [&] { return verify_locally(); }));
        TRY(steps_.run(step::kRemoteUpload, [&] { return upload(); }));
        TRY(steps_.run(step::kRemoteVerify, [&] { return verify_remotely(); }));
        TRY(steps_.run(step::kCatalogCommit, [&] { return commit(); }));
        return {};
    }

    Result<Testimony> prepare() {
        prepared_.cluster = TRY(find_cluster(host_.config, order_.environment.cluster));
        for (const DestinationOrder& destination : order_.destinations) {
            prepared_.places.push_back(std::make_unique<Place>(destination, host_, steps_.stop_token()));
        }
        // Before preflight too: an earlier attempt's notes went with its records.
        TRY(leave_notes(leftovers_of(prepared_), steps_));
        Testimony testimony = TRY(preflight(prepared_, steps_.stop_token()));
        TRY(leave_notes(leftovers_of(prepared_), steps_));
        shipping_ = std::make_unique<Shipping>(prepared_.places, prepared_.folder,
                                               prepared_.key ? &*prepared_.key : nullptr, steps_, host_.config.limits);
        return testimony;
    }

    // Database first, files after: a file that comes later is surplus, a missing one is damage. Both begin from the
    // same snapshot, so they may run at once; it is closed as soon as neither needs it.
    Result<> make_artifacts() {
        Together together(steps_.stop_token());
        std::promise<void> listed;
        std::thread files;
        if (prepared_.full) {
            files = std::thread([&]() noexcept {
                lower_priority(shipping_->priority());
                bool told = false;
                const auto tell = [&] {
                    if (!std::exchange(told, true)) listed.set_value();
                };
                make_filestore(together, tell);
                tell();
            });
        } else {
            listed.set_value();
        }
        std::thread database([&]() noexcept {
            lower_priority(shipping_->priority());
            make_database(together);
        });
        capture(together);
        database.join();
        listed.get_future().wait();
        prepared_.snapshot.reset();
        if (files.joinable()) files.join();
        if (const auto error = together.first()) return *error;
        return {};
    }

    void make_database(Together& together) {
        auto stored = steps_.run(step::kDbDump, [&] {
            return together.guard(step::kDbDump,
                                  store_database(prepared_, *shipping_, throttle_, steps_.progress(), together.stop()));
        });
        // The journal may have failed the step after its body.
        if (stored) stored_.database = std::move(*stored);
        if (!stored) static_cast<void>(together.guard(step::kDbDump, std::move(stored)));
    }

    void make_filestore(Together& together, const std::function<void()>& on_listed) {
        auto stored = steps_.run(step::kFilestoreArchive, [&] {
            return together.guard(
                step::kFilestoreArchive,
                store_filestore(prepared_, *shipping_, throttle_, steps_.progress(), together.stop(), on_listed));
        });
        if (stored) stored_.filestore = std::move(*stored);
        if (!stored) static_cast<void>(together.guard(step::kFilestoreArchive, std::move(stored)));
    }

    Result<Reconciled> compare_files() {
        stored_.reconciled = TRY(reconcile(prepared_, *stored_.filestore, steps_.stop_token()));
        return *stored_.reconciled;
    }

    // Small, and needs neither of the two.
    void capture(Together& together) {
        auto stored = steps_.run(step::kConfigCapture, [&] {
            return together.guard(step::kConfigCapture, store_extras(prepared_, *shipping_, together.stop()));
        });
        if (stored) stored_.extras = std::move(*stored);
        if (!stored) static_cast<void>(together.guard(step::kConfigCapture, std::move(stored)));
    }

    Result<Testimony> checksums() {
        Testimony testimony;
        for (const ManifestArtifact& artifact : artifacts_of(stored_)) {
            testimony.facts.emplace(artifact.name, "sha256:" + artifact.sha256);
            testimony.proofs.push_back("checksum:" + artifact.name);
        }
        testimony.summary =
            fmt::format("SHA-256 of {} artifacts taken while they were written", testimony.proofs.size());
        return testimony;
    }

    Result<Testimony> compose_manifest() {
        fill_manifest();
        manifest_text_ = write_manifest(manifest_);
        Testimony testimony;
        const std::string sha256 = digest_hex(DigestKind::sha256, as_bytes(manifest_text_));
        testimony.summary = fmt::format("{} artifacts, {} tables counted", manifest_.artifacts.size(),
                                        manifest_.contents.row_counts.size());
        testimony.facts = {{"sha256", sha256}, {"bytes", fmt::format("{}", manifest_text_.size())}};
        testimony.proofs = {"artifact:manifest", "checksum:manifest"};
        return testimony;
    }

    void fill_manifest() {
        const EnvironmentOrder& environment = order_.environment;
        Manifest& m = manifest_;
        m.backup_id = order_.backup_id;
        m.scope = order_.scope;
        m.trigger = order_.trigger;
        m.organization_id = environment.organization_id;
        m.project_id = environment.project_id;
        m.environment_id = environment.environment_id;
        m.environment_name = environment.name;
        m.environment_type = environment.type;
        m.label = order_.label;
        m.dump_format = stored_.database.dump_format;
        m.started_at = {started_at_};
        m.completed_at = {host_.clock.now_ms()};
        m.agent = {host_.agent_id, host_.agent_version};
        m.postgres = prepared_.facts;
        m.postgres.end_lsn = stored_.database.end_lsn;
        m.contents = stored_.database.contents;
        if (stored_.reconciled) m.filestore = stored_.reconciled->filestore;
        m.artifacts = artifacts_of(stored_);
        m.tools = {
            {"pg_dump", prepared_.pg_dump.version}, {"zstd", compression_version()}, {"libarchive", tar_version()}};
        m.is_odoo = prepared_.instance.has_value();
        if (!prepared_.instance) return;
        m.is_neutralized = prepared_.instance->neutralized;
        if (!prepared_.instance->uuid.empty()) m.database_uuid = prepared_.instance->uuid;
        m.odoo = odoo::odoo_manifest(*prepared_.instance, prepared_.database, prepared_.facts.server_version_num);
    }

    // What would be read from the stored manifest is what was meant, and the dump's own table of contents was listed.
    Result<Testimony> verify_locally() {
        const Manifest again = TRY(read_manifest(manifest_text_).reason(reason::kStructureInvalid));
        if (again.artifacts.size() != manifest_.artifacts.size() || again.backup_id != order_.backup_id) {
            return Error(Errc::corrupted, "the manifest does not read back as written")
                .with_reason(reason::kStructureInvalid);
        }
        Testimony testimony;
        testimony.summary = fmt::format("pg_restore lists {} entries", stored_.database.toc_entries);
        if (stored_.filestore) testimony.summary += fmt::format(", tar of {} members", stored_.filestore->packed.files);
        testimony.facts = {{"toc_entries", fmt::format("{}", stored_.database.toc_entries)}};
        testimony.proofs = {"db_toc:entries"};
        return testimony;
    }

    // A destination holds the backup once its manifest is there, and gets it only when every artifact read back well.
    Result<Testimony> upload() {
        shipping_->wait();
        const bool several = prepared_.places.size() > 1;
        Testimony testimony;
        std::vector<std::string> names;
        for (const auto& place : prepared_.places) {
            const auto finish = [&]() -> Result<Testimony> { return finish_place(*place); };
            Result<Testimony> finished =
                several ? steps_.run(fmt::format("{}:{}", step::kRemoteUpload, place->id()), finish) : finish();
            if (finished) {
                names.push_back(place->name());
            } else {
                if (steps_.stop_token().stop_requested()) return std::move(finished).error();
                withdraw(*place, finished.error().message());
            }
        }
        if (names.empty()) return all_failed(prepared_.places);
        testimony.summary = fmt::format("every artifact and the manifest in {}", fmt::join(names, ", "));
        testimony.facts = {{"stored_bytes", fmt::format("{}", stored_bytes())},
                           {"destinations", fmt::format("{} of {}", names.size(), prepared_.places.size())}};
        return testimony;
    }

    Result<Testimony> finish_place(Place& place) {
        if (const auto failure = place.failure()) return *failure;
        TRY(shipping_->commit(place, manifest_text_));
        Testimony testimony;
        testimony.summary = fmt::format("{} bytes in {}", stored_bytes(), place.name());
        return testimony;
    }

    // Artifacts were read back as each transfer ended; what is left is that all of them are there at this moment. A
    // destination that fails here is out, as if it had failed before; the last one failing is the error.
    Result<Testimony> verify_remotely() {
        std::size_t verified = 0;
        for (const auto& place : prepared_.places) {
            if (place->failure()) continue;
            const Result<> looked = look_again(*place);
            if (looked) {
                ++verified;
                continue;
            }
            if (steps_.stop_token().stop_requested()) return looked.error();
            place->fail(looked.error());
            if (prepared_.places.size() > 1) {
                steps_.note_failure(fmt::format("{}:{}", step::kRemoteUpload, place->id()), looked.error());
            }
            withdraw(*place, looked.error().message());
        }
        if (verified == 0) return all_failed(prepared_.places);
        Testimony testimony;
        testimony.summary =
            fmt::format("SHA-256 equal when read back from {} destination{}", verified, verified == 1 ? "" : "s");
        testimony.proofs = {"manifest:readback"};
        return testimony;
    }

    Result<> look_again(const Place& place) const {
        const std::unique_ptr<Storage> storage = TRY(place.open().reason(reason::kDestinationUnreachable));
        const auto look = [&](const std::string& path, std::uint64_t bytes) -> Result<> {
            const std::string key = fmt::format("{}/{}", prepared_.folder, path);
            auto info = storage->stat(key).context("look again");
            if (!info) {
                const bool gone = info.error().code() == Errc::not_found;
                return std::move(info).error().with_reason(gone ? reason::kRemoteMissing
                                                                : reason::kDestinationUnreachable);
            }
            if (info->size_bytes == bytes) return {};
            return Error(Errc::corrupted, fmt::format("'{}' changed its size", key))
                .with_reason(reason::kRemoteCorrupt);
        };
        for (const ManifestArtifact& artifact : manifest_.artifacts) TRY(look(artifact.path, artifact.bytes));
        return look("manifest.json", manifest_text_.size());
    }

    Result<Testimony> commit() {
        Testimony testimony;
        testimony.summary = "recorded with its evidence";
        testimony.facts = {{"folder", prepared_.folder}};
        testimony.proofs = {"catalog:row"};
        return testimony;
    }

    std::uint64_t stored_bytes() const {
        std::uint64_t bytes = manifest_text_.size();
        for (const ManifestArtifact& artifact : artifacts_of(stored_)) bytes += artifact.bytes;
        return bytes;
    }

    void withdraw(Place& place, const std::string& why) {
        const Result<> removed = shipping_->withdraw(place, why);
        if (removed) {
            left_behind_.erase(place.id());
            return;
        }
        log::warning("leftovers of a failed backup stay",
                     {{"destination", place.id()}, {"folder", prepared_.folder}, {"error", removed.error().message()}});
        remember_leftovers(place);
    }

    // For the sweep. A destination that nothing was begun with holds nothing, unless an earlier attempt left it there.
    void remember_leftovers(const Place& place) {
        if (place.touched() || (place.failure() && steps_.attempt() > 1)) left_behind_.insert(place.id());
    }

    void withdraw_all() {
        shipping_->wait();
        for (const auto& place : prepared_.places) withdraw(*place, "the backup failed");
    }

    BackupOutcome outcome() {
        BackupOutcome out;
        out.folder = prepared_.folder;
        out.manifest = std::move(manifest_);
        out.size_bytes = stored_bytes();
        if (prepared_.key) out.notes.push_back("encryption: artifacts are encrypted under key " + prepared_.key->id());
        if (stored_.filestore && stored_.filestore->collector_held) {
            out.notes.push_back("filestore: Odoo's collector was held off while the files were packed");
        }
        return out;
    }

    const BackupOrder& order_;
    const JobHost& host_;
    Steps& steps_;
    Throttle throttle_;
    TimeMs started_at_ = 0;
    Prepared prepared_;
    std::unique_ptr<Shipping> shipping_;  // uses prepared_, so it goes first
    Stored stored_;
    std::set<std::string> left_behind_;  // destinations that could not be cleared of what failed there
    Manifest manifest_;
    std::string manifest_text_;
};

}  // namespace
}  // namespace backup

Result<BackupOutcome> run_backup(const BackupOrder& order, const JobHost& host, Steps& steps) {
    return backup::Run(order, host, steps).all();
}

}  // namespace backstay
