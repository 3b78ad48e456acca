#include "control-plane/own-backup/forget.h"

#include <algorithm>
#include <optional>

#include "common/domain/reasons.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/operations/lifecycle.h"
#include "control-plane/registry/registry.h"
#include "control-plane/store/organizations.h"
#include "control-plane/store/removal_hold.h"
#include "control-plane/store/rows.h"

namespace backstay::own_backup {
namespace {

constexpr TimeMs kTellAgainMs = 24LL * 3600 * 1000;
constexpr const char* kWhy =
    "the control plane was put back to an earlier state: look at what runs, then order it again";
constexpr const char* kWhyAlone = "the control plane was put back to an earlier state: the agent knows how this ended";

Result<std::vector<std::string>> ids_of(sql::Database& db, const std::string& sql) {
    return store::all_rows(db.query(sql), [](const sql::Statement& row) { return row.text(0); });
}

Result<std::vector<std::string>> unended(sql::Database& db, std::string_view kinds) {
    return ids_of(db, "SELECT id FROM operations WHERE status IN ('pending', 'running') AND kind IN (" +
                          std::string(kinds) + ")");
}

// Before the backup by a day, for clocks differ and jobs were under way; earlier for what was ordered earlier.
Result<TimeMs> moment_of(sql::Database& db, TimeMs made_at) {
    auto rows = TRY(
        db.query("SELECT MIN(created_at) FROM operations WHERE status IN ('pending', 'running') AND kind IN ('backup', "
                 "'snapshot')"));
    const TimeMs since = made_at - kTellAgainMs;
    return TRY(rows.step()) && !rows.is_null(0) ? std::min(since, rows.integer(0)) : since;
}

Result<> forget(sql::Database& db, const std::string& id) {
    for (const char* sql : {"DELETE FROM jobs WHERE operation_id = $1", "DELETE FROM copies WHERE backup_id = $1",
                            "DELETE FROM schedule_runs WHERE backup_id = $1 AND environment_id = (SELECT "
                            "environment_id FROM backups WHERE id = $1)",
                            "DELETE FROM backups WHERE id = $1", "DELETE FROM snapshots WHERE id = $1",
                            "DELETE FROM operations WHERE id = $1"}) {
        TRY(db.run(sql, {id}));
    }
    return {};
}

// What agents had begun by themselves: it is over there long since, and the reports of its end were taken already.
Result<std::vector<std::string>> alone(sql::Database& db) {
    return ids_of(db, "SELECT id FROM jobs WHERE state <> 'finished' AND fence = 0 AND state = 'accepted'");
}

// Both as failed, where they have not ended.
Result<> end(sql::Database& db, std::optional<operations::OperationRow> operation, std::optional<dispatch::Job> job,
             const char* why, TimeMs now) {
    if (operation && !operations::is_ended(*operation)) {
        TRY(operations::fail(db, *operation, reason::kAgentRestarted, why, now));
    }
    if (!job || job->state == dispatch::JobState::finished) return {};
    dispatch::finish(*job, "failed", reason::kAgentRestarted, why);
    return dispatch::update_job(db, *job);
}

Result<> end_alone(sql::Database& db, const std::string& id, TimeMs now) {
    auto job = TRY(dispatch::find_job(db, id));
    if (!job) return {};
    auto operation = TRY(operations::find_operation(db, job->operation_id));
    return end(db, std::move(operation), std::move(job), kWhyAlone, now);
}

Result<> stop(sql::Database& db, const std::string& id, TimeMs now) {
    auto operation = TRY(operations::find_operation(db, id));
    if (!operation) return {};
    auto job = TRY(dispatch::find_job(db, operation->job_id));
    return end(db, std::move(operation), std::move(job), kWhy, now);
}

}  // namespace

Result<Forgotten> forget_unfinished(sql::Transaction& transaction, TimeMs made_at, TimeMs now) {
    sql::Database& db = transaction.database();
    Forgotten done;
    done.tell_since = TRY(moment_of(db, made_at));
    for (const std::string& id : TRY(unended(db, "'backup', 'snapshot'"))) {
        TRY(forget(db, id));
        ++done.unmade;
    }
    for (const std::string& id : TRY(unended(db, "'restore', 'rollback', 'undo'"))) {
        TRY(stop(db, id, now));
        ++done.stopped;
    }
    for (const std::string& id : TRY(alone(db))) {
        TRY(end_alone(db, id, now));
        ++done.alone;
    }
    // An enrolment token may have been used since; and receivers were told what waited here.
    done.tokens =
        TRY(db.run("UPDATE enroll_tokens SET expires_at = $1 WHERE used_at IS NULL AND expires_at > $1", {now}));
    done.deliveries =
        TRY(db.run("UPDATE deliveries SET state = 'failed', finished_at = $1 WHERE state = 'queued'", {now}));
    TRY(store::hold_removals(db, now + store::kRemovalHoldMs));
    const std::string detail = "to its state of " + to_rfc3339(made_at);
    for (const store::Organization& organization : TRY(store::Organizations(db).list())) {
        TRY(registry::note(transaction, {"cli", "", now}, organization.id, "control_plane.restore", organization.id,
                           detail));
    }
    return done;
}

}  // namespace backstay::own_backup
