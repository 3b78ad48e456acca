// After a crash: every job that was queued or running under the last process is settled. Its operations' leftovers are
// swept by the notes that they left, steps that ran are failed, and the job ends as interrupted, so that the control
// plane may hand it out again. A restore that had swapped its pair in is proven and committed, and so succeeded, or put
// back, and so failed and reverted: nothing stays live that nobody vouches for.
#pragma once

#include <set>

#include "agent/state/jobs.h"
#include "agent/worker/settings.h"
#include "common/sqlite/database.h"

namespace backstay {

// Blocks while it sweeps. What could not be swept (a destination out of reach) keeps
// its notes and is tried again by sweep_due().
Result<> settle_after_crash(sqlite::Database& database, const Settings& settings, const std::vector<JobRow>& left);

// Before a job's row ends: what its operations still have noted is due.
Result<> mark_leftovers(sqlite::Database& database, const std::string& job_id);

// What a sweep may use and must leave alone.
struct SweepScope {
    // Known besides those of the configuration: of jobs that have just run, whose secrets nobody keeps.
    std::vector<DestinationOrder> destinations;
    std::set<std::string> busy;  // backups that are being copied
    // Where snapshots are being copied to: "v1/<org>/<project>/<env>/snapshots".
    std::set<std::string> busy_folders;
};

// Tries again what is still due. True when nothing is left.
Result<bool> sweep_due(sqlite::Database& database, const Settings& settings, const SweepScope& scope = {});

// Whose leftovers are still due: ids of their operations.
Result<std::vector<std::string>> sweeps_due(sqlite::Database& database);

// What a restore replaced, until it is dropped: the instant way back.
struct KeptPair {
    std::string operation_id;
    TimeMs until = 0;
};
Result<std::vector<KeptPair>> kept_pairs(sqlite::Database& database);

// Drops the pairs that restores kept for the way back, when their time has come, and forgets them. Answers when the
// next one is due; a pair that could not be dropped now is due again in five minutes.
Result<std::optional<TimeMs>> drop_expired_pairs(sqlite::Database& database, const Settings& settings);

}  // namespace backstay
