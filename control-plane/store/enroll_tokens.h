// One-time tokens with which agents introduce themselves.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "control-plane/store/store.h"

namespace backstay::store {

struct EnrollToken {
    std::string id;
    std::string organization_id;
    std::string name;  // of the agent to come; empty: its host name
    std::string created_by;
    TimeMs created_at = 0;
    TimeMs expires_at = 0;
    std::optional<TimeMs> used_at;
    std::optional<std::string> agent_id;
};

class EnrollTokens {
public:
    explicit EnrollTokens(sql::Database& db) : db_(db) {}

    Result<> create(const EnrollToken& token, std::string_view token_hash);
    // Unused and not expired.
    Found<EnrollToken> usable(std::string_view token_hash, TimeMs now);
    Result<Listing<EnrollToken>> list(std::string_view organization, const Page& page);
    // conflict when it was used meanwhile.
    Result<> use(std::string_view id, std::string_view agent_id, TimeMs now);
    // False: none of that id that was still unused.
    Result<bool> revoke(std::string_view organization, std::string_view id, TimeMs now);

private:
    sql::Database& db_;
};

}  // namespace backstay::store
