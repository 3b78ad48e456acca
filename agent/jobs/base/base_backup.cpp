// A base backup in its steps: pg_basebackup's tar, streamed to every destination at once, and the proof that the
// archive holds the WAL which makes it consistent.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <thread>

#include "agent/artifact/tar_tap.h"
#include "agent/artifact/throttle.h"
#include "agent/jobs/backup/leftovers.h"
#include "agent/jobs/backup/shipping.h"
#include "agent/jobs/base/parts.h"
#include "agent/jobs/base/prune.h"
#include "agent/jobs/base/wal_map.h"
#include "agent/jobs/destinations.h"
#include "common/crypto/digest.h"
#include "common/domain/layout.h"
#include "common/domain/reasons.h"
#include "common/files/files.h"
#include "common/log.h"
#include "storage/destination.h"

namespace backstay {
namespace base {
namespace {

using backup::Place;
using backup::Shipping;

constexpr std::int64_t kLookAgainMs = 500;

class Run {
public:
    Run(const BaseBackupOrder& order, const JobHost& host, Steps& steps, const ArchiveMemory& memory)
        : order_(order),
          host_(host),
          steps_(steps),
          memory_(memory),
          throttle_(host.rate_bytes_per_sec, steps.stop_token()) {}

    Result<BaseBackupOutcome> all() {
        std::vector<std::string> ids;
        for (const DestinationOrder& destination : order_.destinations) ids.push_back(destination.id);
        TRY(steps_.plan(plan_base_backup(ids, order_.retention_days > 0)));
        Result<> made = steps();
        if (!made && shipping_) withdraw_all();
        if (auto settled = settle(); !settled) {
            if (made) return std::move(settled).error();
            log::warning("notes of a failed base backup not settled", {{"error", settled.error().message()}});
        }
        if (!made) return std::move(made).error();
        if (memory_.keep) TRY(memory_.keep(outcome_));
        prune_archive();
        return std::move(outcome_);
    }

private:
    Result<> steps() {
        TRY(steps_.run(step::kPreflight, [&] { return prepare(); }));
        TRY(steps_.run(step::kBaseBackup, [&] { return copy_cluster(); }));
        TRY(steps_.run(step::kWalContinuity, [&] { return await_wal(); }));
        TRY(steps_.run(step::kArtifactChecksums, [&] { return checksums(); }));
        TRY(steps_.run(step::kManifestWrite, [&] { return compose_manifest(); }));
        TRY(steps_.run(step::kRemoteUpload, [&] { return upload(); }));
        TRY(steps_.run(step::kRemoteVerify, [&] { return verify_remotely(); }));
        TRY(steps_.run(step::kCatalogCommit, [&] { return commit(); }));
        return {};
    }

    Result<Testimony> prepare() {
        cluster_ = TRY(find_cluster(host_.config, order_.cluster));
        auto connection =
            TRY(pq::Connection::connect(connect_parameters(cluster_, cluster_.database), steps_.stop_token()));
        facts_ = TRY(postgres::read_cluster_facts(connection));
        TRY(check_cluster(facts_));
        pg_basebackup_ = TRY(find_tool(cluster_, "pg_basebackup", facts_.server_version_num));
        databases_ = TRY(list_databases(connection));
        if (!order_.encrypt_for.empty()) key_ = TRY(load_key(host_));
        archive_ = layout::cluster_folder(order_.organization_id, facts_.system_id);
        outcome_.folder = layout::base_folder(archive_, order_.backup_id);
        TRY(try_places());
        const AgentConfig& config = host_.config;
        const std::string root = config.scratch_dir.empty() ? config.state_dir + "/scratch" : config.scratch_dir;
        TRY(make_folders(root));
        scratch_ = TRY(TempDir::create(root, "backup-").context("make a scratch folder"));
        TRY(backup::leave_notes(leftovers(), steps_));
        shipping_ =
            std::make_unique<Shipping>(places_, outcome_.folder, key_ ? &*key_ : nullptr, steps_, host_.config.limits);
        Testimony testimony;
        testimony.summary = fmt::format("PostgreSQL {}, {} MB in {} databases, timeline {}", facts_.server_version,
                                        facts_.size_bytes >> 20U, databases_.size(), facts_.timeline);
        testimony.facts = {{"server_version", facts_.server_version},
                           {"system_id", facts_.system_id},
                           {"timeline", std::to_string(facts_.timeline)},
                           {"cluster_bytes", std::to_string(facts_.size_bytes)},
                           {"pg_basebackup_version", pg_basebackup_.version},
                           {"reason", order_.reason},
                           {"encrypted", key_ ? "yes, key " + key_->id() : "no"}};
        return testimony;
    }

    Result<> try_places() {
        std::size_t usable = 0;
        for (const DestinationOrder& destination : order_.destinations) {
            places_.push_back(std::make_unique<Place>(destination, host_, steps_.stop_token()));
            Place& place = *places_.back();
            const auto look = [&]() -> Result<> {
                const auto storage = TRY(place.open_for_check());
                TRY(probe_storage(*storage));
                TRY(remove_folder_objects(*storage, outcome_.folder));
                TRY(storage->sweep_leftovers(host_.clock.now_ms() - backup::kDeadUploadMs));
                return {};
            };
            Result<> tried = look().context("destination " + place.name());
            if (tried) ++usable;
            if (!tried) place.fail(Error(tried.error()).with_reason(reason::kDestinationUnreachable));
        }
        if (usable > 0) return {};
        if (places_.empty()) {
            return Error(Errc::invalid, "no destination to store the base backup in")
                .with_reason(reason::kNoDestination);
        }
        return backup::all_failed(places_);
    }

    Result<Testimony> copy_cluster() {
        steps_.progress().set_total(step::kBaseBackup, facts_.size_bytes);
        started_at_ = TRY(server_time(cluster_, steps_.stop_token()));
        const std::string manifest_file = scratch_->path() + "/backup_manifest";
        StringSink label(64 << 10);
        ManifestKeeper manifest(manifest_file);
        TarTap tap({{"backup_label", &label}, {"backup_manifest", &manifest}});
        const backup::ArtifactPlan plan{std::string(artifact::kBase),
                                        layout::artifact_file(artifact::kBase, false, key_.has_value()),
                                        facts_.size_bytes};
        base_ = TRY(shipping_->store(plan, [&](ArtifactStream& stream) { return stream_tar(stream, tap); }));
        TRY(tap.finish());
        // No commit before the backup's stop is later than this.
        ended_at_ = TRY(server_time(cluster_, steps_.stop_token()));
        const postgres::BackupLabel begun = TRY(postgres::parse_backup_label(label.text()));
        need_ = TRY(postgres::parse_wal_need(manifest.tail()));
        need_.start = std::min(need_.start, begun.start);
        TRY(store_manifest_of_postgres(manifest_file));
        steps_.progress().set_total(step::kBaseBackup, base_.uncompressed_bytes);
        Testimony testimony;
        testimony.summary =
            fmt::format("{:.1f} MB in {:.1f} MB, {} files, WAL {} to {} on timeline {}",
                        static_cast<double>(base_.uncompressed_bytes) / 1e6, static_cast<double>(base_.bytes) / 1e6,
                        tap.members(), wal::format_lsn(need_.start), wal::format_lsn(need_.stop), need_.timeline);
        testimony.facts = {
            {"start_lsn", wal::format_lsn(need_.start)},   {"stop_lsn", wal::format_lsn(need_.stop)},
            {"timeline", std::to_string(need_.timeline)},  {"started_at", to_rfc3339(started_at_)},
            {"ended_at", to_rfc3339(ended_at_)},           {"plain_bytes", std::to_string(base_.uncompressed_bytes)},
            {"stored_bytes", std::to_string(base_.bytes)}, {"sha256", base_.sha256}};
        testimony.proofs = {"artifact:base", "artifact:backup_manifest"};
        return testimony;
    }

    Result<> stream_tar(ArtifactStream& stream, TarTap& tap) {
        const postgres::BaseBackupRequest request{pg_basebackup_, cluster_, "backstay " + order_.backup_id,
                                                  shipping_->priority(), steps_.stop_token()};
        const auto child = TRY(postgres::start_base_backup(request));
        while (true) {
            const MutableByteSpan room = TRY(stream.room());
            Result<std::size_t> count = child->output().read(room);
            if (!count) return postgres::classify_base_backup_error(std::move(count).error());
            if (*count == 0) return {};
            TRY(tap.take(room.first(*count)));
            TRY(stream.took(*count));
            steps_.progress().add(step::kBaseBackup, *count);
            TRY(throttle_.take(*count));
        }
    }

    Result<> store_manifest_of_postgres(const std::string& file) {
        const backup::ArtifactPlan plan{std::string(artifact::kBackupManifest),
                                        layout::artifact_file(artifact::kBackupManifest, false, key_.has_value()), 0};
        backup_manifest_ =
            TRY(shipping_->store(plan, [&](ArtifactStream& stream) -> Result<> { return copy_file(file, stream); }));
        return {};
    }

    // The archiver works on its own; the server itself waited for it before pg_basebackup ended.
    Result<Testimony> await_wal() {
        if (auto nudged = nudge_archiver(cluster_, order_.backup_id, steps_.stop_token()); !nudged) {
            log::info("no commit behind the base backup", {{"error", nudged.error().message()}});
        }
        const std::int64_t begun = steady_ms();
        while (true) {
            Result<std::string> found = find_wal();
            const std::int64_t waited = steady_ms() - begun;
            if (found) return continuity(*found, waited);
            if (waited > kWalPatienceMs || found.error().code() != Errc::not_found) return std::move(found).error();
            if (steps_.stop_token().stop_requested()) {
                return Error(Errc::cancelled, "stopped while waiting for WAL").with_reason(reason::kCancelled);
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(kLookAgainMs));
        }
    }

    // The destination that holds all of the backup's WAL.
    Result<std::string> find_wal() {
        std::optional<Error> last;
        for (const auto& place : places_) {
            const auto look = [&]() -> Result<> {
                const auto storage = TRY(place->open());
                wal::Archive archive(*storage, archive_, key_ ? &*key_ : nullptr);
                const auto missing = TRY(find_missing(archive, need_.timeline, need_.start, need_.stop,
                                                      facts_.segment_bytes, steps_.stop_token()));
                if (!missing) return {};
                return Error(Errc::not_found,
                             fmt::format("the archive lacks segment {}", segment_name(*missing, facts_.segment_bytes)))
                    .with_reason(reason::kWalGap);
            };
            auto looked = look();
            if (looked) return place->id();
            if (!last || looked.error().code() == Errc::not_found) last = std::move(looked).error();
        }
        return std::move(*last);
    }

    Testimony continuity(const std::string& destination, std::int64_t waited_ms) const {
        const std::uint64_t bytes = facts_.segment_bytes;
        const wal::Lsn first = wal::segment_start(need_.start, bytes);
        const wal::Lsn last = wal::segment_start(need_.stop == first ? need_.stop : need_.stop - 1, bytes);
        const std::uint64_t count = (last - first) / bytes + 1;
        Testimony testimony;
        testimony.summary = fmt::format("{} segments from {} to {} are archived", count, wal::format_lsn(need_.start),
                                        wal::format_lsn(need_.stop));
        testimony.facts = {{"first_segment", segment_name({need_.timeline, first}, bytes)},
                           {"last_segment", segment_name({need_.timeline, last}, bytes)},
                           {"segments", std::to_string(count)},
                           {"waited_ms", std::to_string(waited_ms)},
                           {"destination", destination}};
        testimony.proofs = {"wal:continuous"};
        return testimony;
    }

    Result<Testimony> checksums() {
        Testimony testimony;
        for (const ManifestArtifact& artifact : {base_, backup_manifest_}) {
            testimony.facts.emplace(artifact.name, "sha256:" + artifact.sha256);
            testimony.proofs.push_back("checksum:" + artifact.name);
        }
        testimony.summary = "SHA-256 of both artifacts taken while they were written";
        return testimony;
    }

    Result<Testimony> compose_manifest() {
        Manifest& m = outcome_.manifest;
        m.backup_id = order_.backup_id;
        m.scope = "base";
        m.trigger = order_.trigger;
        m.organization_id = order_.organization_id;
        m.is_odoo = false;
        m.started_at = {started_at_};
        m.completed_at = {host_.clock.now_ms()};
        m.agent = {host_.agent_id, host_.agent_version};
        m.postgres.server_version = facts_.server_version;
        m.postgres.server_version_num = facts_.server_version_num;
        m.postgres.system_id = facts_.system_id;
        m.postgres.timeline = need_.timeline;
        m.postgres.start_lsn = wal::format_lsn(need_.start);
        m.postgres.end_lsn = wal::format_lsn(need_.stop);
        m.postgres.size_bytes = facts_.size_bytes;
        m.base = ManifestBase{order_.cluster, archive_,  facts_.segment_bytes, facts_.superuser, {started_at_},
                              {ended_at_},    databases_};
        m.artifacts = {base_, backup_manifest_};
        m.tools = {{"pg_basebackup", pg_basebackup_.version}};
        manifest_text_ = write_manifest(m);
        TRY(read_manifest(manifest_text_).context("the manifest does not read back as written"));
        Testimony testimony;
        testimony.summary = fmt::format("{} artifacts", m.artifacts.size());
        testimony.facts = {{"sha256", digest_hex(DigestKind::sha256, as_bytes(manifest_text_))},
                           {"bytes", std::to_string(manifest_text_.size())}};
        testimony.proofs = {"artifact:manifest", "checksum:manifest"};
        return testimony;
    }

    Result<Testimony> upload() {
        shipping_->wait();
        const bool several = places_.size() > 1;
        std::vector<std::string> names;
        for (const auto& place : places_) {
            const auto finish = [&]() -> Result<Testimony> {
                if (const auto failure = place->failure()) return *failure;
                TRY(shipping_->commit(*place, manifest_text_));
                return Testimony{fmt::format("{} bytes in {}", stored_bytes(), place->name()), {}, {}, ""};
            };
            Result<Testimony> finished =
                several ? steps_.run(fmt::format("{}:{}", step::kRemoteUpload, place->id()), finish) : finish();
            if (finished) {
                names.push_back(place->name());
                continue;
            }
            if (steps_.stop_token().stop_requested()) return std::move(finished).error();
            withdraw(*place, finished.error().message());
        }
        if (names.empty()) return backup::all_failed(places_);
        Testimony testimony;
        testimony.summary = fmt::format("both artifacts and the manifest in {}", fmt::join(names, ", "));
        testimony.facts = {{"stored_bytes", std::to_string(stored_bytes())},
                           {"destinations", fmt::format("{} of {}", names.size(), places_.size())}};
        return testimony;
    }

    Result<Testimony> verify_remotely() {
        std::size_t verified = 0;
        for (const auto& place : places_) {
            if (place->failure()) continue;
            const auto look = [&]() -> Result<> {
                const auto storage = TRY(place->open());
                for (const ManifestArtifact& artifact : outcome_.manifest.artifacts) {
                    const std::string key = fmt::format("{}/{}", outcome_.folder, artifact.path);
                    const ObjectInfo info = TRY(storage->stat(key).context("look again"));
                    if (info.size_bytes == artifact.bytes) continue;
                    return Error(Errc::corrupted, fmt::format("'{}' changed its size", key))
                        .with_reason(reason::kRemoteCorrupt);
                }
                return {};
            };
            auto looked = look();
            if (looked) {
                ++verified;
                continue;
            }
            if (steps_.stop_token().stop_requested()) return std::move(looked).error();
            place->fail(looked.error());
            if (places_.size() > 1) {
                steps_.note_failure(fmt::format("{}:{}", step::kRemoteUpload, place->id()), looked.error());
            }
            withdraw(*place, looked.error().message());
        }
        if (verified == 0) return backup::all_failed(places_);
        Testimony testimony;
        testimony.summary =
            fmt::format("each artifact found equal after it was stored, and looked up again, in {} destination{}",
                        verified, verified == 1 ? "" : "s");
        testimony.proofs = {"manifest:readback"};
        return testimony;
    }

    Result<Testimony> commit() {
        outcome_.size_bytes = stored_bytes();
        if (key_) outcome_.notes.push_back("encryption: artifacts are encrypted under key " + key_->id());
        return Testimony{"recorded with its evidence", {{"folder", outcome_.folder}}, {"catalog:row"}, ""};
    }

    // What the new base made superfluous. Its failure is told, and is no failure of the backup.
    void prune_archive() {
        if (order_.retention_days <= 0) return;
        const Forget forget = [&](const wal::Disposal& disposal, const std::vector<std::string>& stored) {
            return memory_.forget ? memory_.forget(outcome_, disposal, stored) : Result<>();
        };
        auto pruned = steps_.run(step::kWalPrune, [&]() -> Result<Pruned> {
            std::string why;
            if (memory_.hindrance) why = TRY(memory_.hindrance(archive_));
            if (!why.empty()) return Error(Errc::conflict, "nothing is pruned now: " + why);
            return prune(order_.destinations, archive_, order_.retention_days, host_, steps_.stop_token(), forget);
        });
        if (pruned) outcome_.pruned = std::move(*pruned);
        if (!pruned) log::warning("archive not pruned", {{"error", pruned.error().message()}});
    }

    std::uint64_t stored_bytes() const { return manifest_text_.size() + base_.bytes + backup_manifest_.bytes; }

    backup::Leftovers leftovers() const {
        return {outcome_.folder, scratch_ ? scratch_->path() : "", order_.destinations, host_.clock.now_ms()};
    }
    Result<> settle() {
        if (outcome_.folder.empty()) return {};
        return backup::settle_notes(leftovers(), left_behind_, steps_);
    }

    void withdraw(Place& place, const std::string& why) {
        if (const Result<> removed = shipping_->withdraw(place, why); !removed) {
            if (place.touched()) left_behind_.insert(place.id());
            log::warning(
                "leftovers of a failed base backup stay",
                {{"destination", place.id()}, {"folder", outcome_.folder}, {"error", removed.error().message()}});
        }
    }
    void withdraw_all() {
        shipping_->wait();
        for (const auto& place : places_) withdraw(*place, "the base backup failed");
    }

    const BaseBackupOrder& order_;
    const JobHost& host_;
    Steps& steps_;
    const ArchiveMemory& memory_;
    Throttle throttle_;
    ClusterConfig cluster_;
    postgres::ClusterFacts facts_;
    Tool pg_basebackup_;
    std::vector<std::string> databases_;
    std::optional<StreamKey> key_;
    std::string archive_;
    std::vector<std::unique_ptr<Place>> places_;
    std::optional<TempDir> scratch_;
    std::unique_ptr<Shipping> shipping_;  // uses the places and the key, so it goes first
    ManifestArtifact base_;
    ManifestArtifact backup_manifest_;
    postgres::WalNeed need_;
    TimeMs started_at_ = 0;
    TimeMs ended_at_ = 0;
    std::string manifest_text_;
    std::set<std::string> left_behind_;  // destinations that could not be cleared of what failed there
    BaseBackupOutcome outcome_;
};

}  // namespace
}  // namespace base

Result<BaseBackupOutcome> run_base_backup(const BaseBackupOrder& order, const JobHost& host, Steps& steps,
                                          const ArchiveMemory& memory) {
    return base::Run(order, host, steps, memory).all();
}

}  // namespace backstay
