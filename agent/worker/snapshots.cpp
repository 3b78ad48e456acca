#include "agent/worker/snapshots.h"

#include <algorithm>

#include "agent/evidence/silent_journal.h"
#include "agent/jobs/snapshots.h"
#include "agent/state/jobs.h"
#include "agent/worker/shelf.h"
#include "common/ids.h"
#include "common/log.h"

namespace backstay {
namespace {

constexpr TimeMs kDayMs = 24LL * 3600 * 1000;
constexpr TimeMs kLookAgainMs = 3600LL * 1000;

Result<> remove(const SnapshotRow& row, const JobHost& host, sqlite::Database& database) {
    DeleteSnapshotOrder order;
    order.deletion_id = new_uuid();
    order.snapshot_id = row.snapshot_id;
    order.folder = row.folder;
    for (const DestinationOrder& destination : host.config.destinations) {
        const auto& held = row.destination_ids;
        if (std::find(held.begin(), held.end(), destination.id) != held.end())
            order.destinations.push_back(destination);
    }
    SilentJournal journal;
    ProgressMeter meter(host.clock, "delete_snapshot", order.deletion_id, "");
    Steps steps(journal, meter, host.clock, {});
    StateShelf shelf(database, host.clock, std::string(kOriginSocket));
    return run_delete_snapshot(order, host, steps, shelf);
}

}  // namespace

Result<> clear_unfinished_snapshots(sqlite::Database& database, const Settings& settings) {
    SnapshotRepository snapshots(database);
    const AgentConfig config = settings.config();
    for (const SnapshotRow& row : TRY(snapshots.of_status("running"))) {
        if (const auto removed = remove_unfinished_snapshot(row.folder, settings.host(config)); !removed) {
            log::warning("unfinished snapshot not removed",
                         {{"snapshot", row.snapshot_id}, {"error", removed.error().message()}});
            continue;
        }
        log::info("unfinished snapshot removed", {{"snapshot", row.snapshot_id}, {"database", row.database}});
        TRY(snapshots.remove(row.snapshot_id));
    }
    return {};
}

Result<std::optional<TimeMs>> prune_snapshots(sqlite::Database& database, const Settings& settings) {
    SnapshotRepository snapshots(database);
    const AgentConfig config = settings.config();
    const TimeMs now = settings.clock().now_ms();
    // A differential goes before the base that only it needed.
    while (true) {
        bool any = false;
        for (const SnapshotRow& row : TRY(snapshots.expired(now - config.snapshot_keep_days * kDayMs))) {
            if (const auto removed = remove(row, settings.host(config), database); !removed) {
                log::warning("expired snapshot not removed",
                             {{"snapshot", row.snapshot_id}, {"error", removed.error().message()}});
                continue;
            }
            log::info("expired snapshot removed", {{"snapshot", row.snapshot_id}, {"database", row.database}});
            any = true;
        }
        if (!any) break;
    }
    const auto left = TRY(snapshots.newest("", 1));
    return left.empty() ? std::optional<TimeMs>() : std::optional<TimeMs>(now + kLookAgainMs);
}

}  // namespace backstay
