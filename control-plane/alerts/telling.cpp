#include "control-plane/alerts/telling.h"

namespace backstay::alerts {
namespace {

json::Value text(const std::optional<std::string>& value) { return value ? json::Value(*value) : json::Value(nullptr); }

json::Value time(const std::optional<TimeMs>& value) {
    return value ? json::Value(to_rfc3339(*value)) : json::Value(nullptr);
}

}  // namespace

json::Object alert_object(const Alert& alert, const std::optional<Place>& place) {
    json::Object out;
    out["id"] = alert.id;
    out["organizationId"] = alert.organization_id;
    out["projectId"] = text(alert.about.project_id);
    out["environmentId"] = text(alert.about.environment_id);
    out["environmentName"] = place ? json::Value(place->environment_name) : json::Value(nullptr);
    out["environmentType"] = place ? json::Value(place->environment_type) : json::Value(nullptr);
    out["type"] = alert.type;
    out["severity"] = to_string(alert.severity);
    out["title"] = alert.title;
    out["message"] = alert.message;
    out["url"] = text(alert.url);
    out["backupId"] = text(alert.about.backup_id);
    out["snapshotId"] = text(alert.about.snapshot_id);
    out["restoreLogId"] = text(alert.about.restore_log_id);
    out["destinationId"] = text(alert.about.destination_id);
    out["agentId"] = text(alert.about.agent_id);
    out["reason"] = alert.reason.empty() ? json::Value(nullptr) : json::Value(alert.reason);
    out["occurrences"] = alert.occurrences;
    out["firstOccurredAt"] = to_rfc3339(alert.first_occurred_at);
    out["lastOccurredAt"] = to_rfc3339(alert.last_occurred_at);
    out["resolvedAt"] = time(alert.resolved_at);
    out["read"] = alert.read_at.has_value();
    out["readAt"] = time(alert.read_at);
    out["readBy"] = text(alert.read_by);
    out["dismissed"] = alert.dismissed_at.has_value();
    out["dismissedAt"] = time(alert.dismissed_at);
    out["dismissedBy"] = text(alert.dismissed_by);
    out["createdAt"] = to_rfc3339(alert.created_at);
    return out;
}

}  // namespace backstay::alerts
