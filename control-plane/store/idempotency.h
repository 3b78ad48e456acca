// The answers to requests with an Idempotency-Key, kept for 24 hours.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "control-plane/store/store.h"

namespace backstay::store {

struct KeptAnswer {
    std::string request_hash;
    int status = 0;
    std::string body;  // sealed by the caller
};

class Idempotency {
public:
    static constexpr TimeMs kKeptMs = 24LL * 3600 * 1000;

    explicit Idempotency(sql::Database& db) : db_(db) {}

    Found<KeptAnswer> find(std::string_view credential, std::string_view key, TimeMs now);
    // In place of one that is older than a day. What nobody asks for again is purged (live/purge.h).
    Result<> keep(std::string_view credential, std::string_view key, const KeptAnswer& answer, TimeMs now);

private:
    sql::Database& db_;
};

}  // namespace backstay::store
