// Whom a change concerns: after its commit the long polls of these agents and the event streams of these operations
// are woken.
#pragma once

#include <set>
#include <string>

namespace backstay::dispatch {

struct Stir {
    std::set<std::string> agents;
    std::set<std::string> operations;

    void merge(const Stir& other) {
        agents.insert(other.agents.begin(), other.agents.end());
        operations.insert(other.operations.begin(), other.operations.end());
    }
};

}  // namespace backstay::dispatch
