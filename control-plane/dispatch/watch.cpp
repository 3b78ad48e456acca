#include "control-plane/dispatch/watch.h"

#include <algorithm>
#include <set>

#include "control-plane/alerts/destination_silence.h"
#include "control-plane/alerts/repository.h"
#include "control-plane/alerts/rules.h"
#include "control-plane/store/destinations.h"
#include "control-plane/store/environments.h"
#include "control-plane/store/rows.h"

namespace backstay::dispatch {
namespace {

using alerts::AgentSign;
using alerts::ArchiveFact;
using alerts::Finding;
namespace type = alerts::type;

// The largest of the last full backups of the agent's environments, of those that went to this destination ("": any):
// so much another round may need.
Result<std::uint64_t> last_full_bytes(sql::Database& db, const std::string& agent_id,
                                      const std::string& destination_id) {
    const auto most = TRY(store::count_of(
        db.query("SELECT COALESCE(MAX((SELECT b.size_bytes FROM backups b WHERE b.environment_id = e.id AND b.scope = "
                 "'full' AND b.status IN ('completed', 'partial') AND b.deleted_at IS NULL AND ($2 = '' OR EXISTS "
                 "(SELECT 1 FROM copies c WHERE c.backup_id = b.id AND c.destination_id = $2)) ORDER BY b.created_at "
                 "DESC LIMIT 1)), 0) FROM environments e WHERE e.agent_id = $1 AND e.deleted_at IS NULL",
                 {agent_id, destination_id})));
    return static_cast<std::uint64_t>(most);
}

struct LocalPlace {
    store::DestinationRow row;
    std::string path;
};

// Folders of the agent's host that are destinations of its organization.
Result<std::vector<LocalPlace>> places_on(sql::Database& db, const store::Agent& agent, const OpenDestination& open) {
    std::vector<LocalPlace> out;
    for (const auto& row : TRY(store::Destinations(db).list(agent.organization_id, {1000, 0})).items) {
        if (row.type != "local" || (row.agent_id && *row.agent_id != agent.id)) continue;
        const auto opened = open(db, agent.organization_id, row.id);
        // One that cannot be read now is no reason to take no heartbeat.
        if (!opened || !*opened) continue;
        const json::Value* path = (*opened)->config.if_contains("path");
        if (path != nullptr && path->is_string()) out.push_back({row, std::string(path->get_string())});
    }
    return out;
}

bool lies_in(const std::string& path, const std::string& folder) {
    return path == folder || (path.starts_with(folder) && (folder.ends_with('/') || path[folder.size()] == '/'));
}

// The disk that says most closely how much room there is at `path`.
const control_plane::DiskInfo* disk_of(const std::vector<control_plane::DiskInfo>& disks, const std::string& path) {
    const control_plane::DiskInfo* best = nullptr;
    for (const control_plane::DiskInfo& disk : disks) {
        if (disk.role != "destination" || !lies_in(path, disk.path)) continue;
        if (best == nullptr || disk.path.size() > best->path.size()) best = &disk;
    }
    return best;
}

std::optional<std::string> base_after(const control_plane::ClusterWal& wal, const control_plane::TimeSpan& gap) {
    for (const control_plane::WalBase& base : wal.base_backups) {
        if (base.timestamp.ms >= gap.end.ms) return base.backup_id;
    }
    return std::nullopt;
}

Result<ArchiveFact> archive_fact(sql::Database& db, const store::Agent& agent, const control_plane::ClusterWal& wal) {
    ArchiveFact fact;
    fact.cluster = wal.cluster;
    fact.enabled = wal.archiving.enabled;
    fact.status = wal.archiving.status;
    fact.lag_seconds = wal.archiving.lag_seconds;
    fact.failed_count = wal.archiving.failed_count;
    fact.archive_timeout_seconds = wal.archiving.archive_timeout_seconds;
    const auto shown = TRY(store::Environments(db).first_on_cluster(agent.id, wal.cluster));
    if (shown) fact.environment = {shown->id, shown->project_id, shown->name, shown->type};
    alerts::Alerts known(db);
    for (const control_plane::TimeSpan& gap : wal.gaps) {
        const std::string subject = agent.id + ":" + wal.cluster + ":" + to_rfc3339(gap.start.ms);
        const bool told = TRY(known.was_raised(agent.organization_id, type::kWalGap, subject));
        fact.gaps.push_back({gap.start.ms, gap.end.ms, base_after(wal, gap), told});
    }
    return fact;
}

Result<AgentSign> sign_of(sql::Database& db, const store::Agent& agent, const control_plane::Heartbeat& heartbeat,
                          TimeMs now) {
    AgentSign sign;
    sign.id = agent.id;
    sign.name = agent.name;
    sign.clock_skew_ms = heartbeat.sent_at.ms - now;
    if (heartbeat.inventory) {
        sign.disks.emplace();
        for (const control_plane::DiskInfo& disk : heartbeat.inventory->disks) {
            sign.disks->push_back({disk.path, disk.role, disk.free_bytes, disk.total_bytes});
        }
    }
    if (heartbeat.wal) {
        sign.archives.emplace();
        for (const control_plane::ClusterWal& wal : *heartbeat.wal) {
            sign.archives->push_back(TRY(archive_fact(db, agent, wal)));
        }
    }
    return sign;
}

Result<> watch_agents(sql::Database& db, TimeMs listening_since, TimeMs now) {
    struct Silent {
        std::string organization;
        alerts::AgentSilence silence;
    };
    const auto silent = TRY(store::all_rows(
        db.query("SELECT organization_id, id, name, seen_at FROM agents WHERE deleted_at IS NULL AND seen_at > 0 AND "
                 "seen_at <= $1",
                 {now - alerts::kOfflineMs}),
        [&](const sql::Statement& row) {
            return Silent{row.text(0), {row.text(1), row.text(2), row.integer(3), listening_since}};
        }));
    std::vector<std::pair<std::string, Finding>> found;
    for (const Silent& one : silent) {
        if (auto finding = alerts::judge_silence(one.silence, now)) {
            found.emplace_back(one.organization, std::move(*finding));
        }
    }
    // Right after a start nobody was heard yet: what is open stays so until there was time to speak.
    if (now - listening_since < alerts::kOfflineMs) return {};
    return alerts::Alerts(db).settle_all(type::kAgentOffline, found, now);
}

}  // namespace

Result<> watch_heartbeat(sql::Database& db, const store::Agent& agent, const control_plane::Heartbeat& heartbeat,
                         TimeMs now) {
    const AgentSign sign = TRY(sign_of(db, agent, heartbeat, now));
    std::vector<std::string_view> types{type::kAgentOffline, type::kClockSkew};
    std::vector<Finding> found = alerts::judge_clock(sign);
    const auto add = [&](std::vector<Finding> more, std::initializer_list<std::string_view> judged) {
        types.insert(types.end(), judged);
        std::move(more.begin(), more.end(), std::back_inserter(found));
    };
    if (sign.disks) add(alerts::judge_disks(sign), {type::kAgentDiskLow});
    if (sign.archives) add(alerts::judge_archives(sign), {type::kWalArchivingFailing, type::kWalGap});
    return alerts::Alerts(db).settle(agent.organization_id, agent.id, types, found, now);
}

Result<> watch_spaces(sql::Database& db, const store::Agent& agent, const control_plane::Heartbeat& heartbeat,
                      const OpenDestination& open, TimeMs now) {
    if (!heartbeat.inventory) return {};
    const auto& disks = heartbeat.inventory->disks;
    std::vector<Finding> found;
    const auto judge = [&](alerts::SpaceFact fact) -> Result<> {
        fact.agent_id = agent.id;
        fact.agent_name = agent.name;
        fact.last_full_bytes = TRY(last_full_bytes(db, agent.id, fact.destination_id.value_or("")));
        if (auto finding = alerts::judge_space(fact)) found.push_back(std::move(*finding));
        return {};
    };
    std::set<const control_plane::DiskInfo*> named;
    for (const LocalPlace& place : TRY(places_on(db, agent, open))) {
        const control_plane::DiskInfo* disk = disk_of(disks, place.path);
        if (disk == nullptr) continue;
        named.insert(disk);
        TRY(judge({"", "", place.row.id, place.row.name, place.path, disk->free_bytes, 0}));
    }
    for (const control_plane::DiskInfo& disk : disks) {
        if (disk.role != "destination" || named.contains(&disk)) continue;
        TRY(judge({"", "", std::nullopt, "", disk.path, disk.free_bytes, 0}));
    }
    return alerts::Alerts(db).settle(agent.organization_id, agent.id, {type::kDestinationLowSpace}, found, now);
}

Result<> watch_silence(sql::Database& db, TimeMs listening_since, TimeMs now) {
    TRY(watch_agents(db, listening_since, now));
    TRY(alerts::DestinationSilences(db).tell(now));
    return alerts::Alerts(db).resolve_orphans(now);
}

}  // namespace backstay::dispatch
