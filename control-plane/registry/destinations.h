// Backup destinations in the registry: configuration checked and sealed, connection tested ("reachable and writable").
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/crypto/secret_box.h"
#include "common/domain/orders.h"
#include "common/http/address_rule.h"
#include "common/json/json.h"
#include "common/result.h"
#include "common/sql/transaction.h"
#include "control-plane/registry/registry.h"
#include "control-plane/store/destinations.h"

namespace backstay::registry {

struct DestinationChange {
    std::optional<std::string> name;
    std::optional<std::string> type;     // only of a new one
    std::optional<json::Object> config;  // contract names; "********" keeps what is stored
    std::optional<bool> is_default;
    std::optional<bool> encrypt;
    std::optional<std::string> agent_id;  // whose host a local path is on; empty text: none
};

// A destination as it would be after the change, its configuration in the clear.
struct DestinationDraft {
    store::DestinationRow row;
    DestinationOrder order;
    bool config_changed = true;
};

// A new one for the organization, or `stored` changed. 422 destination_type_unsupported, invalid_config with `detail`,
// agent_not_found.
Result<DestinationDraft> draft_destination(sql::Database& db, const SecretBox& box, std::string_view organization,
                                           const std::optional<store::DestinationRow>& stored,
                                           const DestinationChange& change, TimeMs now);

// Whether this side can test it; a local path is only seen by its agent.
bool tested_from_here(const DestinationOrder& order);
// Writes, reads, lists and deletes a small object; blocks for seconds. Marks the draft's row; the error is the row's
// message too. Both say what is wrong in words of ours, never in those of whatever answers there: they would show the
// inside of our network to who may configure a destination.
Result<> test_from_here(DestinationDraft& draft, http::AddressRule rule, TimeMs now);

// The agent that looks at a local destination: the one it names, else the organization's only one.
Result<std::optional<std::string>> looking_agent(sql::Database& db, const store::DestinationRow& row);

// 409 destination_exists
Result<> save_destination(sql::Transaction& tx, const Actor& actor, const SecretBox& box, DestinationDraft& draft,
                          bool is_new);

}  // namespace backstay::registry
