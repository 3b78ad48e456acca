// What postgresql.conf needs so that the agent gets a cluster's WAL: shown, made, and checked.
#pragma once

#include <map>
#include <string>
#include <string_view>
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

struct Setting {
    std::string value;
    bool restart = false;  // takes effect by a restart only
    bool pending = false;  // changed, and waits for one
};
using Settings = std::map<std::string, Setting>;

// Rows of name, value, restart and pending (t or f).
inline constexpr std::string_view kSettingsQuery =
    "SELECT name, setting, context = 'postmaster', pending_restart FROM pg_settings WHERE name IN "
    "('wal_level', 'archive_mode', 'archive_command', 'archive_library', 'archive_timeout', 'max_wal_senders')";

// What of a server's settings is good, and what they should be. `hook`: the program that PostgreSQL is to call.
std::vector<SetupLine> compare_settings(const Settings& settings, const WalConfig& wal, const std::string& wal_socket,
                                        const std::string& hook);
// ALTER SYSTEM for what is not good, each a transaction of its own; the server reads them with pg_reload_conf().
std::vector<std::string> setup_statements(const std::vector<SetupLine>& lines);

// With the agent's own role, which must be a superuser to change anything.
Result<std::vector<SetupLine>> plan_setup(const AgentConfig& config, const WalConfig& wal, const std::string& hook);

// Makes with ALTER SYSTEM what is not good, and has the server read it. What then still needs a restart stays so: the
// agent restarts no PostgreSQL.
Result<> apply_setup(const AgentConfig& config, const WalConfig& wal, const std::vector<SetupLine>& lines);

// The `backstay` beside the running agent.
std::string own_hook();

}  // namespace backstay::archiver
