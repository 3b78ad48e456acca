#include "control-plane/dispatch/retry_removals.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "control-plane/dispatch/order_removal.h"
#include "control-plane/dispatch/order_snapshot.h"
#include "control-plane/dispatch/rules.h"
#include "control-plane/operations/snapshots.h"
#include "control-plane/store/removal_hold.h"
#include "control-plane/store/rows.h"

namespace backstay::dispatch {
namespace {

constexpr std::int64_t kAtOnce = 50;
constexpr std::int64_t kDoublingsMost = 5;
constexpr const char* kPerformedBy = "system";

struct Tries {
    std::string id;
    std::int64_t failed = 0;
    TimeMs last_at = 0;
};

// Of this table: those that nobody works on, whose time has come.
Result<std::vector<std::string>> due(sql::Database& db, std::string_view table, TimeMs now) {
    const std::string sql = fmt::format(
        "SELECT s.id, COUNT(o.id), COALESCE(MAX(o.completed_at), 0) FROM {} s LEFT JOIN operations o ON "
        "o.backup_id = s.id AND o.kind = 'deletion' WHERE s.status = 'deleting' AND NOT EXISTS (SELECT 1 FROM jobs j "
        "WHERE j.backup_id = s.id AND j.state <> 'finished') GROUP BY s.id",
        table);
    const auto refused = TRY(store::all_rows(db.query(sql), [](const sql::Statement& row) {
        return Tries{row.text(0), row.integer(1), row.integer(2)};
    }));
    std::vector<std::string> ids;
    for (const Tries& tries : refused) {
        if (now >= tries.last_at + removal_retry_ms(tries.failed)) ids.push_back(tries.id);
    }
    return ids;
}

// `remove(id)` orders it; an agent that is not there is waited for.
template <class Remove>
Result<> order_again(const std::vector<std::string>& ids, Remove remove) {
    std::int64_t ordered = 0;
    for (const std::string& id : ids) {
        if (ordered == kAtOnce) break;
        const Result<> done = remove(id);
        if (!done && done.error().reason() != "no_agent") return done;
        if (done) ++ordered;
    }
    return {};
}

}  // namespace

std::int64_t removal_retry_ms(std::int64_t failed) {
    const std::int64_t doublings = std::clamp<std::int64_t>(failed - 1, 0, kDoublingsMost);
    return std::min(kHour << doublings, 24 * kHour);
}

Result<> retry_removals(sql::Database& db, TimeMs now, Stir& stir) {
    if (TRY(store::removals_held_until(db, now))) return {};
    const auto backups = TRY(due(db, "backups", now));
    TRY(order_again(backups, [&](const std::string& id) -> Result<> {
        auto row = TRY(operations::find_backup_row(db, id));
        if (row) TRY(remove_backup(db, *row, kPerformedBy, now, stir));
        return {};
    }));
    const auto snapshots = TRY(due(db, "snapshots", now));
    return order_again(snapshots, [&](const std::string& id) -> Result<> {
        auto row = TRY(operations::find_snapshot_row(db, id));
        if (row) TRY(remove_snapshot(db, *row, kPerformedBy, now, stir));
        return {};
    });
}

}  // namespace backstay::dispatch
