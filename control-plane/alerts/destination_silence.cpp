#include "control-plane/alerts/destination_silence.h"

#include "common/text.h"
#include "control-plane/alerts/repository.h"
#include "control-plane/alerts/rules.h"
#include "control-plane/store/rows.h"

namespace backstay::alerts {
namespace {

constexpr std::size_t kMessageMost = 500;

}  // namespace

Result<> DestinationSilences::begin(std::string_view destination, std::string_view message, TimeMs now) {
    TRY(
        db_.run("INSERT INTO destination_silence (destination_id, since, message) SELECT id, $2, $3 FROM destinations "
                "WHERE id = $1 ON CONFLICT (destination_id) DO UPDATE SET message = excluded.message",
                {destination, now, cut_utf8(message, kMessageMost)}));
    return {};
}

Result<> DestinationSilences::end(std::string_view destination, TimeMs now) {
    if (TRY(db_.run("DELETE FROM destination_silence WHERE destination_id = $1", {destination})) == 0) return {};
    const auto organization =
        TRY(store::first_row(db_.query("SELECT organization_id FROM destinations WHERE id = $1", {destination}),
                             [](const sql::Statement& row) { return row.text(0); }));
    if (!organization) return {};
    const Relief relief{std::string(type::kDestinationUnreachable), std::string(destination), std::nullopt};
    return Alerts(db_).resolve(*organization, relief, now);
}

Result<> DestinationSilences::tell(TimeMs now) {
    struct Silent {
        std::string organization;
        SilentDestination destination;
    };
    const auto silent = TRY(store::all_rows(
        db_.query("SELECT d.organization_id, d.id, d.name, s.since, s.message FROM destination_silence s JOIN "
                  "destinations d ON d.id = s.destination_id WHERE s.since <= $1 AND d.deleted_at IS NULL",
                  {now - kUnreachableMs}),
        [](const sql::Statement& row) {
            return Silent{row.text(0), {row.text(1), row.text(2), row.integer(3), row.text(4)}};
        }));
    for (const Silent& one : silent) {
        TRY(Alerts(db_).apply(one.organization, judge_destination(one.destination, now), now));
    }
    return {};
}

}  // namespace backstay::alerts
