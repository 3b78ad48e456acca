// The processes that serve one store (on PostgreSQL; an SQLite file has one process, which is not noted). Each tells
// every few seconds that it lives.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "control-plane/store/store.h"

namespace backstay::store {

// One that was silent for so long counts as dead: what it ran is over, what it waited for nobody waits for. The clocks
// of replicas may differ by less than half of it.
inline constexpr TimeMs kReplicaSilentMs = 20'000;

struct Replica {
    std::string id;       // of this process: another one after each start
    std::string address;  // "http://10.0.0.2:8480": where the others reach it; empty: it names none
    std::string version;
    TimeMs seen_at = 0;
};

class Replicas {
public:
    explicit Replicas(sql::Database& db) : db_(db) {}

    // It lives; those that are silent for an hour are forgotten.
    Result<> beat(const Replica& replica, TimeMs now);
    // It ends.
    Result<> leave(std::string_view id);
    // Those that live, by their ids.
    Result<std::vector<Replica>> alive(TimeMs now);

private:
    sql::Database& db_;
};

}  // namespace backstay::store
