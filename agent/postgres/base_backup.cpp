#include "agent/postgres/base_backup.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

#include "common/domain/reasons.h"
#include "common/json/json.h"

namespace backstay::postgres {
namespace {

constexpr std::string_view kFacts = R"(
SELECT current_setting('server_version_num'), split_part(current_setting('server_version'), ' ', 1),
       (SELECT system_identifier::text FROM pg_control_system()),
       (SELECT timeline_id FROM pg_control_checkpoint()),
       pg_size_bytes(current_setting('wal_segment_size')),
       (SELECT sum(pg_database_size(oid))::bigint FROM pg_database),
       (SELECT rolname FROM pg_roles WHERE oid = 10),
       (SELECT count(*) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')),
       current_setting('archive_mode') <> 'off', pg_is_in_recovery())";

struct Words {
    std::string_view words;
    std::string_view reason;
    Errc code;
    std::string_view hint;
};

constexpr std::array<Words, 7> kKnown{{
    {"password authentication failed", reason::kDbAuthFailed, Errc::denied, ""},
    {"no pg_hba.conf entry for replication", reason::kDbAuthFailed, Errc::denied,
     "allow the role to connect for replication: `local replication backstay peer` in pg_hba.conf"},
    {"must be superuser or replication role", reason::kDbAuthFailed, Errc::denied, "ALTER ROLE … REPLICATION"},
    {"permission denied", reason::kDbAuthFailed, Errc::denied, "ALTER ROLE … REPLICATION"},
    {"incompatible server version", reason::kPgToolTooOld, Errc::invalid, "install the server's own client version"},
    {"number of requested standby connections", reason::kPreflightFailed, Errc::unavailable,
     "max_wal_senders is used up"},
    {"connection to server", reason::kDbUnreachable, Errc::unavailable, ""},
}};

Error no_label(std::string_view what) {
    return Error(Errc::corrupted, fmt::format("backup_label says nothing of its {}", what))
        .with_reason(reason::kStructureInvalid);
}

// The first word behind "<name>: ".
std::optional<std::string_view> value_of(std::string_view text, std::string_view name) {
    const std::string key = fmt::format("{}: ", name);
    for (std::size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
        if (at != 0 && text[at - 1] != '\n') continue;
        const std::string_view rest = text.substr(at + key.size());
        return rest.substr(0, rest.find_first_of(" \r\n"));
    }
    return std::nullopt;
}

Result<wal::Lsn> lsn_of(const json::Object& range, std::string_view key) {
    const json::Value* value = range.if_contains(key);
    if (value == nullptr || !value->is_string()) return Error(Errc::corrupted, "a range of WAL without positions");
    return wal::parse_lsn(std::string_view(value->get_string()));
}

}  // namespace

Result<ClusterFacts> read_cluster_facts(pq::Connection& connection) {
    const pq::Rows row = TRY(connection.query(kFacts).context("read the cluster's facts"));
    ClusterFacts facts;
    facts.server_version_num = static_cast<std::int32_t>(TRY(row.integer(0, 0)));
    facts.server_version = row.text(0, 1);
    facts.system_id = row.text(0, 2);
    facts.timeline = static_cast<wal::Timeline>(TRY(row.integer(0, 3)));
    facts.segment_bytes = static_cast<std::uint64_t>(TRY(row.integer(0, 4)));
    facts.size_bytes = static_cast<std::uint64_t>(TRY(row.integer(0, 5)));
    facts.superuser = row.text(0, 6);
    facts.tablespaces = TRY(row.integer(0, 7));
    facts.archiving = row.boolean(0, 8);
    facts.in_recovery = row.boolean(0, 9);
    return facts;
}

Result<std::unique_ptr<Subprocess>> start_base_backup(const BaseBackupRequest& request) {
    ProcessSpec spec;
    spec.argv = {request.pg_basebackup.path, "--no-password", "--pgdata=-", "--format=tar",
                 // The archive holds the WAL: what is in it twice would be read and stored twice.
                 "--wal-method=none", "--checkpoint=fast", "--manifest-checksums=SHA256", "--label=" + request.label};
    spec.environment = tool_environment(request.cluster);
    spec.environment.insert_or_assign("PGAPPNAME", "backstay base backup");
    spec.stop = request.stop;
    spec.priority = request.priority;
    spec.stall_limit_ms = request.stall_limit_ms;
    return Subprocess::start(std::move(spec));
}

Error classify_base_backup_error(Error error) {
    if (error.code() == Errc::cancelled) return std::move(error).with_reason(reason::kCancelled);
    if (error.code() == Errc::timed_out) return std::move(error).with_reason(reason::kTimeout);
    const auto said = error.facts().find("stderr");
    const std::string words = error.message() + (said == error.facts().end() ? "" : "\n" + said->second);
    for (const Words& known : kKnown) {
        if (words.find(known.words) == std::string::npos) continue;
        Error named(known.code, error.message());
        for (const auto& [key, value] : error.facts()) named.add_fact(key, value);
        named.add_reason(known.reason);
        if (!known.hint.empty()) named.add_hint(known.hint);
        return named;
    }
    return std::move(error).with_reason(reason::kBaseBackupFailed);
}

Result<BackupLabel> parse_backup_label(std::string_view text) {
    BackupLabel label;
    const auto start = value_of(text, "START WAL LOCATION");
    const auto checkpoint = value_of(text, "CHECKPOINT LOCATION");
    const auto timeline = value_of(text, "START TIMELINE");
    if (!start) return no_label("beginning");
    if (!checkpoint) return no_label("checkpoint");
    if (!timeline) return no_label("timeline");
    label.start = TRY(wal::parse_lsn(*start));
    label.checkpoint = TRY(wal::parse_lsn(*checkpoint));
    const auto [end, fault] = std::from_chars(timeline->data(), timeline->data() + timeline->size(), label.timeline);
    if (fault != std::errc() || end != timeline->data() + timeline->size()) return no_label("timeline");
    return label;
}

Result<WalNeed> parse_wal_need(std::string_view manifest_tail) {
    constexpr std::string_view kKey = "\"WAL-Ranges\":";
    const std::size_t at = manifest_tail.rfind(kKey);
    const std::size_t end = at == std::string_view::npos ? at : manifest_tail.find(']', at);
    if (end == std::string_view::npos) {
        return Error(Errc::corrupted, "PostgreSQL's manifest of the backup is cut off")
            .with_reason(reason::kStructureInvalid);
    }
    const std::string_view array = manifest_tail.substr(at + kKey.size(), end + 1 - at - kKey.size());
    const json::Value value = TRY(json::parse(array).reason(reason::kStructureInvalid));
    WalNeed need;
    for (const json::Value& item : value.is_array() ? value.get_array() : json::Array()) {
        if (!item.is_object()) continue;
        const json::Object& range = item.get_object();
        const wal::Lsn start = TRY(lsn_of(range, "Start-LSN"));
        const wal::Lsn stop = TRY(lsn_of(range, "End-LSN"));
        if (need.timeline == 0 || start < need.start) need.start = start;
        const json::Value* timeline = range.if_contains("Timeline");
        if (stop < need.stop || timeline == nullptr || !timeline->is_number()) continue;
        need.stop = stop;
        need.timeline = timeline->to_number<wal::Timeline>();
    }
    if (need.timeline != 0 && need.start <= need.stop) return need;
    return Error(Errc::corrupted, "PostgreSQL's manifest of the backup names no WAL")
        .with_reason(reason::kStructureInvalid);
}

}  // namespace backstay::postgres
