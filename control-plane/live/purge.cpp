#include "control-plane/live/purge.h"

#include <string>
#include <vector>

#include "common/sql/transaction.h"
#include "control-plane/store/audit.h"
#include "control-plane/store/idempotency.h"

namespace backstay::live {
namespace {

constexpr std::int64_t kRows = 500;
constexpr std::int64_t kOperations = 100;
constexpr TimeMs kDayMs = 24LL * 3600 * 1000;
constexpr TimeMs kDeliveriesKeptMs = 30 * kDayMs;
constexpr TimeMs kAlertsKeptMs = 90 * kDayMs;

// Operations that nothing stands on: neither a backup or a snapshot that exists nor a restore that can be undone, nor a
// rollback whose previous pair is kept. $1: before when
// they ended, $2: how many, $3: now.
constexpr const char* kUnneeded =
    "o.completed_at < $1 AND NOT EXISTS (SELECT 1 FROM backups b WHERE b.id = o.id AND b.deleted_at IS NULL) AND NOT "
    "EXISTS (SELECT 1 FROM snapshots s WHERE s.id = o.id AND s.deleted_at IS NULL) AND NOT EXISTS (SELECT 1 FROM "
    "rollbacks k WHERE k.id = o.id AND k.keep_until > $3) AND NOT "
    "EXISTS (SELECT 1 FROM restores r WHERE r.id = o.id AND r.undone_at IS NULL AND r.keep_until > $3) ORDER BY "
    "o.completed_at LIMIT $2";

class Purge {
public:
    Purge(sql::Database& db, const RetentionSettings& keep, TimeMs now) : db_(db), keep_(keep), now_(now) {}

    Result<bool> run() {
        TRY(forget_audit());
        TRY(remove_before(now_ - store::Idempotency::kKeptMs,
                          "DELETE FROM idempotency WHERE (credential, key) IN (SELECT credential, key FROM idempotency "
                          "WHERE created_at < $1 LIMIT $2)"));
        TRY(remove(keep_.tokens_days,
                   "DELETE FROM enroll_tokens WHERE id IN (SELECT id FROM enroll_tokens WHERE COALESCE(used_at, "
                   "expires_at) < $1 LIMIT $2)"));
        TRY(remove(keep_.tokens_days,
                   "DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys WHERE revoked_at < $1 OR expires_at < $1 "
                   "LIMIT $2)"));
        TRY(remove_before(now_ - kAlertsKeptMs,
                          "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE created_at < $1 AND "
                          "last_occurred_at < $1 AND (resolved_at IS NOT NULL OR dismissed_at IS NOT NULL OR severity "
                          "= 'info') LIMIT $2)"));
        TRY(remove(keep_.operations_days,
                   "DELETE FROM schedule_runs WHERE (environment_id, scope, due_at) IN (SELECT environment_id, scope, "
                   "due_at FROM schedule_runs WHERE decided_at < $1 LIMIT $2)"));
        TRY(remove_before(now_ - kDeliveriesKeptMs,
                          "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE finished_at < $1 LIMIT "
                          "$2)"));
        TRY(purge_steps());
        TRY(purge_operations());
        return more_;
    }

private:
    Result<> forget_audit() {
        if (keep_.audit_days == 0) return {};
        if (TRY(store::Audit(db_).forget(now_ - keep_.audit_days * kDayMs, kRows)) == kRows) more_ = true;
        return {};
    }
    Result<> remove(std::int64_t days, std::string_view sql) {
        if (days == 0) return {};
        return remove_before(now_ - days * kDayMs, sql);
    }
    Result<> remove_before(TimeMs before, std::string_view sql) {
        if (TRY(db_.run(sql, {before, kRows})) == kRows) more_ = true;
        return {};
    }

    Result<std::vector<std::string>> unneeded(std::int64_t days, std::string_view also) {
        const std::string sql = std::string("SELECT o.id FROM operations o WHERE ").append(also).append(kUnneeded);
        std::vector<std::string> ids;
        auto rows = TRY(db_.query(sql, {now_ - days * kDayMs, kOperations, now_}));
        while (TRY(rows.step())) ids.push_back(rows.text(0));
        if (static_cast<std::int64_t>(ids.size()) == kOperations) more_ = true;
        return ids;
    }

    Result<> forget_steps(const std::string& id) {
        TRY(db_.run("DELETE FROM steps WHERE operation_id = $1", {id}));
        // The last event stays: whoever follows the operation is told how it ended.
        TRY(db_.run(
            "DELETE FROM progress_events WHERE operation_id = $1 AND event_id < (SELECT event_id FROM operations "
            "WHERE id = $1)",
            {id}));
        TRY(db_.run("DELETE FROM jobs WHERE operation_id = $1 AND state = 'finished'", {id}));
        TRY(db_.run("UPDATE operations SET steps_purged_at = $2 WHERE id = $1", {id, now_}));
        return {};
    }

    Result<> purge_steps() {
        if (keep_.steps_days == 0) return {};
        for (const std::string& id : TRY(unneeded(keep_.steps_days, "o.steps_purged_at IS NULL AND "))) {
            TRY(forget_steps(id));
        }
        return {};
    }

    Result<> purge_operations() {
        if (keep_.operations_days == 0) return {};
        for (const std::string& id : TRY(unneeded(keep_.operations_days, ""))) {
            TRY(forget_steps(id));
            TRY(db_.run("DELETE FROM operations WHERE id = $1", {id}));
            TRY(db_.run("DELETE FROM restores WHERE id = $1", {id}));
            TRY(db_.run("DELETE FROM rollbacks WHERE id = $1", {id}));
            TRY(db_.run("DELETE FROM copies WHERE backup_id = $1", {id}));
            TRY(db_.run("DELETE FROM backups WHERE id = $1", {id}));
            TRY(db_.run("DELETE FROM snapshots WHERE id = $1", {id}));
        }
        return {};
    }

    sql::Database& db_;
    const RetentionSettings& keep_;
    TimeMs now_;
    bool more_ = false;
};

}  // namespace

Result<bool> purge_some(sql::Database& db, const RetentionSettings& keep, TimeMs now) {
    auto transaction = TRY(sql::Transaction::begin(db));
    const bool more = TRY(Purge(db, keep, now).run());
    TRY(transaction.commit());
    return more;
}

}  // namespace backstay::live
