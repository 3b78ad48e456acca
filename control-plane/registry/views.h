// The registry's things as JSON, the same for the API and for --json. Secrets never stand in them.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "common/crypto/secret_box.h"
#include "common/json/json.h"
#include "control-plane/store/agents.h"
#include "control-plane/store/api_keys.h"
#include "control-plane/store/audit.h"
#include "control-plane/store/destinations.h"
#include "control-plane/store/enroll_tokens.h"
#include "control-plane/store/environments.h"
#include "control-plane/store/organizations.h"
#include "control-plane/store/projects.h"

namespace backstay::registry {

json::Object view(const store::Organization& organization);
json::Object view(const store::Project& project);
json::Object view(const store::Environment& environment);
// `now` decides between online and offline.
json::Object view(const store::Agent& agent, TimeMs now);
json::Object view(const store::ApiKey& key);
json::Object view(const store::EnrollToken& token, TimeMs now);
json::Object view(const store::AuditEntry& entry);
// With its configuration, secrets replaced by "********".
Result<json::Object> view(const store::DestinationRow& row, const SecretBox& box);

// {name: [view of each item], "total": n}
template <class T, class View>
json::Value listing_view(std::string_view name, const store::Listing<T>& listing, View view_of) {
    json::Array items;
    for (const T& item : listing.items) items.push_back(view_of(item));
    json::Object object;
    object.emplace(name, std::move(items));
    object.emplace("total", listing.total);
    return json::Value(std::move(object));
}

}  // namespace backstay::registry
