// A backup in its steps (design.md 5). Database, filestore and configuration are made side by side; the rest follows.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "agent/jobs/backup/backup_as.h"
#include "agent/jobs/backup/leftovers.h"
#include "agent/jobs/backup/making.h"
#include "agent/jobs/backup/preflight.h"
#include "agent/jobs/backup/shipping.h"
#include "agent/jobs/jobs.h"
#include "common/domain/layout.h"
#include "common/domain/reasons.h"
#include "common/log.h"

namespace backstay {
namespace backup {
namespace {

class Run {
public:
    Run(const BackupOrder& order, const JobHost& host, Steps& steps, const std::string& known_as = {})
        : order_(order),
          host_(host),
          steps_(steps),
          throttle_(host.rate_bytes_per_sec, steps.stop_token()),
          prepared_(order, host) {
        prepared_.known_as = known_as;
    }

    Result<BackupOutcome> all() {
        started_at_ = host_.clock.now_ms();
        TRY(plan());
        Result<> made = steps();
        prepared_.scratch.reset();  // before the note of it goes
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
        TRY(make());
        if (prepared_.full) TRY(steps_.run(step::kFilestoreReconcile, [&] { return compare_files(); }));
        TRY(steps_.run(step::kArtifactChecksums, [&] { return testify_checksums(stored_); }));
        TRY(steps_.run(step::kManifestWrite, [&] { return compose_manifest(); }));
        TRY(steps_.run(step::kLocalVerify, [&] { return verify_manifest(manifest_, manifest_text_, stored_); }));
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

    Result<> make() {
        Making making{prepared_, *shipping_, throttle_, steps_, step::kFilestoreArchive, {}};
        if (prepared_.full) {
            making.filestore = [this](std::stop_token stop, const std::function<void()>& on_listed) {
                return store_filestore(prepared_, *shipping_, throttle_, steps_.progress(), std::move(stop), on_listed);
            };
        }
        stored_ = TRY(make_artifacts(making));
        return {};
    }

    Result<Reconciled> compare_files() {
        stored_.reconciled = TRY(reconcile(prepared_, *stored_.filestore, steps_.stop_token()));
        return *stored_.reconciled;
    }

    Result<Testimony> compose_manifest() {
        manifest_ = describe(prepared_, stored_, started_at_);
        manifest_text_ = write_manifest(manifest_);
        return testify_manifest(manifest_, manifest_text_);
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

    std::uint64_t stored_bytes() const { return bytes_of(manifest_, manifest_text_); }

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
        out.size_bytes = stored_bytes();
        out.manifest = std::move(manifest_);
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

Result<BackupOutcome> backup::run_backup_as(const std::string& database, const BackupOrder& order, const JobHost& host,
                                            Steps& steps) {
    return Run(order, host, steps, database).all();
}

}  // namespace backstay
