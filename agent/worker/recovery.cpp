#include "agent/worker/recovery.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/jobs/jobs.h"
#include "agent/state/evidence.h"
#include "agent/state/jobs.h"
#include "common/domain/reasons.h"
#include "common/log.h"

namespace backstay {
namespace {

// Marks an operation whose leftovers are not swept yet.
constexpr std::string_view kDueNote = "agent.sweep_due";
constexpr TimeMs kAgainMs = 300'000;

// True when it is clean now.
Result<bool> sweep(EvidenceRepository& evidence, const OperationEvidence& operation, const Settings& settings,
                   std::vector<std::string>& done) {
    const AgentConfig config = settings.config();
    Facts notes = operation.notes;
    notes.erase(std::string(kDueNote));
    auto swept = notes.empty() ? Result<std::vector<std::string>>(std::vector<std::string>())
                               : sweep_after_crash(notes, settings.host(config));
    if (!swept) {
        log::warning("sweep failed", {{"operation", operation.operation_id}, {"error", swept.error().message()}});
        TRY(evidence.note(operation.operation_id, std::string(kDueNote), "true"));
        return false;
    }
    for (std::string& what : *swept) {
        log::info("swept", {{"operation", operation.operation_id}, {"what", what}});
        done.push_back(std::move(what));
    }
    TRY(evidence.note(operation.operation_id, std::string(kDueNote), ""));
    return true;
}

Result<> settle(sqlite::Database& database, const JobRow& job, const Settings& settings) {
    EvidenceRepository evidence(database);
    const TimeMs now = settings.clock().now_ms();
    control_plane::JobFinish finish;
    finish.outcome = control_plane::JobOutcome::interrupted;
    finish.reason = reason::kAgentRestarted;
    finish.transient = true;
    finish.error_message = "the agent died while the job was ";
    finish.error_message += job.state == JobState::queued ? "waiting" : "running";
    std::vector<std::string> done;
    for (const OperationEvidence& operation : TRY(evidence.of_job(job.job_id))) {
        TRY(evidence.settle(operation.operation_id, std::string(reason::kAgentRestarted),
                            "the agent died under this step", now));
        TRY(sweep(evidence, operation, settings, done));
    }
    for (const std::string& what : done) finish.error_message += "; " + what;
    TRY(JobRepository(database).finish(job.job_id, finish, now));
    log::warning("job interrupted", {{"job", job.job_id}, {"kind", job.kind}, {"database", job.database}});
    return {};
}

}  // namespace

Result<> settle_after_crash(sqlite::Database& database, const Settings& settings, const std::vector<JobRow>& left) {
    for (const JobRow& job : left) {
        TRY(settle(database, job, settings).context(fmt::format("settle job {}", job.job_id)));
    }
    return {};
}

Result<bool> sweep_due(sqlite::Database& database, const Settings& settings) {
    EvidenceRepository evidence(database);
    bool clean = true;
    for (const std::string& id : TRY(evidence.noted_operations(std::string(kDueNote)))) {
        const auto operation = TRY(evidence.of(id));
        std::vector<std::string> done;
        if (operation) clean = TRY(sweep(evidence, *operation, settings, done)) && clean;
    }
    return clean;
}

Result<std::optional<TimeMs>> drop_expired_pairs(sqlite::Database& database, const Settings& settings) {
    EvidenceRepository evidence(database);
    const AgentConfig config = settings.config();
    const TimeMs now = settings.clock().now_ms();
    std::optional<TimeMs> next;
    for (const std::string& id : TRY(evidence.noted_operations(""))) {
        const auto operation = TRY(evidence.of(id));
        const auto until = operation ? previous_kept_until(operation->notes) : std::nullopt;
        if (!until) continue;
        TimeMs due = *until;
        if (due <= now) {
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
