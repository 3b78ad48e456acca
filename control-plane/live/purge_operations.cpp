#include "control-plane/live/purge_operations.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/sql/transaction.h"
#include "control-plane/store/rows.h"

namespace backstay::live {
namespace {

constexpr TimeMs kDayMs = 24LL * 3600 * 1000;
constexpr TimeMs kPassMs = kDayMs;
constexpr std::size_t kLookedAt = 1000;
constexpr std::size_t kForgotten = 100;

// Nothing stands on the operation o. $1: now.
constexpr std::string_view kUnneeded =
    "NOT EXISTS (SELECT 1 FROM backups b WHERE b.id = o.id AND b.deleted_at IS NULL) AND NOT EXISTS (SELECT 1 FROM "
    "snapshots s WHERE s.id = o.id AND s.deleted_at IS NULL) AND NOT EXISTS (SELECT 1 FROM rollbacks k WHERE k.id = "
    "o.id AND k.keep_until > $1) AND NOT EXISTS (SELECT 1 FROM restores r WHERE r.id = o.id AND r.undone_at IS NULL "
    "AND r.keep_until > $1)";

// 0 days: it stays for ever.
bool is_past(TimeMs completed_at, std::int64_t days, TimeMs now) {
    return days != 0 && completed_at < now - days * kDayMs;
}

// Nor did it begin anew.
Result<bool> still_unneeded(sql::Database& db, const std::string& id, TimeMs completed_at, TimeMs now) {
    const std::string sql =
        std::string("SELECT count(*) FROM operations o WHERE o.id = $2 AND o.completed_at = $3 AND ").append(kUnneeded);
    return TRY(store::count_of(db.query(sql, {now, id, completed_at}))) > 0;
}

Result<> forget_steps(sql::Database& db, const std::string& id, TimeMs now) {
    TRY(db.run("DELETE FROM steps WHERE operation_id = $1", {id}));
    // The last event stays: whoever follows the operation is told how it ended.
    TRY(db.run(
        "DELETE FROM progress_events WHERE operation_id = $1 AND event_id < (SELECT event_id FROM operations WHERE id "
        "= $1)",
        {id}));
    TRY(db.run("DELETE FROM jobs WHERE operation_id = $1 AND state = 'finished'", {id}));
    TRY(db.run("UPDATE operations SET steps_purged_at = $2 WHERE id = $1", {id, now}));
    return {};
}

Result<> forget_operation(sql::Database& db, const std::string& id) {
    constexpr std::array<std::string_view, 6> kStatements = {
        "DELETE FROM operations WHERE id = $1", "DELETE FROM restores WHERE id = $1",
        "DELETE FROM rollbacks WHERE id = $1",  "DELETE FROM copies WHERE backup_id = $1",
        "DELETE FROM backups WHERE id = $1",    "DELETE FROM snapshots WHERE id = $1",
    };
    for (const std::string_view sql : kStatements) TRY(db.run(sql, {id}));
    return {};
}

}  // namespace

Result<bool> OperationPurge::some(sql::Database& db, TimeMs now) {
    if (!passing_) {
        if (!pass_is_due(now)) return false;
        passing_ = true;
        began_at_ = now;
        seen_completed_at_ = 0;
        seen_id_.clear();
    }
    auto ended = TRY(look(db, now));
    std::size_t looked_at = 0;
    std::vector<Ended> due;
    while (looked_at < ended.size() && due.size() < kForgotten) {
        const Ended& one = ended[looked_at++];
        if (is_due(one, now)) due.push_back(one);
    }
    if (!due.empty()) TRY(forget(db, due, now));
    passing_ = looked_at == kLookedAt || looked_at < ended.size();
    if (looked_at > 0) {
        seen_completed_at_ = ended[looked_at - 1].completed_at;
        seen_id_ = std::move(ended[looked_at - 1].id);
    }
    return passing_;
}

bool OperationPurge::pass_is_due(TimeMs now) const {
    if (keep_.steps_days == 0 && keep_.operations_days == 0) return false;
    const TimeMs age = now - began_at_;
    return age < 0 || age >= kPassMs;
}

// What ended later is too young for either.
TimeMs OperationPurge::looked_at_until(TimeMs now) const {
    const auto [fewer, more] = std::minmax(keep_.steps_days, keep_.operations_days);
    return now - (fewer == 0 ? more : fewer) * kDayMs;
}

bool OperationPurge::is_due(const Ended& one, TimeMs now) const {
    const bool steps = one.has_steps && is_past(one.completed_at, keep_.steps_days, now);
    return one.unneeded && (steps || is_past(one.completed_at, keep_.operations_days, now));
}

Result<std::vector<OperationPurge::Ended>> OperationPurge::look(sql::Database& db, TimeMs now) const {
    const std::string sql =
        std::string("SELECT o.id, o.completed_at, o.steps_purged_at IS NULL, ")
            .append(kUnneeded)
            .append(
                " FROM (SELECT id, completed_at, steps_purged_at FROM operations WHERE completed_at < $2 AND "
                "completed_at >= $3 AND (completed_at > $3 OR id > $4) ORDER BY completed_at, id LIMIT $5) o ORDER BY "
                "o.completed_at, o.id");
    return store::all_rows(
        db.query(sql, {now, looked_at_until(now), seen_completed_at_, seen_id_, static_cast<std::int64_t>(kLookedAt)}),
        [](const sql::Statement& row) {
            return Ended{row.text(0), row.integer(1), row.boolean(2), row.boolean(3)};
        });
}

Result<> OperationPurge::forget(sql::Database& db, const std::vector<Ended>& due, TimeMs now) const {
    auto transaction = TRY(sql::Transaction::begin(db));
    for (const Ended& one : due) {
        if (!TRY(still_unneeded(db, one.id, one.completed_at, now))) continue;
        TRY(forget_steps(db, one.id, now));
        if (is_past(one.completed_at, keep_.operations_days, now)) TRY(forget_operation(db, one.id));
    }
    return transaction.commit();
}

}  // namespace backstay::live
