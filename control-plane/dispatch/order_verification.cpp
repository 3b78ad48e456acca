#include "control-plane/dispatch/order_verification.h"

#include <algorithm>
#include <set>
#include <vector>

#include "common/domain/orders.h"
#include "common/json/json.h"
#include "common/log.h"
#include "control-plane/dispatch/desk.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/dispatch/order_backup.h"
#include "control-plane/operations/verification.h"
#include "control-plane/store/agents.h"
#include "control-plane/store/environments.h"
#include "control-plane/store/rows.h"

namespace backstay::dispatch {
namespace {

using operations::BackupRow;

constexpr std::int64_t kLookedAtOnce = 50;
constexpr TimeMs kSubstituteAgainMs = 3'600'000;
constexpr std::string_view kPerformedBy = "system";

Result<EnvironmentOrder> environment_of(sql::Database& db, const BackupRow& backup) {
    if (!backup.environment_id) return EnvironmentOrder{};
    const auto environment = TRY(store::Environments(db).find_any(backup.organization_id, *backup.environment_id));
    return environment ? store::to_order(*environment) : EnvironmentOrder{};
}

// Due, and not of an agent that is away or busy.
Result<std::vector<std::string>> due_backups(sql::Database& db, TimeMs now) {
    static constexpr std::string_view kSql =
        "SELECT b.id FROM backups b WHERE b.next_check_at <= $1 AND b.deleted_at IS NULL AND b.status IN ('completed', "
        "'partial') AND NOT EXISTS (SELECT 1 FROM agents a WHERE a.id = b.agent_id AND a.deleted_at IS NULL AND "
        "a.seen_at < $2) AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.agent_id = b.agent_id AND j.state <> 'finished' "
        "AND j.kind NOT IN ('delete', 'delete_snapshot', 'undo', 'test_destination')) AND NOT EXISTS (SELECT 1 FROM "
        "jobs k WHERE k.backup_id = b.id AND k.state <> 'finished') ORDER BY b.next_check_at LIMIT $3";
    return store::all_rows(db.query(kSql, {now, now - kAliveMs, kLookedAtOnce}),
                           [](const sql::Statement& row) { return row.text(0); });
}

}  // namespace

Result<bool> agent_is_idle(sql::Database& db, const std::string& agent_id, TimeMs now) {
    const auto agent = TRY(store::Agents(db).by_id(agent_id));
    if (!agent || agent->seen_at < now - kAliveMs) return false;
    const auto jobs = TRY(unfinished_jobs_of_agent(db, agent_id));
    return std::all_of(jobs.begin(), jobs.end(), [](const Job& job) { return is_quick(job.kind); });
}

Result<std::string> order_verification(sql::Database& db, const BackupRow& backup, const Care& care, bool drill,
                                       std::string_view performed_by, TimeMs now, Stir& stir) {
    NewJob job = job_about(backup, operations::Kind::verification, "verify", care.agent_id, performed_by);
    job.operation.plan = plan_verification(drill);
    VerifyOrder order;
    order.verification_id = job.operation.id;
    order.backup_id = backup.id;
    order.folder = backup.folder;
    order.destinations = closed(care.where);
    order.drill = drill;
    order.environment = TRY(environment_of(db, backup));
    job.order = json::encode(order).as_object();
    TRY(enqueue(db, std::move(job), now, stir));
    return order.verification_id;
}

Result<> verify_due(sql::Database& db, TimeMs now, Stir& stir) {
    std::set<std::string> given;
    for (const std::string& id : TRY(due_backups(db, now))) {
        const auto backup = TRY(operations::find_backup_row(db, id));
        if (!backup || given.contains(backup->agent_id)) continue;
        const auto care = sql::apart(db, [&] { return care_for(db, *backup, true); });
        if (!care && care.error().reason() != "no_agent") {
            log::error("backup not verified", {{"backup", id}, {"error", care.error().message()}});
        }
        if (!care || care->where.empty() || backup->folder.empty()) {  // nobody reaches it now
            TRY(operations::set_next_check(db, id, now + operations::kVerifyAgainMs));
            continue;
        }
        if (!TRY(agent_is_idle(db, care->agent_id, now))) {
            // One that another agent cares for must not keep its place before all others.
            if (care->agent_id != backup->agent_id) TRY(operations::set_next_check(db, id, now + kSubstituteAgainMs));
            continue;
        }
        TRY(order_verification(db, *backup, *care, false, kPerformedBy, now, stir));
        log::info("backup to be verified again", {{"backup", id}, {"agent", care->agent_id}});
        given.insert(care->agent_id);
        given.insert(backup->agent_id);
    }
    return {};
}

}  // namespace backstay::dispatch
