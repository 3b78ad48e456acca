#include "agent/cli/alone.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "agent/cli/bar.h"
#include "agent/cli/render.h"
#include "common/domain/verdict.h"
#include "common/files/files.h"
#include "common/json/json.h"
#include "common/text.h"

namespace backstay::cli {
namespace {

constexpr auto kBarPause = std::chrono::milliseconds(200);

// Set by SIGINT and SIGTERM: the job then puts everything back and ends.
volatile std::sig_atomic_t interrupted = 0;
void interrupt(int /*signal*/) { interrupted = 1; }

std::string environment(const char* name, const std::string& other) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? value : other;
}

// Everything that a job needs of this host when nobody configured it.
void add_defaults(AgentConfig& config) {
    if (!config.clusters.empty()) return;
    ClusterConfig cluster;
    cluster.host = environment("PGHOST", cluster.host);
    const std::string port = environment("PGPORT", "5432");
    cluster.port = static_cast<std::uint16_t>(std::strtoul(port.c_str(), nullptr, 10));
    cluster.user = environment("PGUSER", environment("USER", "postgres"));
    cluster.password_file = environment("PGPASSFILE", "");
    config.clusters.push_back(cluster);
    if (::geteuid() != 0) config.state_dir = environment("HOME", "/tmp") + "/.local/state/backstay";
}

}  // namespace

Result<AgentConfig> read_config(const AloneOptions& options) {
    AgentConfig config;
    const bool named = options.config != kDefaultConfig;
    if (named || ::access(options.config.c_str(), R_OK) == 0) config = TRY(load_agent_config(options.config));
    add_defaults(config);
    if (!options.key.empty()) config.encryption_key_file = options.key;
    return config;
}

Result<DestinationOrder> find_destination(const std::string& from, const AgentConfig& config) {
    if (from.starts_with('/') && from.ends_with(".json")) {
        const json::Value value = TRY(json::parse(TRY(read_secret_file(from))));
        DestinationOrder order = TRY(json::decode<DestinationOrder>(value, json::kLenient));
        if (order.id.empty()) order.id = "alone";
        if (order.name.empty()) order.name = from;
        return order;
    }
    if (from.starts_with('/')) {
        return DestinationOrder{"alone", from, "local", {{"path", from}, {"minFreeBytes", 0}}};
    }
    for (const DestinationOrder& order : config.destinations) {
        if (order.id == from || order.name == from) return order;
    }
    return Error(Errc::not_found, fmt::format("no destination '{}' in the configuration", from))
        .with_hint("--from takes a folder, a file of JSON, or a [[destination]] of --config by id or name");
}

void allow_folder(const DestinationOrder& destination, AgentConfig& config) {
    const json::Value* path = destination.config.if_contains("path");
    if (destination.type != "local" || path == nullptr || !path->is_string()) return;
    config.local_roots.emplace_back(path->get_string());
}

Result<standalone::FoundBackup> choose(const standalone::Listing& listing, const std::string& wanted) {
    const standalone::FoundBackup* chosen = nullptr;
    for (const standalone::FoundBackup& backup : listing.backups) {
        if (wanted == "latest") return backup;
        if (!backup.manifest.backup_id.starts_with(wanted)) continue;
        if (chosen != nullptr) return Error(Errc::invalid, fmt::format("'{}' begins several backups' ids", wanted));
        chosen = &backup;
    }
    if (chosen == nullptr) return Error(Errc::not_found, fmt::format("no backup '{}' there", wanted));
    return *chosen;
}

std::string source_of(const Manifest& manifest) {
    return manifest.odoo ? manifest.odoo->db_name : manifest.environment_name;
}

Watch::Watch(std::FILE* out, const ProgressMeter& progress, std::stop_source& stop)
    : thread_([out, &progress, &stop](const std::stop_token& end) {
          Bar bar(out);
          while (!end.stop_requested()) {
              bar.show(progress.snapshot());
              if (interrupted != 0) stop.request_stop();
              std::this_thread::sleep_for(kBarPause);
          }
      }) {}

int print_verdict(const Output& output, std::string_view word, const std::string& id,
                  const standalone::FileJournal& journal, const std::vector<std::string>& notes) {
    EvidenceInput input;
    input.plan = journal.plan();
    input.phase = Phase::ended;
    input.steps = journal.steps();
    input.copies = journal.copies();
    input.notes = notes;
    const RecoveryEvidence evidence = judge(input);
    if (output.json) {
        fmt::print("{}\n", json::serialize(json::Value(json::Object{{fmt::format("{}Id", word), id},
                                                                    {"recoveryEvidence", json::encode(evidence)}})));
    } else {
        fmt::print("{} {}: {}\n", word, id, evidence.status);
        for (const std::string& why : evidence.why_green) fmt::print("  + {}\n", printable(why));
        for (const std::string& why : evidence.why_not_green) fmt::print("  - {}\n", printable(why));
    }
    if (evidence.status == "green") return code(ExitCode::ok);
    return code(evidence.status == "amber" ? ExitCode::amber : ExitCode::failed);
}

Alone::Alone(AgentConfig read) : config(std::move(read)), rate(config.limits.rate_bytes_per_sec) {
    std::signal(SIGINT, interrupt);
    std::signal(SIGTERM, interrupt);
}

Result<> Alone::sweep() {
    for (const std::string& done : TRY(standalone::sweep(host))) fmt::print(stderr, "backstay: {}\n", done);
    return {};
}

}  // namespace backstay::cli
