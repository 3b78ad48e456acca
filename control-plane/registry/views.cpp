#include "control-plane/registry/views.h"

#include "control-plane/store/counts.h"
#include "control-plane/store/destination_config.h"
#include "storage/destination_json.h"

namespace backstay::registry {
namespace {

json::Value time_value(TimeMs time) { return json::encode(Timestamp{time}); }

json::Value time_value(const std::optional<TimeMs>& time) { return time ? time_value(*time) : json::Value(nullptr); }

template <class T>
json::Value text_value(const std::optional<T>& text) {
    return json::encode(text);
}

json::Array words_of(std::string_view words) {
    json::Array array;
    while (!words.empty()) {
        const std::size_t end = words.find(' ');
        array.push_back(json::encode(words.substr(0, end)));
        words.remove_prefix(end == std::string_view::npos ? words.size() : end + 1);
    }
    return array;
}

}  // namespace

json::Object view(const store::Organization& organization) {
    return {{"id", organization.id},
            {"slug", organization.slug},
            {"name", organization.name},
            {"createdAt", time_value(organization.created_at)},
            {"updatedAt", time_value(organization.updated_at)}};
}

json::Object view(const store::Project& project) {
    return {{"id", project.id},
            {"organizationId", project.organization_id},
            {"name", project.name},
            {"description", project.description},
            {"createdAt", time_value(project.created_at)},
            {"updatedAt", time_value(project.updated_at)}};
}

json::Object view(const store::Environment& environment) {
    return {{"id", environment.id},
            {"organizationId", environment.organization_id},
            {"projectId", environment.project_id},
            {"name", environment.name},
            {"description", environment.description},
            {"environmentType", environment.type},
            {"agentId", environment.agent_id},
            {"cluster", text_value(environment.cluster)},
            {"database", environment.database},
            {"filestore", text_value(environment.filestore)},
            {"odooConf", text_value(environment.odoo_conf)},
            {"isNeutralized", environment.is_neutralized},
            {"createdAt", time_value(environment.created_at)},
            {"updatedAt", time_value(environment.updated_at)}};
}

json::Object view(const store::Agent& agent, TimeMs now) {
    const bool heard = agent.seen_at != 0;
    const bool alive = heard && agent.seen_at > now - store::kAgentAliveMs;
    return {{"id", agent.id},
            {"organizationId", agent.organization_id},
            {"name", agent.name},
            {"hostname", agent.hostname},
            {"version", agent.version},
            {"protocolVersion", agent.protocol_version},
            {"status", alive   ? "online"
                       : heard ? "offline"
                               : "never_seen"},
            {"lastSeenAt", heard ? time_value(agent.seen_at) : json::Value(nullptr)},
            {"clockSkewMs", agent.clock_skew_ms},
            {"inventoryAt", time_value(agent.inventory_at)},
            {"createdAt", time_value(agent.created_at)},
            {"updatedAt", time_value(agent.updated_at)}};
}

json::Object view(const store::ApiKey& key) {
    return {{"id", key.id},
            {"organizationId", key.organization_id},
            {"projectId", text_value(key.project_id)},
            {"name", key.name},
            {"mode", key.mode},
            {"prefix", key.prefix},
            {"scope", key.project_id ? "project" : "organization"},
            {"permissions", words_of(key.permissions)},
            {"createdBy", key.created_by},
            {"createdAt", time_value(key.created_at)},
            {"expiresAt", time_value(key.expires_at)},
            {"lastUsedAt", time_value(key.last_used_at)}};
}

json::Object view(const store::EnrollToken& token, TimeMs now) {
    const char* status = token.used_at ? "used" : token.expires_at <= now ? "expired" : "open";
    return {{"id", token.id},
            {"organizationId", token.organization_id},
            {"name", token.name},
            {"status", status},
            {"createdBy", token.created_by},
            {"createdAt", time_value(token.created_at)},
            {"expiresAt", time_value(token.expires_at)},
            {"usedAt", time_value(token.used_at)},
            {"agentId", text_value(token.agent_id)}};
}

json::Object view(const store::AuditEntry& entry) {
    return {{"id", entry.id},
            {"at", time_value(entry.at)},
            {"actor", entry.actor},
            {"actorId", entry.actor_id},
            {"action", entry.action},
            {"objectId", entry.object_id},
            {"detail", entry.detail},
            {"requestId", entry.request_id},
            {"request", entry.request},
            {"peer", entry.peer},
            {"status", entry.status ? json::Value(*entry.status) : json::Value()}};
}

Result<json::Object> view(const store::DestinationRow& row, const SecretBox& box) {
    const auto order = TRY(store::open_config(box, row));
    return json::Object{
        {"id", row.id},
        {"organizationId", row.organization_id},
        {"name", row.name},
        {"destinationType", row.type},
        {"config", redact_config(order.config)},
        {"agentId", text_value(row.agent_id)},
        {"isDefault", row.is_default},
        {"encrypt", row.encrypt},
        {"testStatus", row.test_status},
        {"testMessage", row.test_message.empty() ? json::Value(nullptr) : json::encode(row.test_message)},
        {"testedAt", time_value(row.tested_at)},
        {"createdAt", time_value(row.created_at)},
        {"updatedAt", time_value(row.updated_at)}};
}

}  // namespace backstay::registry
