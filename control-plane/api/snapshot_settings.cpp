// What an environment wants of its snapshots, and how large one would be.
#include <array>

#include "control-plane/api/operation_answers.h"
#include "control-plane/api/operation_scope.h"
#include "control-plane/api/scope.h"
#include "control-plane/api/snapshots.h"
#include "control-plane/dispatch/sessions.h"
#include "control-plane/store/place.h"
#include "control-plane/store/snapshot_settings.h"

namespace backstay::api {
namespace {

using auth::Permission;
using store::SnapshotSettings;

constexpr TimeMs kEstimateKeptMs = operations::kDayMs;

http::Response settings_answer(const SnapshotSettings& settings) {
    json::Object out;
    out["id"] = settings.id;
    out["environmentId"] = settings.environment_id;
    out["autoEnabled"] = settings.auto_enabled;
    out["failurePolicy"] = settings.failure_policy;
    out["maxPinned"] = settings.max_pinned;
    out["retentionDays"] = settings.retention_days;
    out["timeoutSeconds"] = settings.timeout_seconds;
    out["createdAt"] = to_rfc3339(settings.created_at);
    out["updatedAt"] = to_rfc3339(settings.updated_at);
    out["destinationIds"] = json::encode(settings.destination_ids);  // beyond the contract
    return json_answer(200, json::Value(std::move(out)));
}

// The first read makes them: hence a transaction.
Result<http::Response> show(Call& call, sql::Transaction& transaction) {
    sql::Database& db = transaction.database();
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    const auto settings = TRY(store::SnapshotSettingsOf(db).ensure(environment, call.now));
    return settings_answer(settings);
}

struct SettingsRequest {
    std::optional<bool> auto_enabled;
    std::optional<std::string> failure_policy;
    std::optional<std::int64_t> max_pinned;
    std::optional<std::int64_t> retention_days;
    std::optional<std::int64_t> timeout_seconds;
    std::optional<std::vector<std::string>> destination_ids;
};
BOOST_DESCRIBE_STRUCT(SettingsRequest, (),
                      (auto_enabled, failure_policy, max_pinned, retention_days, timeout_seconds, destination_ids))

struct Range {
    std::string_view field;
    std::int64_t least;
    std::int64_t most;
};

Result<> take_number(const Range& range, const std::optional<std::int64_t>& wanted, std::int64_t& member) {
    if (!wanted) return {};
    if (*wanted < range.least || *wanted > range.most) {
        return rule_broken("out_of_range", range.field,
                           "must be " + std::to_string(range.least) + " to " + std::to_string(range.most));
    }
    member = *wanted;
    return {};
}

Result<> take(const Call& call, sql::Database& db, const SettingsRequest& request, SnapshotSettings& settings) {
    const std::string policy = request.failure_policy.value_or(settings.failure_policy);
    if (policy != "block" && policy != "warn" && policy != "ignore") {
        return rule_broken("invalid_failure_policy", "failurePolicy", "must be block, warn or ignore");
    }
    settings.failure_policy = policy;
    settings.auto_enabled = request.auto_enabled.value_or(settings.auto_enabled);
    TRY(take_number({"maxPinned", 0, 50}, request.max_pinned, settings.max_pinned));
    TRY(take_number({"retentionDays", 1, 365}, request.retention_days, settings.retention_days));
    TRY(take_number({"timeoutSeconds", 60, 21'600}, request.timeout_seconds, settings.timeout_seconds));
    if (!request.destination_ids) return {};
    settings.destination_ids.clear();
    for (const auto& row : TRY(named_destinations(reach_of(call), db, *request.destination_ids))) {
        settings.destination_ids.push_back(row.id);
    }
    return {};
}

Result<http::Response> change(Call& call, sql::Transaction& transaction) {
    sql::Database& db = transaction.database();
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    const auto request = TRY(body<SettingsRequest>(call));
    auto settings = TRY(store::SnapshotSettingsOf(db).ensure(environment, call.now));
    TRY(take(call, db, request, settings));
    settings.updated_at = call.now;
    TRY(store::SnapshotSettingsOf(db).update(settings));
    TRY(operations::recompute_expiry(db, environment.id, settings.retention_days));
    TRY(note_audit(call, db, "snapshot.settings", environment.id));
    return settings_answer(settings);
}

// As the agent's inventory tells it: uncompressed, what a full snapshot would read.
Result<http::Response> size(Call& call, sql::Database& db) {
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    const auto agent = TRY(store::Agents(db).find(call.organization_id, environment.agent_id));
    const bool alive = agent && TRY(dispatch::is_alive(db, environment.agent_id, call.now));
    if (!alive && (!agent || agent->seen_at <= call.now - kEstimateKeptMs)) {
        return problem(503, "agent_offline", "the environment's agent has been away for a day");
    }
    const auto inventory = TRY(store::inventory_of(db, environment.agent_id));
    const store::Place place = store::find_place(inventory, environment);
    if (place.database == nullptr) {
        return problem(503, alive ? "size_unknown" : "agent_offline", "the agent has not told of this database");
    }
    const std::uint64_t database = place.database->size_bytes;
    const std::uint64_t filestore = place.database->filestore_bytes.value_or(0);
    json::Object out;
    out["dbSizeBytes"] = database;
    out["filestoreSizeBytes"] = filestore;
    out["totalSizeBytes"] = database + filestore;
    out["measuredAt"] = time_answer(agent->inventory_at);  // beyond the contract
    auto response = json_answer(200, json::Value(std::move(out)));
    if (!alive) response.headers.set("Warning", "110 - \"the agent is away: these are its last known sizes\"");
    return response;
}

}  // namespace

void add_snapshot_settings_routes(RouteTable& routes) {
    constexpr std::string_view kSettings = "/api/environments/{environmentId}/snapshot-settings";
    routes.add_write({"GET", kSettings, Permission::view_backups}, show);
    routes.add_write({"PUT", kSettings, Permission::manage_backups}, change);
    routes.add({"GET", "/api/environments/{environmentId}/snapshot-size", Permission::view_backups}, size);
}

}  // namespace backstay::api
