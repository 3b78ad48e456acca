// One call to the agent's WAL socket. No heap of libraries: see wire.h.
#pragma once

#include <string>
#include <vector>

#include "agent/hook/wire.h"

namespace backstay::hook {

struct Call {
    std::string socket;
    int timeout_s = 60;
};

// Sends the request with these descriptors and waits for the answer. Trouble on the way is a failed answer. `beside`
// becomes the descriptor that comes along with an answer that says so; the caller closes it.
Answer ask(const Call& call, const Request& request, const std::vector<int>& descriptors, int* beside = nullptr);

// The system identifier in the data directory that `wal_path` (PostgreSQL's %p) lies in; 0: not found.
std::uint64_t system_id_at(const std::string& wal_path);

// The commands; each prints one line to stderr when it fails, and answers the exit code.
int push(const Call& call, const std::string& path);
int fetch(const Call& call, const std::string& name, const std::string& path);

}  // namespace backstay::hook
