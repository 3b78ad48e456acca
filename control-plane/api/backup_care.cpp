// What can be done with a backup that exists: delete, cancel, verify, copy.
#include <algorithm>
#include <set>

#include "common/domain/orders.h"
#include "control-plane/api/backups.h"
#include "control-plane/api/operation_scope.h"
#include "control-plane/api/scope.h"
#include "control-plane/dispatch/care.h"
#include "control-plane/dispatch/desk.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/dispatch/order_backup.h"
#include "control-plane/dispatch/order_removal.h"
#include "control-plane/dispatch/order_verification.h"

namespace backstay::api {
namespace {

using auth::Permission;
using operations::BackupRow;

bool is_restorable(const BackupRow& row) { return row.status == "completed" || row.status == "partial"; }

Result<> refuse_while_used(sql::Database& db, const BackupRow& backup) {
    const auto jobs = TRY(dispatch::unfinished_jobs_of_backup(db, backup.id));
    if (jobs.empty()) return {};
    if (jobs.front().kind == "backup") return conflict("backup_running", "the backup is still being made");
    return conflict("backup_in_use", jobs.front().kind + " " + jobs.front().operation_id + " works on this backup");
}

Result<http::Response> remove(Call& call, sql::Transaction& transaction, live::Live& live) {
    sql::Database& db = transaction.database();
    BackupRow backup = TRY(find_backup(call, db, call.param("backupId")));
    dispatch::Stir stir;
    if (backup.status == "pending") TRY(dispatch::cancel_job(db, backup.id, call.now, stir));
    const auto jobs = TRY(dispatch::unfinished_jobs_of_backup(db, backup.id));
    const bool deleting = std::any_of(jobs.begin(), jobs.end(), [](const auto& job) { return job.kind == "delete"; });
    if (deleting) return message_answer(202, "the backup is being deleted");
    if (backup.scope == "base" && is_restorable(backup)) {
        return conflict("backup_in_use", "WAL depends on this base backup: the agent removes it by walRetentionDays");
    }
    TRY(refuse_while_used(db, backup));
    backup = TRY(find_backup(call, db, call.param("backupId")));
    // Made inside another job: the safety copy of a restore that still runs.
    if (backup.status == "running") return conflict("backup_running", "the backup is still being made");
    const std::string left = TRY(dispatch::remove_backup(db, backup, call.principal.name, call.now, stir));
    const std::string stays = left.empty() ? "" : "its files stay in " + left;
    TRY(note_audit(call, db, "backup.delete", backup.id, stays));
    live.after_commit(call, stir);
    return message_answer(202, "the backup is marked for deletion" + (stays.empty() ? "" : "; " + stays));
}

Result<http::Response> cancel(Call& call, sql::Transaction& transaction, live::Live& live) {
    sql::Database& db = transaction.database();
    const BackupRow backup = TRY(find_backup(call, db, call.param("backupId")));
    if (backup.status != "pending" && backup.status != "running") {
        return conflict("not_running", "the backup has ended: " + backup.status);
    }
    const auto operation = TRY(operations::find_operation(db, backup.id));
    if (!operation || operation->job_id.empty()) return conflict("not_running", "no job makes this backup");
    const auto job = TRY(dispatch::find_job(db, operation->job_id));
    if (job && job->kind != "backup") return conflict("backup_in_use", "it is the safety copy of a running restore");
    dispatch::Stir stir;
    const bool ended = TRY(dispatch::cancel_job(db, operation->job_id, call.now, stir));
    TRY(note_audit(call, db, "backup.cancel", backup.id));
    live.after_commit(call, stir);
    return message_answer(202, ended ? "the backup is cancelled" : "the agent is asked to stop");
}

http::Response accepted(std::string_view member, const std::string& id, const BackupRow& backup,
                        std::string_view message) {
    json::Object answer;
    answer["backupId"] = backup.id;
    answer["message"] = message;
    answer[member] = id;
    return json_answer(202, json::Value(std::move(answer)));
}

struct VerifyRequest {
    bool drill = false;
};
BOOST_DESCRIBE_STRUCT(VerifyRequest, (), (drill))

Result<http::Response> verify(Call& call, sql::Transaction& transaction, live::Live& live) {
    sql::Database& db = transaction.database();
    const BackupRow backup = TRY(find_backup(call, db, call.param("backupId")));
    const auto request = TRY(body<VerifyRequest>(call));
    TRY(refuse_while_used(db, backup));
    // Also one that was found damaged: a new look may find it whole again.
    const dispatch::Care care = TRY(dispatch::care_for(db, backup, false));
    if (backup.folder.empty() || care.where.empty()) {
        return conflict("backup_not_verifiable", "no copy of this backup is known");
    }
    dispatch::Stir stir;
    const std::string id =
        TRY(dispatch::order_verification(db, backup, care, request.drill, call.principal.name, call.now, stir));
    TRY(note_audit(call, db, "backup.verify", backup.id));
    live.after_commit(call, stir);
    return accepted("verificationId", id, backup, "the verification is queued");
}

struct CopyRequest {
    std::optional<std::vector<std::string>> destination_ids;  // absent: those that the backup was meant for and lacks
};
BOOST_DESCRIBE_STRUCT(CopyRequest, (), (destination_ids))

Result<std::vector<std::string>> lacking(sql::Database& db, const BackupRow& backup,
                                         const std::set<std::string>& complete) {
    std::vector<std::string> out;
    const auto operation = TRY(operations::find_operation(db, backup.id));
    if (!operation) return out;
    for (const std::string& id : operation->plan.destination_ids) {
        if (!complete.contains(id)) out.push_back(id);
    }
    return out;
}

Result<http::Response> copy(Call& call, sql::Transaction& transaction, live::Live& live) {
    sql::Database& db = transaction.database();
    const BackupRow backup = TRY(find_backup(call, db, call.param("backupId")));
    const auto request = TRY(body<CopyRequest>(call));
    if (!is_restorable(backup)) return conflict("backup_not_copyable", "there is no complete copy to copy from");
    TRY(refuse_while_used(db, backup));
    const dispatch::Care care = TRY(dispatch::care_for(db, backup, true));
    const auto& from = care.where;
    if (from.empty()) return conflict("backup_not_copyable", "there is no complete copy to copy from");
    std::set<std::string> complete;
    for (const auto& row : from) complete.insert(row.id);
    auto wanted = request.destination_ids.value_or(std::vector<std::string>());
    if (wanted.empty()) wanted = TRY(lacking(db, backup, complete));
    if (wanted.empty()) return conflict("nothing_to_copy", "every destination of this backup holds it already");
    const auto to = TRY(choose_destinations(call, db, wanted));
    CopyOrder order;
    order.from = dispatch::closed(from);
    for (const auto& row : to) {
        if (!complete.contains(row.id)) order.to.push_back({row.id, row.name, row.type, {}});
    }
    if (order.to.empty()) return conflict("nothing_to_copy", "these destinations hold the backup already");
    dispatch::NewJob job =
        dispatch::job_about(backup, operations::Kind::copy, "copy", care.agent_id, call.principal.name);
    order.copy_id = job.operation.id;
    order.backup_id = backup.id;
    order.folder = backup.folder;
    job.order = json::encode(order).as_object();
    dispatch::Stir stir;
    TRY(dispatch::enqueue(db, std::move(job), call.now, stir));
    TRY(note_audit(call, db, "backup.copy", backup.id));
    live.after_commit(call, stir);
    return accepted("copyId", order.copy_id, backup, "the copy is queued");
}

}  // namespace

void add_backup_care_routes(RouteTable& routes, live::Live& live) {
    using Action = Result<http::Response> (*)(Call&, sql::Transaction&, live::Live&);
    const auto add = [&](std::string_view method, std::string_view pattern, Action action) {
        routes.add_write({method, pattern, Permission::manage_backups},
                         [&live, action](Call& call, sql::Transaction& t) { return action(call, t, live); });
    };
    add("DELETE", "/api/backups/{backupId}", remove);
    add("POST", "/api/backups/{backupId}/cancel", cancel);
    add("POST", "/api/backups/{backupId}/verify", verify);
    add("POST", "/api/backups/{backupId}/copy", copy);
}

}  // namespace backstay::api
