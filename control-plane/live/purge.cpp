#include "control-plane/live/purge.h"

#include <string_view>
#include <utility>

#include "common/sql/transaction.h"
#include "control-plane/store/audit.h"
#include "control-plane/store/idempotency.h"

namespace backstay::live {
namespace {

constexpr std::int64_t kRows = 500;
constexpr TimeMs kDayMs = 24LL * 3600 * 1000;
constexpr TimeMs kDeliveriesKeptMs = 30 * kDayMs;
constexpr TimeMs kAlertsKeptMs = 90 * kDayMs;

// What is forgotten by its age alone.
class Piece {
public:
    Piece(sql::Database& db, const RetentionSettings& keep, TimeMs now) : db_(db), keep_(keep), now_(now) {}

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

    sql::Database& db_;
    const RetentionSettings& keep_;
    TimeMs now_;
    bool more_ = false;
};

}  // namespace

Result<bool> Purge::some(sql::Database& db, TimeMs now) {
    if (!std::exchange(goes_on_, false)) {
        auto transaction = TRY(sql::Transaction::begin(db));
        const bool more = TRY(Piece(db, keep_, now).run());
        TRY(transaction.commit());
        if (more) return true;
    }
    goes_on_ = TRY(operations_.some(db, now));
    return goes_on_;
}

}  // namespace backstay::live
