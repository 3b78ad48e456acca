// Forgets operations that ended long ago: their steps, events and jobs first, later themselves with the backups and
// snapshots that are deleted, the restores and the rollbacks. What a backup or a snapshot that exists is judged by
// stays, and what a restore or a rollback that can be undone stands on.
#pragma once

#include <string>
#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/config/settings.h"

namespace backstay::live {

// Goes through all that ended once a day: most of them are kept for as long as their backup is, and a million of them
// are not to be looked at every few minutes, nor alone in the store. Not thread-safe.
class OperationPurge {
public:
    explicit OperationPurge(const RetentionSettings& keep) : keep_(keep) {}

    // One piece: looks on where the last one ended, without a lock, and forgets what it found in a transaction of its
    // own. Answers whether the pass goes on.
    Result<bool> some(sql::Database& db, TimeMs now);

private:
    struct Ended {
        std::string id;
        TimeMs completed_at = 0;
        bool has_steps = false;
        bool unneeded = false;
    };

    bool pass_is_due(TimeMs now) const;
    TimeMs looked_at_until(TimeMs now) const;
    bool is_due(const Ended& one, TimeMs now) const;
    Result<std::vector<Ended>> look(sql::Database& db, TimeMs now) const;
    Result<> forget(sql::Database& db, const std::vector<Ended>& due, TimeMs now) const;

    const RetentionSettings keep_;
    bool passing_ = false;
    TimeMs began_at_ = 0;  // of the last pass
    // The last one that was looked at.
    TimeMs seen_completed_at_ = 0;
    std::string seen_id_;
};

}  // namespace backstay::live
