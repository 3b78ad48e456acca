// Requests to agents as rows of a store that several replicas share: the user's request is at one of them, the agent's
// poll at another. Each call is a statement or two of its own, outside of any transaction.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/crypto/secret_box.h"
#include "common/sql/database.h"
#include "control-plane-client/protocol.h"

namespace backstay::relay {

// What became of a request, as the store tells it.
enum class Fate {
    waiting,   // no poll took it yet
    taken,     // by the agent's process that still polls
    outdated,  // the agent does not know such requests
    lost,      // the process that took it has ended
};

class SharedRequests {
public:
    // The box outlives it.
    SharedRequests(sql::Database& db, const SecretBox& box) : db_(db), box_(box) {}

    // For the replica that waits.
    Result<> place(std::string_view replica, std::string_view agent, const control_plane::StorageRequest& request,
                   TimeMs now);
    Result<Fate> fate(std::string_view id);
    // True: nobody had taken it, and nobody will.
    Result<bool> withdraw(std::string_view id);
    // Nobody waits any more. `complete`: nor does the agent work on it; else its process is told, if it took it.
    Result<> end(std::string_view id, bool complete);
    // How long the agent has been silent; `gone`: its process hung up then. nullopt: it was never heard.
    struct Silence {
        TimeMs since = 0;
        bool gone = false;
    };
    Result<std::optional<Silence>> silence_of(std::string_view agent);

    // For the replica with the agent's poll: what waits, each handed out once, and what need not be gone on with.
    Result<std::vector<control_plane::StorageRequest>> take(std::string_view agent, std::string_view instance,
                                                            std::int32_t storage_version, TimeMs now);
    // They did not get to the agent.
    Result<> give_back(const std::vector<control_plane::StorageRequest>& requests);
    // Agents for which take() has something.
    Result<std::set<std::string>> agents_waited_for(TimeMs now);

    // For the replica to which the agent's answer came: where it belongs.
    struct Waiter {
        std::string replica_id;
        std::string address;  // empty: it names none
    };
    // nullopt: nobody waits, or it is another agent's, or the replica that waited is dead.
    Result<std::optional<Waiter>> waiter_of(std::string_view id, std::string_view agent, TimeMs now);
    // What dead replicas left, and what agents that are away were not told.
    Result<> sweep(TimeMs now);

private:
    sql::Database& db_;
    const SecretBox& box_;
};

}  // namespace backstay::relay
