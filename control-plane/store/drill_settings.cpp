#include "control-plane/store/drill_settings.h"

#include "control-plane/store/rows.h"

namespace backstay::store {
namespace {

DrillSettings read_row(const sql::Statement& row) {
    return {row.text(0), row.text(1), row.integer(2), row.optional_integer(3), row.integer(4)};
}

}  // namespace

Result<std::optional<DrillSettings>> DrillSettingsOf::find(std::string_view environment) {
    return first_row(db_.query("SELECT environment_id, organization_id, every_days, next_at, updated_at FROM "
                               "drill_settings WHERE environment_id = $1",
                               {environment}),
                     read_row);
}

Result<> DrillSettingsOf::put(const DrillSettings& settings) {
    TRY(
        db_.run("INSERT INTO drill_settings (environment_id, organization_id, every_days, next_at, updated_at) VALUES "
                "($1, $2, $3, $4, $5) ON CONFLICT (environment_id) DO UPDATE SET every_days = excluded.every_days, "
                "next_at = excluded.next_at, updated_at = excluded.updated_at",
                {settings.environment_id, settings.organization_id, settings.every_days, settings.next_at,
                 settings.updated_at}));
    return {};
}

Result<> DrillSettingsOf::set_next(std::string_view environment, TimeMs at) {
    TRY(db_.run("UPDATE drill_settings SET next_at = $2 WHERE environment_id = $1 AND every_days > 0",
                {environment, at}));
    return {};
}

Result<std::vector<DrillSettings>> DrillSettingsOf::due(TimeMs now) {
    return all_rows(
        db_.query("SELECT d.environment_id, d.organization_id, d.every_days, d.next_at, d.updated_at FROM "
                  "drill_settings d JOIN environments e ON e.id = d.environment_id AND e.deleted_at IS NULL WHERE "
                  "d.next_at <= $1 ORDER BY d.next_at",
                  {now}),
        read_row);
}

Result<std::vector<DrillSettings>> DrillSettingsOf::active() {
    return all_rows(
        db_.query("SELECT d.environment_id, d.organization_id, d.every_days, d.next_at, d.updated_at FROM "
                  "drill_settings d JOIN environments e ON e.id = d.environment_id AND e.deleted_at IS NULL WHERE "
                  "d.every_days > 0"),
        read_row);
}

}  // namespace backstay::store
