#include "agent/state/wal.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "common/json/json.h"

namespace backstay {
namespace {

constexpr std::string_view kClusterColumns =
    "system_id, cluster, folder, segment_bytes, server_version_num, first_seen_at, last_seen_at";
constexpr std::string_view kSegmentColumns =
    "timeline, number, digest, first_commit, last_commit, stored_bytes, archived_at";
constexpr std::string_view kLackColumns = "destination_id, system_id, name, digest, since, conflict, why";

std::uint64_t natural(const sqlite::Statement& row, int column) {
    return static_cast<std::uint64_t>(row.integer(column));
}

WalCluster cluster_of(const sqlite::Statement& row) {
    WalCluster cluster;
    cluster.system_id = row.text(0);
    cluster.cluster = row.text(1);
    cluster.folder = row.text(2);
    cluster.segment_bytes = natural(row, 3);
    cluster.server_version_num = static_cast<std::int32_t>(row.integer(4));
    cluster.first_seen_at = row.integer(5);
    cluster.last_seen_at = row.integer(6);
    return cluster;
}

WalSegment segment_of(const sqlite::Statement& row) {
    WalSegment segment;
    segment.timeline = static_cast<wal::Timeline>(row.integer(0));
    segment.number = natural(row, 1);
    segment.digest = row.text(2);
    segment.first_commit = row.optional_integer(3);
    segment.last_commit = row.optional_integer(4);
    segment.stored_bytes = natural(row, 5);
    segment.archived_at = row.integer(6);
    return segment;
}

// The beginnings of the segments in which children leave a timeline: those belong to the next piece.
std::set<wal::Lsn> cuts_of(const WalCluster& cluster, wal::Timeline timeline,
                           const std::vector<wal::History>& histories) {
    std::set<wal::Lsn> cuts;
    for (const wal::History& history : histories) {
        for (const wal::Fork& fork : history.forks) {
            if (fork.parent == timeline) cuts.insert(wal::segment_start(fork.at, cluster.segment_bytes));
        }
    }
    return cuts;
}

}  // namespace

Result<> WalRepository::put_cluster(const WalCluster& cluster) {
    TRY(database_.run(
        fmt::format("INSERT INTO wal_clusters ({}) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (system_id) DO "
                    "UPDATE SET cluster = $2, segment_bytes = $4, server_version_num = max(server_version_num, $5), "
                    "last_seen_at = $7",
                    kClusterColumns),
        {cluster.system_id, cluster.cluster, cluster.folder, cluster.segment_bytes, cluster.server_version_num,
         cluster.first_seen_at, cluster.last_seen_at}));
    return {};
}

Result<std::optional<WalCluster>> WalRepository::cluster(const std::string& system_id) {
    auto row = TRY(
        database_.query(fmt::format("SELECT {} FROM wal_clusters WHERE system_id = $1", kClusterColumns), {system_id}));
    if (!TRY(row.step())) return std::optional<WalCluster>();
    return std::optional(cluster_of(row));
}

Result<std::vector<WalCluster>> WalRepository::clusters(const std::string& cluster_name) {
    auto row = TRY(database_.query(
        fmt::format("SELECT {} FROM wal_clusters WHERE $1 = '' OR cluster = $1 ORDER BY last_seen_at DESC, system_id",
                    kClusterColumns),
        {cluster_name}));
    std::vector<WalCluster> clusters;
    while (TRY(row.step())) clusters.push_back(cluster_of(row));
    return clusters;
}

Result<> WalRepository::put_segment(const std::string& system_id, const WalSegment& segment) {
    TRY(database_.run(fmt::format("INSERT INTO wal_segments (system_id, {}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
                                  "ON CONFLICT DO NOTHING",
                                  kSegmentColumns),
                      {system_id, segment.timeline, segment.number, segment.digest, segment.first_commit,
                       segment.last_commit, segment.stored_bytes, segment.archived_at}));
    return {};
}

Result<std::optional<WalSegment>> WalRepository::segment(const std::string& system_id, wal::Timeline timeline,
                                                         std::uint64_t number) {
    auto found = TRY(segments(system_id, timeline, number, 1));
    if (found.empty() || found.front().number != number) return std::optional<WalSegment>();
    return std::optional(std::move(found.front()));
}

Result<std::vector<WalSegment>> WalRepository::segments(const std::string& system_id, wal::Timeline timeline,
                                                        std::uint64_t number, std::size_t limit) {
    auto row = TRY(database_.query(fmt::format("SELECT {} FROM wal_segments WHERE system_id = $1 AND timeline = $2 AND "
                                               "number >= $3 ORDER BY number LIMIT $4",
                                               kSegmentColumns),
                                   {system_id, timeline, number, limit}));
    std::vector<WalSegment> segments;
    while (TRY(row.step())) segments.push_back(segment_of(row));
    return segments;
}

Result<std::vector<wal::Run>> WalRepository::runs(const WalCluster& cluster,
                                                  const std::vector<wal::History>& histories) {
    std::vector<wal::Run> runs;
    for (const wal::Timeline timeline : TRY(timelines(cluster.system_id))) {
        const std::set<wal::Lsn> cuts = cuts_of(cluster, timeline, histories);
        auto row =
            TRY(database_.query("SELECT number, first_commit, last_commit FROM wal_segments WHERE system_id = $1 AND "
                                "timeline = $2 ORDER BY number",
                                {cluster.system_id, timeline}));
        while (TRY(row.step())) {
            const wal::Lsn start = natural(row, 0) * cluster.segment_bytes;
            const bool goes_on =
                !runs.empty() && runs.back().timeline == timeline && runs.back().end == start && !cuts.contains(start);
            if (!goes_on) runs.push_back({timeline, start, start, std::nullopt, std::nullopt});
            wal::Run& run = runs.back();
            run.end = start + cluster.segment_bytes;
            if (const auto first = row.optional_integer(1)) {
                run.first_commit = std::min(run.first_commit.value_or(*first), *first);
            }
            if (const auto last = row.optional_integer(2)) {
                run.last_commit = std::max(run.last_commit.value_or(*last), *last);
            }
        }
    }
    return runs;
}

Result<WalTotals> WalRepository::totals(const std::string& system_id) {
    WalTotals totals;
    auto sums = TRY(database_.query(
        "SELECT count(*), coalesce(sum(stored_bytes), 0) FROM wal_segments WHERE system_id = $1", {system_id}));
    if (TRY(sums.step())) {
        totals.segments = natural(sums, 0);
        totals.stored_bytes = natural(sums, 1);
    }
    // The end of the newest timeline: what PostgreSQL archived last, whatever came again later.
    auto row = TRY(database_.query(
        fmt::format("SELECT {} FROM wal_segments WHERE system_id = $1 ORDER BY timeline DESC, number DESC LIMIT 1",
                    kSegmentColumns),
        {system_id}));
    if (TRY(row.step())) totals.newest = segment_of(row);
    return totals;
}

Result<std::optional<WalSegment>> WalRepository::newest(const std::string& system_id, wal::Timeline timeline) {
    auto row = TRY(database_.query(fmt::format("SELECT {} FROM wal_segments WHERE system_id = $1 AND timeline = $2 "
                                               "ORDER BY number DESC LIMIT 1",
                                               kSegmentColumns),
                                   {system_id, timeline}));
    if (!TRY(row.step())) return std::optional<WalSegment>();
    return std::optional(segment_of(row));
}

Result<std::vector<wal::Timeline>> WalRepository::timelines(const std::string& system_id) {
    auto row = TRY(database_.query("SELECT DISTINCT timeline FROM wal_segments WHERE system_id = $1 ORDER BY timeline",
                                   {system_id}));
    std::vector<wal::Timeline> timelines;
    while (TRY(row.step())) timelines.push_back(static_cast<wal::Timeline>(row.integer(0)));
    return timelines;
}

Result<std::int64_t> WalRepository::remove_segments(const std::string& system_id, wal::Timeline timeline,
                                                    std::uint64_t number) {
    return database_.run("DELETE FROM wal_segments WHERE system_id = $1 AND timeline = $2 AND number < $3",
                         {system_id, timeline, number});
}

Result<> WalRepository::put_history(const std::string& system_id, wal::Timeline timeline, const std::string& content,
                                    TimeMs now) {
    TRY(
        database_.run("INSERT INTO wal_histories (system_id, timeline, content, archived_at) VALUES ($1, $2, $3, $4) "
                      "ON CONFLICT DO NOTHING",
                      {system_id, timeline, content, now}));
    return {};
}

Result<bool> WalRepository::has_history(const std::string& system_id, wal::Timeline timeline) {
    auto row = TRY(
        database_.query("SELECT 1 FROM wal_histories WHERE system_id = $1 AND timeline = $2", {system_id, timeline}));
    return row.step();
}

Result<std::vector<wal::History>> WalRepository::histories(const std::string& system_id) {
    auto row = TRY(database_.query("SELECT timeline, content FROM wal_histories WHERE system_id = $1 ORDER BY timeline",
                                   {system_id}));
    std::vector<wal::History> histories;
    while (TRY(row.step())) {
        histories.push_back(TRY(wal::parse_history(static_cast<wal::Timeline>(row.integer(0)), row.text(1))));
    }
    return histories;
}

Result<> WalRepository::put_lack(const WalLack& lack) {
    TRY(database_.run(
        fmt::format("INSERT INTO wal_lacking ({}) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT "
                    "DO UPDATE SET conflict = $6, why = $7",
                    kLackColumns),
        {lack.destination_id, lack.system_id, lack.name, lack.digest, lack.since, lack.conflict, lack.why}));
    return {};
}

Result<> WalRepository::remove_lack(const WalLack& lack) {
    TRY(
        database_.run("DELETE FROM wal_lacking WHERE destination_id = $1 AND system_id = $2 AND name = $3 AND "
                      "digest = $4",
                      {lack.destination_id, lack.system_id, lack.name, lack.digest}));
    return {};
}

Result<std::vector<WalLack>> WalRepository::lacks(const std::string& destination_id, const std::string& system_id,
                                                  const WalLack& after, std::size_t limit) {
    auto row =
        TRY(database_.query(fmt::format("SELECT {} FROM wal_lacking WHERE destination_id = $1 AND system_id = $2 "
                                        "AND (name, digest) > ($3, $4) AND conflict = 0 "
                                        "ORDER BY name, digest LIMIT $5",
                                        kLackColumns),
                            {destination_id, system_id, after.name, after.digest, limit}));
    std::vector<WalLack> lacks;
    while (TRY(row.step())) {
        lacks.push_back(
            {row.text(0), row.text(1), row.text(2), row.text(3), row.integer(4), row.boolean(5), row.text(6)});
    }
    return lacks;
}

Result<> WalRepository::remove_lacks(const std::string& system_id, const std::string& below) {
    auto row =
        TRY(database_.query("SELECT DISTINCT substr(name, 1, 8) FROM wal_lacking WHERE system_id = $1", {system_id}));
    std::vector<std::string> timelines;
    while (TRY(row.step())) timelines.push_back(row.text(0));
    for (const std::string& timeline : timelines) {
        // Names of histories stand before those of segments.
        TRY(database_.run("DELETE FROM wal_lacking WHERE system_id = $1 AND name >= $2 AND name < $3",
                          {system_id, timeline + "0", timeline + below}));
    }
    return {};
}

Result<bool> WalRepository::is_lacking_somewhere(const std::string& system_id, const std::string& name) {
    auto row =
        TRY(database_.query("SELECT 1 FROM wal_lacking WHERE system_id = $1 AND name = $2 LIMIT 1", {system_id, name}));
    return row.step();
}

Result<std::vector<WalRepository::LackCount>> WalRepository::lack_counts(const std::string& system_id) {
    auto row =
        TRY(database_.query("SELECT destination_id, sum(conflict = 0), sum(conflict), max(since), why FROM wal_lacking "
                            "WHERE system_id = $1 GROUP BY destination_id ORDER BY destination_id",
                            {system_id}));
    std::vector<LackCount> counts;
    while (TRY(row.step())) counts.push_back({row.text(0), natural(row, 1), natural(row, 2), row.text(4)});
    return counts;
}

Result<> WalRepository::add_gap(const std::string& system_id, const WalGap& gap) {
    const std::int64_t joined = TRY(
        database_.run("UPDATE wal_gaps SET end_lsn = $1, ended_at = $2 WHERE id = (SELECT max(id) FROM wal_gaps WHERE "
                      "system_id = $3 AND timeline = $4) AND end_lsn = $5 AND reason = $6",
                      {gap.end, gap.ended_at, system_id, gap.timeline, gap.start, gap.reason}));
    if (joined > 0) return {};
    TRY(database_.run(
        "INSERT INTO wal_gaps (system_id, timeline, start_lsn, end_lsn, started_at, ended_at, reason) "
        "SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS (SELECT 1 FROM wal_gaps WHERE system_id = $1 AND "
        "timeline = $2 AND start_lsn <= $3 AND end_lsn >= $4)",
        {system_id, gap.timeline, gap.start, gap.end, gap.started_at, gap.ended_at, gap.reason}));
    return {};
}

Result<std::vector<WalGap>> WalRepository::gaps(const std::string& system_id) {
    auto row = TRY(database_.query(
        "SELECT timeline, start_lsn, end_lsn, started_at, ended_at, reason FROM wal_gaps WHERE system_id = $1 "
        "ORDER BY timeline, start_lsn",
        {system_id}));
    std::vector<WalGap> gaps;
    while (TRY(row.step())) {
        gaps.push_back({static_cast<wal::Timeline>(row.integer(0)), natural(row, 1), natural(row, 2), row.integer(3),
                        row.integer(4), row.text(5)});
    }
    return gaps;
}

Result<> WalRepository::remove_gaps_before(const std::string& system_id, wal::Timeline timeline, wal::Lsn end) {
    TRY(database_.run("DELETE FROM wal_gaps WHERE system_id = $1 AND timeline = $2 AND end_lsn <= $3",
                      {system_id, timeline, end}));
    return {};
}

Result<> WalRepository::put_base(const WalBase& base) {
    const std::string destinations = json::encode_text(base.destination_ids);
    TRY(
        database_.run("INSERT OR REPLACE INTO wal_bases (backup_id, system_id, timeline, start_lsn, stop_lsn, "
                      "started_at, ended_at, folder, reason, status, size_bytes, destinations_json) "
                      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                      {base.backup_id, base.system_id, base.timeline, base.start, base.stop, base.started_at,
                       base.ended_at, base.folder, base.reason, base.status, base.size_bytes, destinations}));
    return {};
}

Result<std::vector<WalBase>> WalRepository::bases(const std::string& system_id) {
    auto row = TRY(database_.query(
        "SELECT backup_id, system_id, timeline, start_lsn, stop_lsn, started_at, ended_at, folder, reason, status, "
        "size_bytes, destinations_json FROM wal_bases WHERE system_id = $1 ORDER BY ended_at, backup_id",
        {system_id}));
    std::vector<WalBase> bases;
    while (TRY(row.step())) {
        WalBase base;
        base.backup_id = row.text(0);
        base.system_id = row.text(1);
        base.timeline = static_cast<wal::Timeline>(row.integer(2));
        base.start = natural(row, 3);
        base.stop = natural(row, 4);
        base.started_at = row.integer(5);
        base.ended_at = row.integer(6);
        base.folder = row.text(7);
        base.reason = row.text(8);
        base.status = row.text(9);
        base.size_bytes = natural(row, 10);
        base.destination_ids = TRY(json::decode_text<std::vector<std::string>>(row.text(11)));
        bases.push_back(std::move(base));
    }
    return bases;
}

Result<> WalRepository::remove_base(const std::string& backup_id) {
    TRY(database_.run("DELETE FROM wal_bases WHERE backup_id = $1", {backup_id}));
    return {};
}

Result<wal::Holdings> WalRepository::holdings(const WalCluster& cluster) {
    wal::Holdings holdings;
    holdings.segment_bytes = cluster.segment_bytes;
    holdings.histories = TRY(histories(cluster.system_id));
    holdings.runs = TRY(runs(cluster, holdings.histories));
    for (const WalBase& base : TRY(bases(cluster.system_id))) {
        holdings.bases.push_back(
            {base.backup_id, base.timeline, base.start, base.stop, base.started_at, base.ended_at});
    }
    return holdings;
}

}  // namespace backstay
