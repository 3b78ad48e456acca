// What commands without a daemon share: the configuration, a destination, one backup in it, a job of their own.
#pragma once

#include <atomic>
#include <cstdio>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "agent/cli/commands.h"
#include "agent/jobs/restore/standalone.h"
#include "common/version.h"

namespace backstay::cli {

inline int code(ExitCode exit_code) { return static_cast<int>(exit_code); }

// The named configuration, or the default one where it can be read; what is missing comes from the environment.
Result<AgentConfig> read_config(const AloneOptions& options);

// A folder, a file of JSON as the contract writes destinations, or one of the configuration by id or name.
Result<DestinationOrder> find_destination(const std::string& from, const AgentConfig& config);
// Who runs this command chooses the folder, so it counts as allowed; the daemon knows local_roots only.
void allow_folder(const DestinationOrder& destination, AgentConfig& config);

// `wanted`: "latest", an id, or its beginning.
Result<standalone::FoundBackup> choose(const standalone::Listing& listing, const std::string& wanted);

// The database that it was made of.
std::string source_of(const Manifest& manifest);

// Draws the bar on `out`, and hears the interruption that a signal handler may only note.
class Watch {
public:
    Watch(std::FILE* out, const ProgressMeter& progress, std::stop_source& stop);

private:
    std::jthread thread_;
};

// `word`: what it is about, "restore". Names the exit code.
int print_verdict(const Output& output, std::string_view word, const std::string& id,
                  const standalone::FileJournal& journal, const std::vector<std::string>& notes);

struct Alone {
    AgentConfig config;
    SystemClock clock;
    std::atomic<std::uint64_t> rate{0};
    JobHost host{config, "alone", std::string(kVersion), clock, rate};
    std::stop_source stop;

    // SIGINT and SIGTERM stop the job that a Watch is over.
    explicit Alone(AgentConfig read);
    Result<> sweep();
};

}  // namespace backstay::cli
