#include "agent/archiver/cluster_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "agent/postgres/cluster.h"
#include "common/log.h"
#include "common/pq/connection.h"

namespace backstay::archiver {
namespace {

constexpr std::int64_t kTimeoutMs = 5'000;
constexpr auto kInterval = std::chrono::seconds(10);
constexpr std::int64_t kHeartbeatStepMs = 1'000;

constexpr std::string_view kFacts =
    "SELECT (SELECT system_identifier::text FROM pg_control_system()), current_setting('server_version_num')::int, "
    "(SELECT setting::bigint * CASE unit WHEN '8kB' THEN 8192 ELSE 1 END FROM pg_settings WHERE name = "
    "'wal_segment_size'), pg_is_in_recovery(), current_setting('wal_level'), current_setting('archive_mode'), "
    "coalesce(current_setting('archive_command', true), ''), coalesce(current_setting('archive_library', true), ''), "
    "(SELECT setting::bigint FROM pg_settings WHERE name = 'archive_timeout'), "
    "coalesce(current_setting('data_directory', true), ''), failed_count, last_archived_wal, last_failed_wal, "
    "(SELECT timeline_id FROM pg_control_checkpoint()) FROM pg_stat_archiver";

pq::ConnectParameters quick(const ClusterConfig& cluster, std::int64_t timeout_ms) {
    pq::ConnectParameters parameters = connect_parameters(cluster, cluster.database);
    parameters.application_name = "backstay-wal";
    parameters.connect_timeout_ms = timeout_ms;
    parameters.statement_timeout_ms = timeout_ms;
    return parameters;
}

}  // namespace

Result<ServerFacts> ask_server(const ClusterConfig& cluster, std::int64_t timeout_ms, const std::stop_token& stop) {
    pq::Connection connection = TRY(pq::Connection::connect(quick(cluster, timeout_ms), stop));
    const auto row = TRY(connection.query(kFacts));
    ServerFacts facts;
    facts.system_id = row.text(0, 0);
    facts.version_num = static_cast<std::int32_t>(TRY(row.integer(0, 1)));
    facts.segment_bytes = static_cast<std::uint64_t>(TRY(row.integer(0, 2)));
    facts.in_recovery = row.boolean(0, 3);
    facts.wal_level = row.text(0, 4);
    facts.archive_mode = row.text(0, 5);
    facts.archive_command = row.text(0, 6);
    facts.archive_library = row.text(0, 7);
    facts.archive_timeout_s = TRY(row.integer(0, 8));
    facts.data_directory = row.text(0, 9);
    facts.failed_count = TRY(row.integer(0, 10));
    facts.last_archived = row.optional_text(0, 11);
    facts.last_failed = row.optional_text(0, 12);
    facts.timeline = static_cast<wal::Timeline>(TRY(row.integer(0, 13)));
    // Needs pg_monitor, and version 12.
    const auto ready = connection.query("SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'");
    if (ready) facts.ready = TRY(ready->integer(0, 0));
    return facts;
}

std::string fault_of_setup(const ServerFacts& facts) {
    if (facts.archive_mode == "off") return "archive_mode is off";
    if (facts.wal_level == "minimal") return "wal_level is minimal";
    if (!facts.archive_library.empty()) return "archive_library is set: archive_command is not used";
    if (facts.archive_command.find("backstay") == std::string::npos ||
        facts.archive_command.find("wal-push") == std::string::npos) {
        return "archive_command does not call `backstay wal-push %p`";
    }
    return "";
}

ClusterWatch::ClusterWatch(std::vector<Watched> watched, Learned learned)
    : watched_(std::move(watched)), learned_(std::move(learned)), thread_([this] { work(); }) {}

ClusterWatch::~ClusterWatch() {
    stop_.request_stop();
    {
        const std::lock_guard lock(mutex_);
        wake_.notify_all();
    }
    thread_.join();
}

ClusterWatch::Seen ClusterWatch::seen(const std::string& cluster) const {
    const std::lock_guard lock(mutex_);
    const auto found = seen_.find(cluster);
    return found == seen_.end() ? Seen{} : found->second;
}

void ClusterWatch::work() {
    while (!stop_.stop_requested()) {
        for (const Watched& watched : watched_) look_at(watched);
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, kInterval, [this] { return stop_.stop_requested(); });
    }
}

void ClusterWatch::look_at(const Watched& watched) {
    if (stop_.stop_requested()) return;
    const auto facts = ask_server(watched.cluster, kTimeoutMs, stop_.get_token());
    {
        const std::lock_guard lock(mutex_);
        Seen& seen = seen_[watched.cluster.name];
        seen.problem = facts ? "" : facts.error().message();
        if (facts) seen.facts = *facts;
    }
    if (!facts) return;
    learned_(watched.cluster.name, *facts);
    if (facts->in_recovery || !fault_of_setup(*facts).empty()) return;
    std::int64_t& due = beat_due_[watched.cluster.name];
    if (steady_ms() + kHeartbeatStepMs < due) return;
    due = steady_ms() + static_cast<std::int64_t>(watched.archive_timeout_s) * 1000;
    if (const auto beaten = beat(watched.cluster); !beaten) {
        log::warning("WAL heartbeat", {{"cluster", watched.cluster.name}, {"error", beaten.error().message()}});
    }
}

// Transactional: it needs a commit, whose time is what matters. archive_timeout then sends its segment on its way.
Result<> ClusterWatch::beat(const ClusterConfig& cluster) {
    pq::Connection connection = TRY(pq::Connection::connect(quick(cluster, kTimeoutMs), stop_.get_token()));
    TRY(connection.query("SELECT pg_logical_emit_message(true, 'backstay', '')"));
    return {};
}

}  // namespace backstay::archiver
