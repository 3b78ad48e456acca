#include "agent/local-api/wal.h"

#include <fmt/format.h>

#include "agent/archiver/setup.h"
#include "agent/state/wal.h"

namespace backstay::local_api {
namespace {

std::optional<Timestamp> time_of(const std::optional<TimeMs>& ms) {
    return ms ? std::optional(Timestamp{*ms}) : std::nullopt;
}

// The worst of what server, archiver and destinations say.
void add_alerts(WalView& view, const std::string& problem) {
    if (!problem.empty()) view.alerts.push_back("whether the server archives is not known: " + problem);
    if (!view.setup_fault.empty()) view.alerts.push_back("the server does not archive: " + view.setup_fault);
    if (view.state == "conflict") view.alerts.push_back("refused: " + view.why);
    if (view.state == "dropping") view.alerts.push_back("WAL is being dropped: what it holds cannot be had back");
    if (view.state == "failing") view.alerts.push_back("archiving fails: " + view.why);
    if (view.seconds_to_full && *view.seconds_to_full < 6 * 3600) {
        view.alerts.push_back(fmt::format("pg_wal will be full in {} s at the present rate", *view.seconds_to_full));
    }
    if (view.state == "lagging" && view.lag_seconds) {
        view.alerts.push_back(fmt::format("the archive is {} s behind", *view.lag_seconds));
    }
    for (const WalDestinationView& one : view.destinations) {
        if (one.conflicts > 0) {
            view.alerts.push_back(
                fmt::format("destination {} holds other content under {} names", one.id, one.conflicts));
        }
        if (one.down) view.alerts.push_back(fmt::format("destination {} fails: {}", one.id, one.why));
    }
}

}  // namespace

Result<std::vector<WalView>> view_wal(sqlite::Database& database,
                                      const std::vector<archiver::ClusterStatus>& clusters) {
    std::vector<WalView> views;
    WalRepository repository(database);
    for (const archiver::ClusterStatus& cluster : clusters) {
        WalView view;
        view.cluster = cluster.config.cluster;
        view.system_id = cluster.system_id;
        view.archive = cluster.folder;
        view.ack = cluster.config.ack;
        view.on_overflow = cluster.config.on_overflow;
        view.state = cluster.archiver.state;
        view.why = cluster.archiver.why;
        view.setup_fault = cluster.setup_fault;
        view.last_archived_at = time_of(cluster.archiver.last_archived_at);
        view.last_archived = cluster.archiver.last_archived;
        view.failed_count = cluster.archiver.failed_count;
        view.backlog_bytes = cluster.archiver.waiting_bytes;
        view.lag_seconds = cluster.archiver.lag_seconds;
        if (cluster.archiver.growth) view.growth_bytes_per_sec = static_cast<std::int64_t>(*cluster.archiver.growth);
        view.seconds_to_full = cluster.archiver.seconds_to_full;
        view.spool_bytes = cluster.archiver.spool_bytes;
        view.archived_files = cluster.archiver.archived;
        view.archived_bytes = cluster.archiver.archived_bytes;
        view.dropped_files = cluster.archiver.dropped;
        const auto lacks = TRY(repository.lack_counts(cluster.system_id));
        for (const archiver::DestinationStatus& one : cluster.destinations) {
            WalDestinationView destination{one.id, one.name, one.down, one.why, 0, 0};
            for (const WalRepository::LackCount& lack : lacks) {
                if (lack.destination_id != one.id) continue;
                destination.lacking = lack.lacking;
                destination.conflicts = lack.conflicts;
            }
            view.destinations.push_back(std::move(destination));
        }
        const WalTotals totals = TRY(repository.totals(cluster.system_id));
        view.segments = totals.segments;
        view.stored_bytes = totals.stored_bytes;
        add_alerts(view, cluster.problem);
        views.push_back(std::move(view));
    }
    return views;
}

Result<WalSetupAnswer> set_up_wal(const AgentConfig& config, const WalSetupRequest& request) {
    if (config.wal.empty()) {
        return Error(Errc::invalid, "the agent's configuration has no [[wal]]").with_hint("see conf/agent.toml");
    }
    const WalConfig* wal = request.cluster ? find_wal(config, *request.cluster) : &config.wal.front();
    if (wal == nullptr) return Error(Errc::not_found, fmt::format("there is no [[wal]] of \"{}\"", *request.cluster));
    auto lines = TRY(archiver::plan_setup(config, *wal, archiver::own_hook()));
    if (request.apply.value_or(false)) {
        TRY(archiver::apply_setup(config, *wal, lines));
        lines = TRY(archiver::plan_setup(config, *wal, archiver::own_hook()));
    }
    WalSetupAnswer answer;
    answer.cluster = wal->cluster;
    for (archiver::SetupLine& line : lines) {
        answer.ready = answer.ready && line.good;
        answer.needs_restart = answer.needs_restart || (!line.good && line.needs_restart);
        answer.settings.push_back(
            {std::move(line.name), std::move(line.current), std::move(line.wanted), line.good, line.needs_restart});
    }
    return answer;
}

}  // namespace backstay::local_api
