#include "control-plane/dispatch/archives.h"

#include <algorithm>

#include "control-plane/operations/history.h"
#include "control-plane/store/cluster_wal.h"

namespace backstay::dispatch {
namespace {

using control_plane::ClusterWal;

// A base backup may have ended after the agent looked into its archive and before it said what is there.
constexpr TimeMs kSettledMs = 10LL * 60 * 1000;

bool lists(const ClusterWal& archive, const std::string& backup_id) {
    return std::any_of(archive.base_backups.begin(), archive.base_backups.end(),
                       [&](const control_plane::WalBase& base) { return base.backup_id == backup_id; });
}

// Their status stays: what is listed again, because a destination was away for a while, is shown again as it was.
Result<> follow_bases(sql::Database& db, const store::Agent& agent, const ClusterWal& archive, TimeMs said_at,
                      TimeMs now) {
    const std::string prefix = archive.archive + "/base/";
    // Rows bear our time, what was said the agent's, whose clock may be ahead.
    const TimeMs settled = std::min(said_at, now) - kSettledMs;
    for (operations::BackupRow& row : TRY(operations::bases_of_agent(db, agent.id))) {
        if (!row.folder.starts_with(prefix) || lists(archive, row.id) != row.deleted_at.has_value()) continue;
        if (!row.deleted_at && (!row.completed_at || *row.completed_at > settled)) continue;
        row.deleted_at = row.deleted_at ? std::nullopt : std::optional(now);
        TRY(operations::update_backup(db, row));
    }
    return {};
}

}  // namespace

Result<> take_archives(sql::Database& db, const store::Agent& agent, const std::vector<ClusterWal>& archives,
                       TimeMs said_at, TimeMs now) {
    std::vector<store::ClusterWalRow> rows;
    for (const ClusterWal& archive : archives) {
        rows.push_back({archive.cluster, archive.archive, json::encode_text(archive), now});
        if (!archive.archive.empty()) TRY(follow_bases(db, agent, archive, said_at, now));
    }
    return store::ClusterWals(db).replace(agent.id, rows);
}

}  // namespace backstay::dispatch
