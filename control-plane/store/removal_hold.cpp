#include "control-plane/store/removal_hold.h"

namespace backstay::store {

Result<std::optional<TimeMs>> removals_held_until(sql::Database& db, TimeMs now) {
    auto rows = TRY(db.query("SELECT until FROM removal_hold WHERE until > $1", {now}));
    if (!TRY(rows.step())) return std::optional<TimeMs>();
    return std::optional<TimeMs>(rows.integer(0));
}

Result<> hold_removals(sql::Database& db, TimeMs until) {
    TRY(db.run(
        "INSERT INTO removal_hold (one, until) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET until = excluded.until",
        {until}));
    return {};
}

Result<bool> release_removals(sql::Database& db, TimeMs now) {
    const bool held = TRY(removals_held_until(db, now)).has_value();
    TRY(db.run("DELETE FROM removal_hold"));
    return held;
}

}  // namespace backstay::store
