#include "control-plane/replicas/leadership.h"

#include "common/log.h"
#include "control-plane/store/rows.h"

namespace backstay::replicas {
namespace {

constexpr std::string_view kDuty = "upkeep";

}  // namespace

Result<std::optional<Term>> Leadership::hold(sql::Database& db, TimeMs now) {
    if (db.dialect() == sql::Dialect::sqlite) {
        return std::optional(Term{alone_since_.value_or(now), !alone_since_.has_value()});
    }
    const auto held = db.hold(kDuty);
    const bool leads = held && *held;
    if (leads != leads_) log::info(leads ? "leading: upkeep runs here" : "not leading", {{"replica", replica_}});
    leads_ = leads;
    TRY(held);
    if (!leads) return std::optional<Term>();
    return std::optional(TRY(stored_term(db, now)));
}

Result<Term> Leadership::stored_term(sql::Database& db, TimeMs now) const {
    const auto stored =
        TRY(store::first_row(db.query("SELECT seen_at, listening_since FROM upkeep WHERE duty = $1", {kDuty}),
                             [](const sql::Statement& row) { return std::pair(row.integer(0), row.integer(1)); }));
    if (!stored || now - stored->first > kNobodyMs) return Term{now, true};
    return Term{stored->second, false};
}

Result<> Leadership::note(sql::Database& db, const Term& term, TimeMs now) {
    if (db.dialect() == sql::Dialect::sqlite) {
        alone_since_ = term.listening_since;
        return {};
    }
    TRY(
        db.run("INSERT INTO upkeep (duty, replica_id, seen_at, listening_since) VALUES ($1, $2, $3, $4) ON CONFLICT "
               "(duty) DO UPDATE SET replica_id = excluded.replica_id, seen_at = excluded.seen_at, listening_since = "
               "excluded.listening_since",
               {kDuty, replica_, now, term.listening_since}));
    return {};
}

Result<std::string> last_leader(sql::Database& db) {
    const auto leader = TRY(store::first_row(db.query("SELECT replica_id FROM upkeep WHERE duty = $1", {kDuty}),
                                             [](const sql::Statement& row) { return row.text(0); }));
    return leader.value_or("");
}

}  // namespace backstay::replicas
