#include "tests/unit/agent/worker/fake_jobs.h"

#include "agent/jobs/jobs.h"
#include "agent/jobs/snapshots.h"
#include "common/domain/steps.h"

namespace backstay {

FakeJobs& FakeJobs::instance() {
    static FakeJobs jobs;
    return jobs;
}

void FakeJobs::reset() {
    const std::lock_guard lock(mutex_);
    held_.clear();
    inside_.clear();
    error_.reset();
    most_at_once = 0;
    sweeps = 0;
    sweep_fails = false;
    live_is_good = true;
    destinations_known = 0;
    keep_until = INT64_MAX;
    drops = 0;
}

void FakeJobs::hold(const std::string& database) {
    const std::lock_guard lock(mutex_);
    held_.insert(database);
}

void FakeJobs::release(const std::string& database) {
    {
        const std::lock_guard lock(mutex_);
        held_.erase(database);
    }
    changed_.notify_all();
}

bool FakeJobs::wait_until_held(const std::string& database) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(5), [&] { return inside_.contains(database); });
}

void FakeJobs::fail_with(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    error_ = std::move(error);
}

Result<> FakeJobs::pass(const std::string& database, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    inside_.insert(database);
    most_at_once = std::max(most_at_once.load(), ++running_);
    changed_.notify_all();
    const std::stop_callback wake(stop, [this] { changed_.notify_all(); });
    // The stop callback runs without our lock: look again now and then.
    while (held_.contains(database) && !stop.stop_requested()) changed_.wait_for(lock, std::chrono::milliseconds(20));
    --running_;
    inside_.erase(database);
    if (stop.stop_requested()) return Error(Errc::cancelled, "stopped in the middle");
    if (error_) return *error_;
    return {};
}

Result<BackupOutcome> run_backup(const BackupOrder& order, const JobHost&, Steps& steps) {
    OperationPlan plan;
    plan.steps = {{std::string(step::kDbDump), true, 1}};
    plan.artifacts = {std::string(artifact::kDatabase)};
    for (const DestinationOrder& destination : order.destinations) plan.destination_ids.push_back(destination.id);
    TRY(steps.plan(plan));
    TRY(steps.note("backup.folder", "x"));
    const std::stop_token stop = steps.stop_token();
    TRY(steps.run(step::kDbDump, [&]() -> Result<Testimony> {
        steps.progress().set_total(step::kDbDump, 100);
        steps.progress().add(step::kDbDump, 40);
        TRY(FakeJobs::instance().pass(order.environment.database, stop));
        return Testimony{"dumped", {}, {}, ""};
    }));
    for (const DestinationOrder& destination : order.destinations) {
        CopyRecord copy;
        copy.destination_id = destination.id;
        copy.artifact = artifact::kDatabase;
        copy.state = CopyState::verified;
        TRY(steps.copied(copy));
    }
    TRY(steps.note("backup.folder", ""));
    BackupOutcome outcome;
    outcome.folder = "v1/" + order.backup_id;
    outcome.size_bytes = 7;
    ManifestArtifact database;
    database.name = artifact::kDatabase;
    database.uncompressed_bytes = 70;
    outcome.manifest.artifacts = {database};
    outcome.manifest.contents.row_counts = {{"public.res_users", 3}};
    return outcome;
}

Result<RestoreOutcome> run_restore(const RestoreOrder& order, const JobHost&, Steps& steps,
                                   const SafetyBackupRunner& safety_backup) {
    RestoreOutcome outcome;
    TRY(steps.plan(plan_restore({})));
    if (order.safety_backup) {
        TRY(safety_backup(*order.safety_backup));
        outcome.safety_backup_id = order.safety_backup->backup_id;
    }
    TRY(steps.note("restore.swap", "how to go back"));
    TRY(FakeJobs::instance().pass(order.target.database, steps.stop_token()));
    return outcome;
}

Result<VerifyOutcome> run_verify(const VerifyOrder& order, const JobHost&, Steps& steps) {
    TRY(steps.plan(plan_verification(order.drill)));
    TRY(FakeJobs::instance().pass(order.environment.database, steps.stop_token()));
    return VerifyOutcome{};
}

Result<BaseBackupOutcome> run_base_backup(const BaseBackupOrder& order, const JobHost&, Steps& steps,
                                          const ArchiveMemory&) {
    TRY(steps.plan(plan_base_backup({}, false)));
    TRY(FakeJobs::instance().pass(order.cluster, steps.stop_token()));
    BaseBackupOutcome outcome;
    outcome.folder = "v1/local/clusters/1/base/" + order.backup_id;
    outcome.manifest.scope = "base";
    outcome.manifest.postgres.system_id = "1";
    outcome.manifest.postgres.start_lsn = outcome.manifest.postgres.end_lsn = "0/2000028";
    outcome.manifest.base = ManifestBase{};
    outcome.manifest.base->segment_bytes = wal::kDefaultSegmentBytes;
    return outcome;
}
Result<> run_copy(const CopyOrder&, const JobHost&, Steps&) { return {}; }
Result<> run_delete(const DeleteOrder&, const JobHost&, Steps&) { return {}; }
Result<> run_test_destination(const TestDestinationOrder&, const JobHost&) { return {}; }

Result<Swept> sweep_after_crash(const Facts& notes, const JobHost& host, const NoteWriter& note) {
    FakeJobs& jobs = FakeJobs::instance();
    if (jobs.sweep_fails) return Error(Errc::unavailable, "the destination is out of reach");
    ++jobs.sweeps;
    jobs.destinations_known = host.config.destinations.size();
    Swept swept;
    for (const auto& [key, value] : notes) {
        swept.done.push_back(key);
        if (key != "restore.swap") TRY(note(key, ""));
    }
    if (!notes.contains("restore.swap")) return swept;
    StepRecord commit;
    commit.name = step::kCatalogCommit;
    commit.status = StepStatus::completed;
    swept.completed = jobs.live_is_good;
    if (swept.completed) swept.steps = {commit};
    if (!swept.completed) swept.reverted = Error(Errc::unavailable, "no answer").with_reason("health_check_failed");
    return swept;
}

bool has_leftovers_below(const Facts& notes, const std::string& folder) { return notes.contains(folder); }

Result<> forget_leftovers(const Facts&, const std::vector<DestinationOrder>&, const NoteWriter& note) {
    return note("backup.folder", "");
}

std::optional<TimeMs> previous_kept_until(const Facts& notes) {
    if (!notes.contains("restore.swap")) return std::nullopt;
    return FakeJobs::instance().keep_until.load();
}

Result<> drop_previous(const Facts&, const JobHost&) {
    ++FakeJobs::instance().drops;
    return {};
}

Result<> undo_restore(const std::string&, const Facts& notes, const JobHost&, Steps&) {
    if (!notes.contains("restore.swap")) return Error(Errc::not_found, "no note");
    return {};
}

// A snapshot as the real job handles its shelf; it holds the database while it runs.
Result<SnapshotOutcome> run_snapshot(const SnapshotOrder& order, const JobHost&, Steps& steps, snapshot::Shelf& shelf) {
    OperationPlan plan;
    plan.operation = Operation::snapshot;
    plan.steps = {{std::string(step::kDbDump), true, 1}};
    TRY(steps.plan(plan));
    const std::string folder = "v1/org/project/env/snapshots/" + order.snapshot_id;
    TRY(shelf.begin(order, folder));
    const auto base = TRY(shelf.newest_full("v1/org/project/env"));
    if (base) TRY(shelf.lean_on(order.snapshot_id, base->snapshot_id));
    TRY(steps.run(step::kDbDump, [&]() -> Result<Testimony> {
        TRY(FakeJobs::instance().pass(order.environment.database, steps.stop_token()));
        return Testimony{"dumped", {}, {}, ""};
    }));
    SnapshotOutcome outcome;
    outcome.made.folder = folder;
    outcome.made.size_bytes = 9;
    outcome.made.manifest.filestore = ManifestFilestore{};
    outcome.made.manifest.filestore->mode = base ? "differential" : "full";
    TRY(shelf.complete(order.snapshot_id, outcome.made, ""));
    return outcome;
}

Result<RestoreOutcome> run_rollback(const RollbackOrder& order, const JobHost&, Steps& steps,
                                    const SafetySnapshotRunner& safety_snapshot) {
    RestoreOutcome outcome;
    TRY(steps.plan(plan_rollback({})));
    if (order.safety_snapshot) {
        TRY(safety_snapshot(*order.safety_snapshot));
        outcome.safety_backup_id = order.safety_snapshot->snapshot_id;
    }
    TRY(FakeJobs::instance().pass(order.target.database, steps.stop_token()));
    return outcome;
}

Result<> run_delete_snapshot(const DeleteSnapshotOrder& order, const JobHost&, Steps&, snapshot::Shelf& shelf) {
    TRY(shelf.begin_deletion(order.snapshot_id));
    return shelf.forget(order.snapshot_id);
}

Result<BackupOutcome> read_snapshot(const std::string& folder, const std::string&, const JobHost&) {
    BackupOutcome outcome;
    outcome.folder = folder;
    return outcome;
}

Result<> remove_unfinished_snapshot(const std::string&, const JobHost&) { return {}; }

}  // namespace backstay
