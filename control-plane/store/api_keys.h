// API keys: random secrets of programs. Only a SHA-256 of the key is kept (it is 256 bits of randomness, so a slow hash
// would protect nothing), and its first characters to recognise it by.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "control-plane/store/store.h"

namespace backstay::store {

struct ApiKey {
    std::string id;
    std::string organization_id;
    std::optional<std::string> project_id;  // limits it to one project
    std::string name;
    std::string mode;         // ro, rw
    std::string prefix;       // "bks_rw_Ab12Cd34"
    std::string permissions;  // words of auth/permissions.h, separated by spaces
    std::string created_by;
    TimeMs created_at = 0;
    std::optional<TimeMs> expires_at;
    std::optional<TimeMs> last_used_at;
};

class ApiKeys {
public:
    explicit ApiKeys(sql::Database& db) : db_(db) {}

    Result<> create(const ApiKey& key, std::string_view key_hash);
    Found<ApiKey> find(std::string_view organization, std::string_view id);
    // Neither revoked nor expired.
    Found<ApiKey> by_hash(std::string_view key_hash, TimeMs now);
    // Of one project; empty: all.
    Result<Listing<ApiKey>> list(std::string_view organization, const Page& page, std::string_view project = "");
    Result<> note_used(std::string_view id, TimeMs now);
    Result<> revoke(std::string_view organization, std::string_view id, TimeMs now);

private:
    sql::Database& db_;
};

}  // namespace backstay::store
