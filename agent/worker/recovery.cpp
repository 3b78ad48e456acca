#include "agent/worker/recovery.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/jobs/jobs.h"
#include "agent/jobs/snapshots.h"
#include "agent/state/backups.h"
#include "agent/state/evidence.h"
#include "agent/state/jobs.h"
#include "agent/state/snapshots.h"
#include "agent/worker/catalogue.h"
#include "common/domain/reasons.h"
#include "common/log.h"

namespace backstay {
namespace {

// Marks an operation whose leftovers are not swept yet.
constexpr std::string_view kDueNote = "agent.sweep_due";
constexpr TimeMs kAgainMs = 300'000;

// Nothing: it failed, and is due.
Result<std::optional<Swept>> sweep(sqlite::Database& database, const OperationEvidence& operation,
                                   const AgentConfig& config, const Settings& settings) {
    EvidenceRepository evidence(database);
    const std::string& id = operation.operation_id;
    Facts notes = operation.notes;
    notes.erase(std::string(kDueNote));
    if (notes.empty()) {
        TRY(evidence.note(id, std::string(kDueNote), ""));
        return std::optional<Swept>(Swept{});
    }
    // Snapshots leave their notes about a folder that no destination needs to name.
    AgentConfig opened = config;
    opened.local_roots.push_back(snapshot_folder(config));
    auto swept = sweep_after_crash(notes, settings.host(opened), [&](const std::string& key, const std::string& value) {
        return evidence.note(id, key, value);
    });
    if (!swept) log::warning("sweep failed", {{"operation", id}, {"error", swept.error().message()}});
    if (swept) {
        for (const std::string& what : swept->done) log::info("swept", {{"operation", id}, {"what", what}});
    }
    TRY(evidence.note(id, std::string(kDueNote), swept && swept->clean ? "" : "true"));
    if (!swept) return std::optional<Swept>();
    TRY(catalogue_copies(database, swept->copies));
    return std::optional<Swept>(std::move(*swept));
}

const StepRecord* completed_step(const OperationEvidence& operation, std::string_view name) {
    for (const StepRecord& step : operation.steps) {
        if (step.name == name && step.status == StepStatus::completed) return &step;
    }
    return nullptr;
}

// What the sweep did in the restore's stead, as far as it was planned and had not been done.
Result<> add_steps(EvidenceRepository& evidence, const JobRow& job, const OperationEvidence& operation,
                   const Swept& swept, TimeMs now) {
    if (!operation.plan) return {};
    for (StepRecord step : swept.steps) {
        const auto& planned = operation.plan->steps;
        const auto plan =
            std::find_if(planned.begin(), planned.end(), [&](const StepPlan& one) { return one.name == step.name; });
        if (plan == planned.end() || completed_step(operation, step.name) != nullptr) continue;
        step.required = plan->required;
        step.attempt = job.attempt;
        TRY(evidence.step(operation.operation_id, step, now));
    }
    return {};
}

void describe_completed(const OperationEvidence& operation, control_plane::JobFinish& finish) {
    finish = {};
    finish.outcome = control_plane::JobOutcome::succeeded;
    finish.notes = {"the agent died after the swap; what was live was proven and committed when it came back"};
    for (const auto& [name, fact] :
         {std::pair{step::kSafetyBackup, "backup_id"}, std::pair{step::kSafetySnapshot, "snapshot_id"}}) {
        const StepRecord* safety = completed_step(operation, name);
        if (safety == nullptr) continue;
        const auto id = safety->facts.find(fact);
        if (id != safety->facts.end()) finish.safety_backup_id = id->second;
    }
}

void describe_reverted(const Error& why, control_plane::JobFinish& finish) {
    finish.outcome = control_plane::JobOutcome::failed;
    finish.reason = why.reason().empty() ? std::string(reason::kRestoreFailed) : why.reason();
    finish.error_message = "the agent died after the swap, and what was live could not be proven: " + why.message();
    finish.transient = false;
    finish.reverted = true;
}

// A snapshot is whole on the host from its commit on: only its copies died with the process. It must become known, or
// its files would lie there unseen.
Result<bool> describe_survivor(sqlite::Database& database, const std::string& id, const JobHost& host, TimeMs now,
                               control_plane::JobFinish& finish) {
    auto operation = TRY(EvidenceRepository(database).of(id));
    if (!operation || !TRY(catalogue_survivor(database, *operation, now))) return false;
    const auto row = TRY(SnapshotRepository(database).find(id));
    if (!row) return false;
    auto outcome = TRY(read_snapshot(row->folder, id, host));
    outcome.size_bytes = row->size_bytes;
    finish = {};
    finish.outcome = control_plane::JobOutcome::succeeded;
    describe_backup(outcome, finish);
    return true;
}

// A safety backup that entered the catalogue is there for good.
Result<bool> describe_kept_backup(sqlite::Database& database, const std::string& id, control_plane::JobFinish& finish) {
    const auto row = BackupRepository(database).look_up(id);
    if (!row) return row.error().code() == Errc::not_found ? Result<bool>(false) : row.error();
    BackupOutcome outcome;
    outcome.folder = row->folder;
    outcome.size_bytes = row->size_bytes;
    outcome.manifest = TRY(json::decode<Manifest>(json::Value(row->manifest), json::kLenient));
    finish = {};
    finish.outcome = control_plane::JobOutcome::succeeded;
    describe_backup(outcome, finish);
    finish.manifest = row->manifest;
    return true;
}

control_plane::JobFinish died(const JobRow& job) {
    control_plane::JobFinish finish;
    finish.outcome = control_plane::JobOutcome::interrupted;
    finish.reason = reason::kAgentRestarted;
    finish.transient = true;
    finish.error_message = "the agent died while the job was ";
    finish.error_message += job.state == JobState::queued ? "waiting" : "running";
    return finish;
}

// The safety copy inside a restore or a rollback: nobody else says how that ended. One whose end was told before is
// told once more, which changes nothing.
Result<> settle_inner(sqlite::Database& database, const JobRow& job, const std::string& id, const Settings& settings) {
    const AgentConfig config = settings.config();
    const TimeMs now = settings.clock().now_ms();
    control_plane::JobFinish finish = died(job);
    const auto survived = job.kind == "rollback" ? describe_survivor(database, id, settings.host(config), now, finish)
                                                 : describe_kept_backup(database, id, finish);
    if (!survived) finish.error_message += "; it cannot be read: " + survived.error().message();
    return JobRepository(database).finish_inner(job.job_id, id, finish, now);
}

Result<> settle(sqlite::Database& database, const JobRow& job, const Settings& settings) {
    EvidenceRepository evidence(database);
    const AgentConfig config = settings.config();
    const TimeMs now = settings.clock().now_ms();
    control_plane::JobFinish finish = died(job);
    for (const OperationEvidence& operation : TRY(evidence.of_job(job.job_id))) {
        TRY(evidence.settle(operation.operation_id, std::string(reason::kAgentRestarted),
                            "the agent died under this step", now));
        const auto swept = TRY(sweep(database, operation, config, settings));
        const bool own = operation.operation_id == job.operation_id;
        if (own && job.kind == "snapshot") {
            const auto survived =
                describe_survivor(database, operation.operation_id, settings.host(config), now, finish);
            if (survived && *survived) continue;
            if (!survived) finish.error_message += "; it cannot be read: " + survived.error().message();
        }
        const bool restores = own && (job.kind == "restore" || job.kind == "rollback");
        // Its notes may be gone already: the last thing that a restore does is to drop what it need not keep.
        const bool stood = restores && completed_step(operation, step::kCatalogCommit) != nullptr;
        if (swept) TRY(add_steps(evidence, job, operation, *swept, now));
        if (restores && swept && swept->reverted) {
            describe_reverted(*swept->reverted, finish);
        } else if (stood || (restores && swept && swept->completed)) {
            describe_completed(operation, finish);
            continue;
        }
        if (!own) TRY(settle_inner(database, job, operation.operation_id, settings));
        if (!swept) finish.error_message += "; what it left could not be settled yet and is tried again";
        for (const std::string& what : swept ? swept->done : std::vector<std::string>()) {
            finish.error_message += "; " + what;
        }
    }
    TRY(JobRepository(database).finish(job.job_id, finish, now));
    log::warning("job settled after the agent died",
                 {{"job", job.job_id},
                  {"kind", job.kind},
                  {"database", job.database},
                  {"outcome", boost::describe::enum_to_string(finish.outcome, "")}});
    return {};
}

}  // namespace

Result<> settle_after_crash(sqlite::Database& database, const Settings& settings, const std::vector<JobRow>& left) {
    for (const JobRow& job : left) {
        TRY(settle(database, job, settings).context(fmt::format("settle job {}", job.job_id)));
    }
    return {};
}

Result<> mark_leftovers(sqlite::Database& database, const std::string& job_id) {
    EvidenceRepository evidence(database);
    for (const OperationEvidence& operation : TRY(evidence.of_job(job_id))) {
        // A pair that is kept for the way back is no leftover.
        if (operation.notes.empty() || previous_kept_until(operation.notes)) continue;
        log::info("leftovers of a job are due", {{"job", job_id}, {"operation", operation.operation_id}});
        TRY(evidence.note(operation.operation_id, std::string(kDueNote), "true"));
    }
    return {};
}

Result<bool> sweep_due(sqlite::Database& database, const Settings& settings, const SweepScope& scope) {
    EvidenceRepository evidence(database);
    AgentConfig config = settings.config();
    config.destinations.insert(config.destinations.end(), scope.destinations.begin(), scope.destinations.end());
    bool clean = true;
    for (const std::string& id : TRY(sweeps_due(database))) {
        const auto operation = TRY(evidence.of(id));
        if (!operation) continue;
        const bool written = std::any_of(scope.busy_folders.begin(), scope.busy_folders.end(), [&](const auto& folder) {
            return has_leftovers_below(operation->notes, folder);
        });
        if (written || scope.busy.contains(id)) {
            clean = false;
            continue;
        }
        const auto swept = TRY(sweep(database, *operation, config, settings));
        clean = clean && swept && swept->clean;
    }
    return clean;
}

Result<std::vector<std::string>> sweeps_due(sqlite::Database& database) {
    return EvidenceRepository(database).noted_operations(std::string(kDueNote));
}

Result<std::vector<KeptPair>> kept_pairs(sqlite::Database& database) {
    EvidenceRepository evidence(database);
    std::vector<KeptPair> pairs;
    for (const std::string& id : TRY(evidence.noted_operations(""))) {
        const auto operation = TRY(evidence.of(id));
        const auto until = operation ? previous_kept_until(operation->notes) : std::nullopt;
        if (until) pairs.push_back({id, *until});
    }
    return pairs;
}

Result<std::optional<TimeMs>> drop_expired_pairs(sqlite::Database& database, const Settings& settings) {
    EvidenceRepository evidence(database);
    const AgentConfig config = settings.config();
    const TimeMs now = settings.clock().now_ms();
    std::optional<TimeMs> next;
    for (const KeptPair& pair : TRY(kept_pairs(database))) {
        const std::string& id = pair.operation_id;
        TimeMs due = pair.until;
        if (due <= now) {
            const auto operation = TRY(evidence.of(id));
            if (!operation) continue;
            const auto dropped = drop_previous(operation->notes, settings.host(config));
            if (dropped) {
                log::info("previous pair dropped", {{"operation", id}});
                for (const auto& [key, value] : operation->notes) TRY(evidence.note(id, key, ""));
                continue;
            }
            log::warning("previous pair not dropped", {{"operation", id}, {"error", dropped.error().message()}});
            due = now + kAgainMs;
        }
        next = next ? std::min(*next, due) : due;
    }
    return next;
}

}  // namespace backstay
