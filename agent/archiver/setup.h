// What postgresql.conf needs so that the agent gets a cluster's WAL: shown, made, and checked.
#pragma once

#include <string>
#include <vector>

#include "agent/config/config.h"
#include "common/result.h"

namespace backstay::archiver {

struct SetupLine {
    std::string name;
    std::string current;
    std::string wanted;
    bool good = false;
    bool needs_restart = false;  // changed, or to be changed, only by a restart of PostgreSQL
};

// `hook`: the program that PostgreSQL is to call.
Result<std::vector<SetupLine>> plan_setup(const AgentConfig& config, const WalConfig& wal, const std::string& hook);

// Makes with ALTER SYSTEM what is not good, and has the server read it. What then still needs a restart stays so: the
// agent restarts no PostgreSQL.
Result<> apply_setup(const AgentConfig& config, const WalConfig& wal, const std::vector<SetupLine>& lines);

// The `backstay` beside the running agent.
std::string own_hook();

}  // namespace backstay::archiver
