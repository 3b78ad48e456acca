// Restoring with no daemon and no control plane: from a destination, by the agent's own job.
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "agent/cli/bar.h"
#include "agent/cli/commands.h"
#include "agent/cli/render.h"
#include "agent/jobs/restore/standalone_moment.h"
#include "agent/local-api/wal_view.h"
#include "common/domain/verdict.h"
#include "common/files/files.h"
#include "common/human.h"
#include "common/json/json.h"
#include "common/version.h"

namespace backstay::cli {
namespace {

constexpr auto kBarPause = std::chrono::milliseconds(200);

// Set by SIGINT and SIGTERM: the job then puts everything back and ends.
volatile std::sig_atomic_t interrupted = 0;
void interrupt(int /*signal*/) { interrupted = 1; }

int code(ExitCode exit_code) { return static_cast<int>(exit_code); }

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

Result<AgentConfig> read_config(const AloneOptions& options) {
    AgentConfig config;
    const bool named = options.config != kDefaultConfig;
    if (named || ::access(options.config.c_str(), R_OK) == 0) config = TRY(load_agent_config(options.config));
    add_defaults(config);
    if (!options.key.empty()) config.encryption_key_file = options.key;
    return config;
}

// A folder, a file of JSON as the contract writes destinations, or one of the configuration by id or name.
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

// Who runs this command chooses the folder, so it counts as allowed; the daemon knows local_roots only.
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

int print_listing(const Output& output, const standalone::Listing& listing) {
    if (output.json) {
        json::Array backups;
        for (const standalone::FoundBackup& backup : listing.backups) {
            backups.push_back(json::Object{{"backupId", backup.manifest.backup_id},
                                           {"database", source_of(backup.manifest)},
                                           {"scope", backup.manifest.scope},
                                           {"startedAt", to_rfc3339(backup.manifest.started_at.ms)},
                                           {"storedBytes", backup.stored_bytes},
                                           {"folder", backup.folder}});
        }
        fmt::print("{}\n", json::serialize(json::Value(json::Object{{"backups", std::move(backups)}})));
    } else {
        Table table({"BACKUP", "DATABASE", "SCOPE", "BEGAN", "SIZE"});
        for (const standalone::FoundBackup& backup : listing.backups) {
            table.add({backup.manifest.backup_id, printable(source_of(backup.manifest)), backup.manifest.scope,
                       when(backup.manifest.started_at), human::size(backup.stored_bytes)});
        }
        fmt::print("{}", table.empty() ? "no backups there\n" : table.text());
    }
    for (const std::string& fault : listing.faults) fmt::print(stderr, "backstay: {}\n", printable(fault));
    return code(listing.faults.empty() ? ExitCode::ok : ExitCode::amber);
}

// Draws the bar, and hears the interruption that a signal handler may only note.
class Watch {
public:
    Watch(const Output& output, const ProgressMeter& progress, std::stop_source& stop)
        : thread_([&output, &progress, &stop](const std::stop_token& end) {
              Bar bar(output.json ? stderr : stdout);
              while (!end.stop_requested()) {
                  bar.show(progress.snapshot());
                  if (interrupted != 0) stop.request_stop();
                  std::this_thread::sleep_for(kBarPause);
              }
          }) {}

private:
    std::jthread thread_;
};

int print_verdict(const Output& output, const std::string& id, const standalone::FileJournal& journal,
                  const std::vector<std::string>& notes) {
    EvidenceInput input;
    input.plan = journal.plan();
    input.phase = Phase::ended;
    input.steps = journal.steps();
    input.notes = notes;
    const RecoveryEvidence evidence = judge(input);
    if (output.json) {
        fmt::print("{}\n", json::serialize(json::Value(
                               json::Object{{"restoreId", id}, {"recoveryEvidence", json::encode(evidence)}})));
    } else {
        fmt::print("restore {}: {}\n", id, evidence.status);
        for (const std::string& why : evidence.why_green) fmt::print("  + {}\n", printable(why));
        for (const std::string& why : evidence.why_not_green) fmt::print("  - {}\n", printable(why));
    }
    if (evidence.status == "green") return code(ExitCode::ok);
    return code(evidence.status == "amber" ? ExitCode::amber : ExitCode::failed);
}

void complete_wish(const AloneOptions& options, const std::string& source, standalone::RestoreWish& wish) {
    wish.cluster = options.cluster;
    wish.filestore = options.filestore;
    wish.scope = options.scope.value_or("all");
    const bool copy = wish.database != source;
    wish.neutralize = options.neutralize.value_or(copy);
    wish.new_uuid = options.new_uuid.value_or(copy);
    wish.keep_previous_ms = options.keep_previous_ms.value_or(wish.keep_previous_ms);
}

standalone::RestoreWish wish_of(const AloneOptions& options, const Manifest& manifest) {
    standalone::RestoreWish wish;
    wish.database = options.database.value_or(source_of(manifest));
    complete_wish(options, source_of(manifest), wish);
    return wish;
}

struct Alone {
    AgentConfig config;
    SystemClock clock;
    std::atomic<std::uint64_t> rate{0};
    JobHost host{config, "alone", std::string(kVersion), clock, rate};
    std::stop_source stop;

    explicit Alone(AgentConfig read) : config(std::move(read)), rate(config.limits.rate_bytes_per_sec) {
        std::signal(SIGINT, interrupt);
        std::signal(SIGTERM, interrupt);
    }

    Result<> sweep() {
        for (const std::string& done : TRY(standalone::sweep(host))) fmt::print(stderr, "backstay: {}\n", done);
        return {};
    }
};

int run(const Output& output, Alone& alone, const RestoreOrder& order) {
    auto journal = standalone::FileJournal::open(alone.host, order.restore_id, {});
    if (!journal) return report(output, journal.error());
    ProgressMeter progress(alone.clock, "restore", order.restore_id, "");
    Steps steps(**journal, progress, alone.clock, alone.stop.get_token());
    Result<RestoreOutcome> outcome = [&] {
        const Watch watch(output, progress, alone.stop);
        return run_restore(order, alone.host, steps, {});
    }();
    const int verdict =
        print_verdict(output, order.restore_id, **journal, outcome ? outcome->notes : std::vector<std::string>());
    if (!outcome) {
        report({}, outcome.error());
        return code(ExitCode::failed);
    }
    if (!output.json && !outcome->previous_database.empty()) {
        fmt::print("the previous pair is kept; `backstay undo {} --alone` puts it back\n", order.restore_id);
    }
    return verdict;
}

}  // namespace

int restore_moment(const Output& output, const AloneOptions& options, const DestinationOrder& destination,
                   Alone& alone) {
    const auto target = parse_moment(options.at);
    if (!target) return report(output, target.error());
    standalone::Moment moment{*target, options.of.empty() ? options.database.value_or("") : options.of};
    if (moment.database.empty()) {
        return report(output, Error(Errc::invalid, "whose moment? name the database with --of"));
    }
    standalone::RestoreWish wish;
    wish.database = options.database.value_or(moment.database);
    complete_wish(options, moment.database, wish);
    const auto order = standalone::order_for_moment(moment, destination, wish, alone.host, alone.stop.get_token());
    if (!order) return report(output, order.error());
    if (const auto swept = alone.sweep(); !swept) return report(output, swept.error());
    return run(output, alone, *order);
}

int restore_alone(const Output& output, const AloneOptions& options) {
    auto config = read_config(options);
    if (!config) return report(output, config.error());
    const auto destination = find_destination(options.from, *config);
    if (!destination) return report(output, destination.error());
    allow_folder(*destination, *config);
    Alone alone(std::move(*config));
    if (!options.at.empty()) return restore_moment(output, options, *destination, alone);
    const auto listing = standalone::find_backups(*destination, alone.host, {}, alone.stop.get_token());
    if (!listing) return report(output, listing.error());
    if (options.backup.empty()) return print_listing(output, *listing);
    const auto backup = choose(*listing, options.backup);
    if (!backup) return report(output, backup.error());
    if (const auto swept = alone.sweep(); !swept) return report(output, swept.error());
    return run(output, alone, standalone::order_for(*backup, *destination, wish_of(options, backup->manifest)));
}

local_api::WalArchiveView view_archive(const standalone::FoundArchive& archive) {
    local_api::WalArchiveView view = local_api::view_wal(archive.view.whole, archive.coverage);
    view.archive = archive.view.archive;
    view.system_id = view.archive.substr(view.archive.rfind('/') + 1);
    view.wal_bytes = archive.view.wal_bytes;
    view.faults = archive.view.faults;
    for (local_api::WalBaseView& base : view.bases) {
        const base::StoredBase* stored = archive.view.find(base.backup_id);
        if (stored == nullptr) continue;
        for (const ManifestArtifact& artifact : stored->manifest.artifacts) base.size_bytes += artifact.bytes;
        base.destination_ids = stored->destination_ids;
        base.folder = stored->folder;
        view.base_bytes += base.size_bytes;
    }
    return view;
}

int wal_show_alone(const Output& output, const AloneOptions& options) {
    auto config = read_config(options);
    if (!config) return report(output, config.error());
    const auto destination = find_destination(options.from, *config);
    if (!destination) return report(output, destination.error());
    allow_folder(*destination, *config);
    const Alone alone(std::move(*config));
    const auto archives = standalone::find_archives(*destination, alone.host, alone.stop.get_token());
    if (!archives) return report(output, archives.error());
    local_api::WalAnswer answer;
    for (const standalone::FoundArchive& archive : *archives) answer.archives.push_back(view_archive(archive));
    return print_wal(output, answer);
}

int undo_alone(const Output& output, const AloneOptions& options, const std::string& restore) {
    auto config = read_config(options);
    if (!config) return report(output, config.error());
    Alone alone(std::move(*config));
    const auto notes = standalone::kept_notes(alone.host, restore);
    if (!notes) return report(output, notes.error());
    const std::string id = new_uuid();
    auto journal = standalone::FileJournal::open(alone.host, id, {});
    if (!journal) return report(output, journal.error());
    ProgressMeter progress(alone.clock, "restore", id, "");
    Steps steps(**journal, progress, alone.clock, alone.stop.get_token());
    const auto undone = undo_restore(restore, *notes, alone.host, steps);
    const int verdict = print_verdict(output, restore, **journal, {});
    if (!undone) return report({}, undone.error());
    return verdict;
}

}  // namespace backstay::cli
