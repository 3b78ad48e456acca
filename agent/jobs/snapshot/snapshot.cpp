// A snapshot in its steps: a backup's parts, one place (the host's own folder), and a filestore that holds what is new.
#include <fmt/format.h>

#include "agent/jobs/backup/leftovers.h"
#include "agent/jobs/backup/making.h"
#include "agent/jobs/snapshot/copies.h"
#include "agent/jobs/snapshot/difference.h"
#include "agent/jobs/snapshot/own_place.h"
#include "agent/jobs/snapshots.h"
#include "common/domain/layout.h"
#include "common/domain/reasons.h"
#include "common/files/files.h"
#include "common/log.h"

namespace backstay {
namespace snapshot {
namespace {

BackupOrder backup_order(const SnapshotOrder& order, const OwnPlace& place) {
    BackupOrder backup;
    backup.backup_id = order.snapshot_id;
    backup.scope = "full";
    backup.trigger = order.trigger;
    backup.label = order.label;
    backup.created_at = order.created_at;
    backup.environment = order.environment;
    backup.destinations = {place.destination()};
    // Copies are byte for byte what lies here, so that the host's own is encrypted when theirs are to be.
    if (!order.encrypt_for.empty()) backup.encrypt_for = {std::string(kHostPlace)};
    backup.timeout_ms = order.timeout_ms;
    return backup;
}

std::string environment_folder(const std::string& folder) { return folder.substr(0, folder.rfind("/snapshots/")); }

// Names of what a full one holds, for those that will build on it.
class NamesFile {
public:
    static Result<std::unique_ptr<NamesFile>> create(const std::string& path) {
        std::FILE* file = std::fopen(path.c_str(), "we");
        if (file == nullptr) return Error::from_errno(errno, "create " + path);
        return std::unique_ptr<NamesFile>(new NamesFile(file, path));
    }
    ~NamesFile() { std::fclose(file_); }
    NamesFile(const NamesFile&) = delete;
    NamesFile& operator=(const NamesFile&) = delete;

    Result<> add(const std::string& name) {
        if (!fits_a_line(name)) return {};
        if (std::fwrite(name.data(), name.size(), 1, file_) == 1 && std::fputc('\n', file_) != EOF) return {};
        return Error::from_errno(errno, "write to scratch").with_reason(reason::kDiskSpaceLow);
    }
    Result<> flush() {
        if (std::fflush(file_) == 0) return {};
        return Error::from_errno(errno, "write to scratch").with_reason(reason::kDiskSpaceLow);
    }
    const std::string& path() const { return path_; }

private:
    NamesFile(std::FILE* file, std::string path) : file_(file), path_(std::move(path)) {}
    std::FILE* file_;
    std::string path_;
};

class Run {
public:
    Run(const SnapshotOrder& order, const JobHost& host, Steps& steps, Shelf& shelf)
        : order_(order),
          steps_(steps),
          shelf_(shelf),
          place_(host),
          backup_order_(backup_order(order, place_)),
          throttle_(host.rate_bytes_per_sec, steps.stop_token()),
          prepared_(backup_order_, place_.host()) {}

    Result<SnapshotOutcome> all() {
        started_at_ = place_.host().clock.now_ms();
        std::vector<std::string> ids;
        for (const DestinationOrder& destination : order_.destinations) ids.push_back(destination.id);
        TRY(steps_.plan(plan_snapshot(ids)));
        Result<> made = make();
        if (!made) return undo(std::move(made).error());
        SnapshotOutcome outcome;
        outcome.made = std::move(outcome_);
        const Copies copies = copy_out(order_, prepared_.folder, outcome.made.manifest, place_, steps_);
        outcome.destination_ids = copies.destination_ids;
        if (!copies.destination_ids.empty()) TRY(shelf_.held_by(order_.snapshot_id, copies.destination_ids));
        if (!copies.base_destination_ids.empty()) {
            TRY(shelf_.held_by(base_->snapshot_id, copies.base_destination_ids));
        }
        return outcome;
    }

private:
    Result<> make() {
        TRY(steps_.run(step::kPreflight, [&] { return prepare(); }));
        TRY(steps_.run(step::kResolveFilestoreBase, [&] { return resolve(); }));
        backup::Making making{prepared_,
                              *shipping_,
                              throttle_,
                              steps_,
                              step::kFilestoreCapture,
                              [this](std::stop_token stop, const std::function<void()>& on_listed) {
                                  on_listed();
                                  return capture(std::move(stop));
                              }};
        stored_ = TRY(backup::make_artifacts(making));
        stored_.reconciled = stored_.filestore->reconciled;
        TRY(steps_.run(step::kArtifactChecksums, [&] { return backup::testify_checksums(stored_); }));
        TRY(steps_.run(step::kManifestWrite, [&] { return write_it(); }));
        TRY(steps_.run(step::kLocalVerify, [&] { return look_again(); }));
        TRY(steps_.run(step::kCatalogCommit, [&] { return commit(); }));
        prepared_.scratch.reset();  // before the note of it goes
        return backup::settle_notes(backup::leftovers_of(prepared_), {}, steps_);
    }

    Result<Testimony> prepare() {
        const EnvironmentOrder& environment = order_.environment;
        const JobHost& host = place_.host();
        prepared_.database = environment.database;
        prepared_.full = true;
        prepared_.folder = layout::snapshot_folder(
            {environment.organization_id, environment.project_id, environment.environment_id}, order_.snapshot_id);
        prepared_.cluster = TRY(find_cluster(host.config, environment.cluster));
        TRY(make_folders(place_.path(), 0700));
        // Before anything of an earlier attempt is removed: others may build on it.
        TRY(shelf_.begin(order_, prepared_.folder));
        begun_ = true;
        prepared_.places.push_back(
            std::make_unique<backup::Place>(backup_order_.destinations.front(), host, steps_.stop_token()));
        TRY(backup::leave_notes(backup::leftovers_of(prepared_), steps_));
        Testimony testimony = TRY(backup::preflight(prepared_, steps_.stop_token()));
        TRY(backup::leave_notes(backup::leftovers_of(prepared_), steps_));
        testimony.facts["snapshot_dir"] = place_.path();
        shipping_ = std::make_unique<backup::Shipping>(
            prepared_.places, prepared_.folder, prepared_.key ? &*prepared_.key : nullptr, steps_, host.config.limits);
        return testimony;
    }

    // Full or differential, and of what: names beside names, no file is looked at.
    Result<Testimony> resolve() {
        hold_ = odoo::CollectorHold::take(prepared_.cluster, prepared_.database, steps_.stop_token());
        base_ = TRY(shelf_.newest_full(environment_folder(prepared_.folder)));
        Choice choice{place_.host().clock.now_ms(), order_.full_filestore, base_ ? &*base_ : nullptr, false, nullptr};
        choice.encrypted = prepared_.key.has_value();
        if (base_) look_at_base(choice);
        why_full_ = why_full(choice);
        std::unique_ptr<BaseNames> names;
        if (!why_full_) names = TRY(shelf_.names(base_->snapshot_id));
        pq::Connection connection = TRY(prepared_.snapshot->join());
        difference_ = TRY(find_difference(connection, names.get(), prepared_.scratch->path()));
        choice.difference = &*difference_;
        if (!why_full_) why_full_ = why_full(choice);
        if (!why_full_) TRY(lean());
        return check_space();
    }

    // Between the look and now the base may have been ordered away: then this one is to be whole in itself.
    Result<> lean() {
        Result<> leant = shelf_.lean_on(order_.snapshot_id, base_->snapshot_id);
        if (leant || leant.error().code() != Errc::not_found) return leant;
        why_full_ = leant.error().message();
        return {};
    }

    void look_at_base(Choice& choice) const {
        const auto storage = place_.open(steps_.stop_token());
        if (!storage || !(*storage)->stat(base_->folder + "/manifest.json")) return;
        for (const bool encrypted : {false, true}) {
            const std::string file = layout::artifact_file(artifact::kFilestore, false, encrypted);
            if (!(*storage)->stat(fmt::format("{}/{}", base_->folder, file))) continue;
            choice.base_is_there = true;
            choice.base_is_encrypted = encrypted;
        }
    }

    // The dump's size is guessed by the last one, else as a quarter of the database; files are taken as they are.
    Result<Testimony> check_space() {
        const std::uint64_t files = why_full_ ? difference_->bytes : difference_->fresh_bytes;
        const std::uint64_t dump =
            base_ && base_->database_bytes > 0 ? base_->database_bytes / 4 * 5 : prepared_.facts.size_bytes / 4;
        const DiskSpace space = TRY(free_space(place_.path()));
        constexpr std::uint64_t kReserve = 128ULL << 20;
        const std::uint64_t needed = files + dump + kReserve;
        if (space.free_bytes < needed) {
            return Error(Errc::exhausted, fmt::format("{} has {} MB free, the snapshot needs about {} MB",
                                                      place_.path(), space.free_bytes >> 20U, needed >> 20U))
                .with_reason(reason::kDiskSpaceLow)
                .with_hint("remove snapshots, or set snapshot_dir to a larger disk");
        }
        Testimony testimony;
        testimony.summary = why_full_
                                ? fmt::format("full, {} files: {}", difference_->all.size(), *why_full_)
                                : fmt::format("differential against {}: {} of {} files are new", base_->snapshot_id,
                                              difference_->fresh.size(), difference_->all.size());
        testimony.facts = {{"mode", why_full_ ? "full" : "differential"},
                           {"base_snapshot_id", why_full_ ? "" : base_->snapshot_id},
                           {"shared_files", "none"},  // archives share nothing: sizes are what a removal sets free
                           {"why_full", why_full_.value_or("")},
                           {"names", fmt::format("{}", difference_->all.size())},
                           {"new_files", fmt::format("{}", difference_->fresh.size())},
                           {"new_bytes", fmt::format("{}", difference_->fresh_bytes)},
                           {"needed_bytes", fmt::format("{}", needed)},
                           {"free_bytes", fmt::format("{}", space.free_bytes)}};
        return testimony;
    }

    Result<backup::FilestoreStored> capture(std::stop_token stop) {
        const bool encrypted = prepared_.key.has_value();
        backup::PackingPlan packing{std::string(step::kFilestoreCapture),
                                    layout::differential_file(encrypted),
                                    difference_->fresh_bytes,
                                    std::move(difference_->fresh),
                                    std::move(hold_),
                                    {},
                                    {}};
        const std::int64_t now = place_.host().clock.now_ms() / 1000;
        if (why_full_) {
            packing.file = layout::artifact_file(artifact::kFilestore, false, encrypted);
            packing.expected_bytes = difference_->bytes;
            // A base that was too far away had its share of the names taken out.
            packing.names = std::move(difference_->all);
            TRY(packing.names.rewind());
            packed_ = TRY(NamesFile::create(prepared_.scratch->path() + "/packed"));
            packing.on_packed = [this](const std::string& name) { return packed_->add(name); };
        } else {
            packing.first = [&](TarWriter& tar) { return write_list(tar, *difference_, now); };
        }
        const std::uint64_t names = why_full_ ? packing.names.size() : difference_->all.size();
        const std::uint64_t held = names - packing.names.size();
        backup::FilestoreStored stored =
            TRY(backup::pack_filestore(prepared_, *shipping_, throttle_, steps_.progress(), stop, packing));
        stored.names = names;
        stored.held_files = held;
        stored.held_bytes = why_full_ ? 0 : difference_->bytes - difference_->fresh_bytes;
        if (packed_) TRY(packed_->flush());
        stored.reconciled = TRY(backup::reconcile(prepared_, stored, stop));
        stored.reconciled->filestore.mode = why_full_ ? "full" : "differential";
        if (!why_full_) stored.reconciled->filestore.base_snapshot_id = base_->snapshot_id;
        return stored;
    }

    // Last, when every artifact has been read back: from here on it is a snapshot.
    Result<Testimony> write_it() {
        shipping_->wait();
        backup::Place& place = *prepared_.places.front();
        if (const auto failure = place.failure()) return *failure;
        manifest_ = backup::describe(prepared_, stored_, started_at_);
        manifest_.kind = "snapshot";
        manifest_text_ = write_manifest(manifest_);
        TRY(shipping_->commit(place, manifest_text_));
        return backup::testify_manifest(manifest_, manifest_text_);
    }

    Result<Testimony> look_again() {
        Testimony testimony = TRY(backup::verify_manifest(manifest_, manifest_text_, stored_));
        const auto storage = TRY(place_.open(steps_.stop_token()));
        for (const ManifestArtifact& artifact : manifest_.artifacts) {
            const std::string key = fmt::format("{}/{}", prepared_.folder, artifact.path);
            const ObjectInfo info = TRY(storage->stat(key).context("look again").reason(reason::kArtifactMissing));
            if (info.size_bytes == artifact.bytes) continue;
            return Error(Errc::corrupted, fmt::format("'{}' changed its size", key))
                .with_reason(reason::kChecksumMismatch);
        }
        testimony.summary += "; every artifact read back as it was written";
        testimony.proofs.emplace_back("manifest:readback");
        return testimony;
    }

    Result<Testimony> commit() {
        outcome_.folder = prepared_.folder;
        outcome_.size_bytes = backup::bytes_of(manifest_, manifest_text_);
        outcome_.manifest = manifest_;
        if (prepared_.key) {
            outcome_.notes.push_back("encryption: artifacts are encrypted under key " + prepared_.key->id());
        }
        TRY(shelf_.complete(order_.snapshot_id, outcome_, packed_ ? packed_->path() : ""));
        Testimony testimony;
        testimony.summary = fmt::format("{} bytes on this host", outcome_.size_bytes);
        testimony.facts = {{"folder", prepared_.folder}, {"stored_bytes", fmt::format("{}", outcome_.size_bytes)}};
        testimony.proofs = {"catalog:row"};
        return testimony;
    }

    Error undo(Error error) {
        if (!begun_) return error;
        prepared_.scratch.reset();
        std::set<std::string> left;
        if (shipping_) {
            shipping_->wait();
            if (auto removed = shipping_->withdraw(*prepared_.places.front(), "the snapshot failed"); !removed) {
                log::warning("leftovers of a failed snapshot stay",
                             {{"folder", prepared_.folder}, {"error", removed.error().message()}});
                left.insert(std::string(kHostPlace));
            }
        }
        if (auto forgotten = shelf_.forget(order_.snapshot_id); !forgotten) error.followed_by(forgotten.error());
        if (auto settled = backup::settle_notes(backup::leftovers_of(prepared_), left, steps_); !settled) {
            log::warning("notes of a failed snapshot not settled", {{"error", settled.error().message()}});
        }
        return error;
    }

    const SnapshotOrder& order_;
    Steps& steps_;
    Shelf& shelf_;
    OwnPlace place_;
    const BackupOrder backup_order_;
    Throttle throttle_;
    TimeMs started_at_ = 0;
    bool begun_ = false;
    backup::Prepared prepared_;
    std::unique_ptr<backup::Shipping> shipping_;  // uses prepared_, so it goes first
    std::optional<odoo::CollectorHold> hold_;
    std::optional<Base> base_;
    std::optional<std::string> why_full_;
    std::optional<Difference> difference_;
    std::unique_ptr<NamesFile> packed_;
    backup::Stored stored_;
    Manifest manifest_;
    std::string manifest_text_;
    BackupOutcome outcome_;
};

}  // namespace
}  // namespace snapshot

Result<SnapshotOutcome> run_snapshot(const SnapshotOrder& order, const JobHost& host, Steps& steps,
                                     snapshot::Shelf& shelf) {
    return snapshot::Run(order, host, steps, shelf).all();
}

}  // namespace backstay
