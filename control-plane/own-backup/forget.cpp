#include "control-plane/own-backup/forget.h"

#include "common/domain/reasons.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/operations/lifecycle.h"
#include "control-plane/registry/registry.h"
#include "control-plane/store/organizations.h"

namespace backstay::own_backup {
namespace {

using operations::Kind;

constexpr const char* kWhy =
    "the control plane was put back to an earlier state: look at what runs, then order it again";
constexpr const char* kWhyAlone = "the control plane was put back to an earlier state: the agent knows how this ended";

Result<std::vector<std::string>> unended(sqlite::Database& db, std::string_view kinds) {
    std::vector<std::string> ids;
    const std::string sql =
        "SELECT id FROM operations WHERE status IN ('pending', 'running') AND kind IN (" + std::string(kinds) + ")";
    auto rows = TRY(db.query(sql));
    while (TRY(rows.step())) ids.push_back(rows.text(0));
    return ids;
}

Result<> forget(sqlite::Database& db, const std::string& id) {
    for (const char* sql : {"DELETE FROM jobs WHERE operation_id = $1", "DELETE FROM copies WHERE backup_id = $1",
                            "DELETE FROM schedule_runs WHERE backup_id = $1", "DELETE FROM backups WHERE id = $1",
                            "DELETE FROM snapshots WHERE id = $1", "DELETE FROM operations WHERE id = $1"}) {
        TRY(db.run(sql, {id}));
    }
    return {};
}

// What agents had begun by themselves: it is over there long since, and the reports of its end were taken already.
Result<std::vector<std::string>> alone(sqlite::Database& db) {
    std::vector<std::string> ids;
    auto rows = TRY(db.query("SELECT id FROM jobs WHERE fence = 0 AND state = 'accepted'"));
    while (TRY(rows.step())) ids.push_back(rows.text(0));
    return ids;
}

Result<> end_alone(sqlite::Database& db, const std::string& id, TimeMs now) {
    auto job = TRY(dispatch::find_job(db, id));
    if (!job) return {};
    auto operation = TRY(operations::find_operation(db, job->operation_id));
    if (operation && !operations::is_ended(*operation)) {
        TRY(operations::fail(db, *operation, reason::kAgentRestarted, kWhyAlone, now));
    }
    dispatch::finish(*job, "failed", reason::kAgentRestarted, kWhyAlone);
    return dispatch::update_job(db, *job);
}

Result<> stop(sqlite::Database& db, const std::string& id, TimeMs now) {
    auto operation = TRY(operations::find_operation(db, id));
    if (!operation) return {};
    TRY(operations::fail(db, *operation, reason::kAgentRestarted, kWhy, now));
    auto job = TRY(dispatch::find_job(db, operation->job_id));
    if (!job || job->state == dispatch::JobState::finished) return {};
    dispatch::finish(*job, "failed", reason::kAgentRestarted, kWhy);
    return dispatch::update_job(db, *job);
}

}  // namespace

Result<Forgotten> forget_unfinished(sqlite::Transaction& transaction, TimeMs made_at, TimeMs now) {
    sqlite::Database& db = transaction.database();
    Forgotten done;
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
    const std::string detail = "to its state of " + to_rfc3339(made_at);
    for (const store::Organization& organization : TRY(store::Organizations(db).list())) {
        TRY(registry::note(transaction, {"cli", "", now}, organization.id, "control_plane.restore", organization.id,
                           detail));
    }
    return done;
}

}  // namespace backstay::own_backup
