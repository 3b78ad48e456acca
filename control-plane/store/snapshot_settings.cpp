#include "control-plane/store/snapshot_settings.h"

#include "common/ids.h"
#include "common/json/json.h"
#include "control-plane/store/rows.h"

namespace backstay::store {

Result<std::optional<SnapshotSettings>> SnapshotSettingsOf::find(std::string_view environment) {
    auto rows =
        TRY(db_.query("SELECT id, environment_id, auto_enabled, failure_policy, max_pinned, retention_days, "
                      "timeout_seconds, destination_ids, created_at, updated_at FROM snapshot_settings WHERE "
                      "environment_id = $1",
                      {environment}));
    if (!TRY(rows.step())) return std::optional<SnapshotSettings>();
    SnapshotSettings out;
    out.id = rows.text(0);
    out.environment_id = rows.text(1);
    out.auto_enabled = rows.boolean(2);
    out.failure_policy = rows.text(3);
    out.max_pinned = rows.integer(4);
    out.retention_days = rows.integer(5);
    out.timeout_seconds = rows.integer(6);
    out.destination_ids = TRY(json::decode_text<std::vector<std::string>>(rows.text(7)));
    out.created_at = rows.integer(8);
    out.updated_at = rows.integer(9);
    return std::optional<SnapshotSettings>(std::move(out));
}

Result<SnapshotSettings> SnapshotSettingsOf::ensure(const Environment& environment, TimeMs now) {
    auto stored = TRY(find(environment.id));
    if (stored) return std::move(*stored);
    SnapshotSettings made;
    made.id = new_uuid();
    made.environment_id = environment.id;
    if (environment.type == "production") made.failure_policy = "block";
    made.created_at = made.updated_at = now;
    const std::string destinations = json::encode_text(made.destination_ids);
    TRY(
        db_.run("INSERT INTO snapshot_settings (environment_id, id, auto_enabled, failure_policy, max_pinned, "
                "retention_days, timeout_seconds, destination_ids, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, "
                "$6, $7, $8, $9, $9)",
                {made.environment_id, made.id, made.auto_enabled, made.failure_policy, made.max_pinned,
                 made.retention_days, made.timeout_seconds, destinations, now}));
    return made;
}

Result<> SnapshotSettingsOf::update(const SnapshotSettings& settings) {
    const std::string destinations = json::encode_text(settings.destination_ids);
    TRY(
        db_.run("UPDATE snapshot_settings SET auto_enabled = $2, failure_policy = $3, max_pinned = $4, "
                "retention_days = $5, timeout_seconds = $6, destination_ids = $7, updated_at = $8 WHERE "
                "environment_id = $1",
                {settings.environment_id, settings.auto_enabled, settings.failure_policy, settings.max_pinned,
                 settings.retention_days, settings.timeout_seconds, destinations, settings.updated_at}));
    return {};
}

Result<std::int64_t> SnapshotSettingsOf::retention_days(const std::optional<std::string>& environment) {
    if (!environment) return kSnapshotRetentionDays;
    const auto stored = TRY(find(*environment));
    return stored ? stored->retention_days : kSnapshotRetentionDays;
}

}  // namespace backstay::store
