// Scans of destinations and the clean-ups that follow from them, one after the other on the scan threads.
#pragma once

#include <atomic>
#include <string>

#include "common/clock.h"
#include "control-plane/browse/reach.h"
#include "control-plane/browse/scan_rows.h"
#include "control-plane/store/database_threads.h"

namespace backstay::browse {

class Scans {
public:
    // All outlive it. `folder`: where lists of objects are kept while a scan runs. Ends what a former process left.
    Scans(store::DatabaseThreads& threads, const Clock& clock, const Reach& reach, std::string folder);

    // Something is queued. Any thread.
    void kick();
    void stop() { stopping_ = true; }

private:
    void work_off(sql::Database& db);

    store::DatabaseThreads& threads_;
    const Clock& clock_;
    const Reach& reach_;
    const std::string folder_;
    std::atomic<bool> stopping_ = false;
};

// One scan from its beginning to its row's end. An error is one of the store; whatever the destination does ends in
// the row.
Result<> run_scan(sql::Database& db, const ScanRow& scan, Storage& storage, const std::string& list_file,
                  const Clock& clock, const std::atomic<bool>& stopping);

}  // namespace backstay::browse
