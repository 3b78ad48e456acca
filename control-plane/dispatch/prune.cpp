#include "control-plane/dispatch/prune.h"

#include "common/log.h"
#include "control-plane/alerts/repository.h"
#include "control-plane/alerts/rules.h"
#include "control-plane/dispatch/order_removal.h"
#include "control-plane/operations/history.h"
#include "control-plane/retention/verdicts.h"
#include "control-plane/store/audit.h"
#include "control-plane/store/environments.h"
#include "control-plane/store/policies.h"
#include "control-plane/store/removal_hold.h"
#include "control-plane/store/rows.h"

namespace backstay::dispatch {
namespace {

using operations::BackupRow;

constexpr std::int64_t kRemovedAtOnce = 100;
constexpr std::int64_t kEnvironmentsAtOnce = 10;
constexpr std::string_view kPerformer = "retention";

Result<> note_removal(sql::Database& db, const BackupRow& row, const std::string& why, TimeMs now) {
    store::AuditEntry entry;
    entry.organization_id = row.organization_id;
    entry.at = now;
    entry.actor = "system";
    entry.action = "backup.prune";
    entry.object_id = row.id;
    entry.detail = why;
    return store::Audit(db).add(entry);
}

// Nobody can remove it: people must know, for it goes on to cost space.
Result<> tell_blocked(sql::Database& db, const BackupRow& row, const Error& error, TimeMs now) {
    alerts::Ended ended;
    ended.backup_id = row.id;
    ended.status = "failed";
    ended.reason = error.reason();
    ended.message = error.message();
    if (row.environment_id) {
        const auto found = TRY(store::Environments(db).find_any(row.organization_id, *row.environment_id));
        if (found) ended.environment = {found->id, found->project_id, found->name, found->type};
    }
    return alerts::Alerts(db).apply(row.organization_id, alerts::judge_deletion(ended, true), now);
}

// True: its removal is ordered.
Result<bool> let_go(sql::Database& db, const std::string& id, const std::string& why, TimeMs now, Stir& stir) {
    auto row = TRY(operations::find_backup_row(db, id));
    if (!row) return false;
    const auto left = remove_backup(db, *row, kPerformer, now, stir);
    if (!left && left.error().reason() != "no_agent") return left.error();
    if (!left) {
        TRY(tell_blocked(db, *row, left.error(), now));
        return false;
    }
    TRY(note_removal(db, *row, left->empty() ? why : why + "; its files stay in " + *left, now));
    return true;
}

Result<> note_pruned(sql::Database& db, std::string_view environment_id, TimeMs now) {
    TRY(db.run(
        "INSERT INTO prunes (environment_id, at) VALUES ($1, $2) ON CONFLICT (environment_id) DO UPDATE SET at = "
        "excluded.at",
        {environment_id, now}));
    return {};
}

struct Due {
    std::string environment_id;
    bool is_first = false;
};

Result<std::vector<Due>> due_environments(sql::Database& db, TimeMs now) {
    static constexpr std::string_view kSql =
        "SELECT s.environment_id, p.at IS NULL FROM schedules s JOIN environments e ON e.id = s.environment_id AND "
        "e.deleted_at IS NULL LEFT JOIN prunes p ON p.environment_id = s.environment_id LEFT JOIN "
        "organization_policies "
        "o ON o.organization_id = s.organization_id WHERE s.enabled = 1 AND s.paused = 0 AND (p.at IS NULL OR (p.at <= "
        "$1 AND s.updated_at <= $1 AND COALESCE(o.updated_at, 0) <= $1) OR EXISTS (SELECT 1 FROM backups b WHERE "
        "b.environment_id = "
        "s.environment_id AND b.completed_at > p.at AND b.status IN ('completed', 'partial') AND b.deleted_at IS "
        "NULL)) LIMIT $2";
    return store::all_rows(db.query(kSql, {now - kPruneEveryMs, kEnvironmentsAtOnce}), [](const sql::Statement& row) {
        return Due{row.text(0), row.boolean(1)};
    });
}

}  // namespace

Result<bool> prune_environment(sql::Database& db, const store::Schedule& schedule, TimeMs now, Stir& stir) {
    if (!retention::prunes(schedule)) return true;
    const auto numbers = TRY(store::numbers_of(db, schedule));
    const auto policy = TRY(retention::policy_of(schedule, numbers));
    std::int64_t removed = 0;
    for (const retention::BackupVerdict& verdict :
         TRY(retention::judge_backups(db, schedule.environment_id, policy, now))) {
        if (verdict.keep) continue;
        if (removed == kRemovedAtOnce) return false;
        if (TRY(let_go(db, verdict.backup_id, verdict.reason, now, stir))) ++removed;
    }
    return true;
}

Result<> prune_due(sql::Database& db, TimeMs now, Stir& stir) {
    if (TRY(store::removals_held_until(db, now))) return {};
    for (const Due& due : TRY(due_environments(db, now))) {
        const auto schedule = TRY(store::Schedules(db).find(due.environment_id));
        bool done = true;
        if (schedule && !due.is_first) {
            auto pruned = sql::apart(db, [&] { return prune_environment(db, *schedule, now, stir); });
            // A policy that cannot be read deletes nothing, and must not stop the others.
            if (!pruned && pruned.error().code() != Errc::invalid) return std::move(pruned).error();
            if (!pruned) {
                log::error("not pruned", {{"environment", due.environment_id}, {"error", pruned.error().message()}});
            }
            done = !pruned || *pruned;
        }
        if (done) TRY(note_pruned(db, due.environment_id, now));
    }
    return {};
}

Result<> remove_failed_history(sql::Database& db, TimeMs now, Stir& stir) {
    if (TRY(store::removals_held_until(db, now))) return {};
    const auto ids = TRY(store::all_rows(
        db.query(
            "SELECT id FROM backups WHERE status IN ('failed', 'cancelled') AND deleted_at IS NULL AND created_at < "
            "$1 AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.backup_id = backups.id AND state <> 'finished') "
            "ORDER BY created_at LIMIT $2",
            {now - kFailedKeptMs, kRemovedAtOnce}),
        [](const sql::Statement& row) { return row.text(0); }));
    for (const std::string& id : ids) {
        if (TRY(let_go(db, id, "it failed more than 30 days ago", now, stir))) continue;
        // Nobody is left who could look for what it left behind.
        TRY(db.run("UPDATE backups SET status = 'deleted', deleted_at = $2 WHERE id = $1", {id, now}));
    }
    return {};
}

}  // namespace backstay::dispatch
