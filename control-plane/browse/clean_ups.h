// What follows a complete scan: orphans that are old go, records of which the files are gone lose that copy. Both look
// again before they act.
#pragma once

#include <atomic>
#include <vector>

#include "control-plane/browse/scan_rows.h"
#include "control-plane/browse/scratch_list.h"
#include "control-plane/browse/tally.h"

namespace backstay::browse {

inline constexpr std::int64_t kMostRemoved = 10'000;      // of one run
inline constexpr std::int64_t kMostLookedAgain = 10'000;  // files; what is beyond waits for the next run

// Of a record that is not known here, what was last changed before counts as an orphan.
TimeMs unheard_before(const ScanRow& scan, TimeMs now);

struct StaleFound {
    std::vector<StaleRecord> records;
    std::int64_t looked_at = 0;  // records that have something in the destination
};
// Records whose stored copies are not in the list. What was stored after `started_at`, and what is worked on, is left
// out.
Result<StaleFound> find_stale(sql::Database& db, const ScanRow& scan, ScratchList& list, TimeMs started_at);

// Those of which files are still not there when they are asked for by name: a listing may be late, or have left out
// what it should not. An error is one of the destination: nothing is sure then.
Result<std::vector<StaleRecord>> confirm_stale(Storage& storage, const std::vector<StaleRecord>& listed,
                                               const std::atomic<bool>& stopping);

// The copies count as missing; a backup of which no copy is left anywhere goes. Raises stale_records_removed. In a
// transaction for each record. What changed since `started_at` stays as it is.
Result<> drop_stale(sql::Database& db, const ScanRow& scan, const std::vector<StaleRecord>& stale, TimeMs started_at,
                    TimeMs now);
// Nothing was dropped: a critical alert instead.
Result<> raise_suspicion(sql::Database& db, const ScanRow& scan, const StaleFound& found, TimeMs now);

// By exact key and etag. Raises orphans_removed.
Result<> remove_orphans(sql::Database& db, const ScanRow& scan, Storage& storage, ScratchList& list, Tally& tally,
                        TimeMs now, const std::atomic<bool>& stopping);

}  // namespace backstay::browse
