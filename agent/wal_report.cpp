#include "agent/wal_report.h"

#include "agent/state/schedules.h"
#include "agent/state/wal.h"
#include "agent/wal/segment_name.h"
#include "agent/worker/orders.h"
#include "common/domain/wal_coverage.h"

namespace backstay {
namespace {

using control_plane::ClusterWal;
using control_plane::WalArchiving;

std::optional<Timestamp> time_of(const std::optional<TimeMs>& ms) {
    return ms ? std::optional(Timestamp{*ms}) : std::nullopt;
}

std::string status_of(const std::string& state) {
    if (state == "lagging" || state == "failing") return state;
    // Somebody must decide, or time is being lost: an archive that grows is none of these.
    return state == "conflict" || state == "dropping" ? "failing" : "ok";
}

WalArchiving archiving_of(const archiver::ClusterStatus& cluster) {
    const archiver::ArchiverStatus& now = cluster.archiver;
    WalArchiving archiving;
    archiving.enabled = cluster.setup_fault.empty() && (cluster.server || now.state != "idle");
    if (archiving.enabled) archiving.status = status_of(now.state);
    archiving.last_archived_at = time_of(now.last_archived_at);
    if (!now.last_archived.empty()) archiving.last_archived_segment = now.last_archived;
    archiving.failed_count = now.failed_count;
    archiving.lag_seconds = now.lag_seconds;
    archiving.spool_bytes = now.spool_bytes;
    archiving.backlog_bytes = now.waiting_bytes;
    archiving.seconds_to_full = now.seconds_to_full;
    if (cluster.server) archiving.archive_timeout_seconds = cluster.server->archive_timeout_s;
    return archiving;
}

// What an earlier process archived, when this one has not yet.
Result<> add_newest(WalRepository& archive, const WalCluster& known, WalArchiving& archiving) {
    if (archiving.last_archived_segment) return {};
    const WalTotals totals = TRY(archive.totals(known.system_id));
    if (!totals.newest) return {};
    archiving.last_archived_at = Timestamp{totals.newest->archived_at};
    archiving.last_archived_segment =
        wal::segment_name(totals.newest->timeline, totals.newest->number, known.segment_bytes);
    return {};
}

void add_coverage(const wal::Holdings& holdings, ClusterWal& report) {
    const wal::Coverage coverage = wal::cover(holdings);
    for (const wal::Base& base : holdings.bases) report.base_backups.push_back({base.backup_id, {base.ended_at}});
    for (const wal::Range& range : coverage.ranges) {
        report.wal_ranges.push_back({{range.time.start}, {range.time.end}});
    }
    for (const wal::TimeRange& gap : coverage.gaps) report.gaps.push_back({{gap.start}, {gap.end}});
    report.earliest_recoverable = time_of(coverage.earliest);
    report.latest_recoverable = time_of(coverage.latest);
}

}  // namespace

Result<std::vector<ClusterWal>> report_wal(sqlite::Database& database,
                                           const std::vector<archiver::ClusterStatus>& clusters,
                                           const AgentConfig& config) {
    WalRepository archive(database);
    std::vector<ClusterWal> reports;
    for (const archiver::ClusterStatus& cluster : clusters) {
        // The newest seen: a server that was made anew has an archive of its own.
        const auto known = TRY(archive.clusters(cluster.config.cluster));
        if (known.empty()) continue;
        ClusterWal report;
        report.cluster = cluster.config.cluster;
        report.system_id = known.front().system_id;
        report.archive = known.front().folder;
        for (const DestinationOrder& destination : wal_destinations(config, cluster.config)) {
            report.destination_ids.push_back(destination.id);
        }
        report.archiving = archiving_of(cluster);
        TRY(add_newest(archive, known.front(), report.archiving));
        const auto wish = TRY(ScheduleRepository(database).wal_wish(cluster.config.cluster));
        report.archiving.retention_days = with_wish(cluster.config, wish).retention_days;
        const wal::Holdings holdings = TRY(archive.holdings(known.front()));
        add_coverage(holdings, report);
        reports.push_back(std::move(report));
    }
    return reports;
}

}  // namespace backstay
