#include "control-plane/operations/counts.h"
#include "control-plane/serve/metrics.h"
#include "control-plane/store/removal_hold.h"

namespace backstay::serve {

Result<std::vector<Sample>> collect_operations(sql::Database& db, TimeMs now) {
    const operations::OperationCounts counts = TRY(operations::count_operations(db));
    std::vector<Sample> samples;
    for (const auto& count : counts.jobs) {
        samples.push_back({"backstay_jobs",
                           "Unfinished jobs.",
                           {{"kind", count.kind}, {"state", count.state}},
                           static_cast<double>(count.number)});
    }
    for (const auto& [status, number] : counts.backups) {
        samples.push_back(
            {"backstay_backups", "Backups that are not deleted.", {{"status", status}}, static_cast<double>(number)});
    }
    for (const auto& [status, number] : counts.snapshots) {
        samples.push_back({"backstay_snapshots",
                           "Snapshots that are not deleted.",
                           {{"status", status}},
                           static_cast<double>(number)});
    }
    for (const auto& last : counts.last_backups) {
        samples.push_back({"backstay_last_backup_timestamp_seconds",
                           "When the environment's newest restorable backup was completed.",
                           {{"environment", last.environment_id}, {"type", last.scope}},
                           static_cast<double>(last.completed_at) / 1000.0});
    }
    const auto held = TRY(store::removals_held_until(db, now));
    samples.push_back({"backstay_removals_held_until_timestamp_seconds",
                       "After a restore of the control plane: until then nothing is removed by itself; 0: it is.",
                       {},
                       static_cast<double>(held.value_or(0)) / 1000.0});
    return samples;
}

}  // namespace backstay::serve
