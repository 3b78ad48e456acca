// Scans of destinations and the clean-ups that follow from them, one after the other on the scan threads.
#pragma once

#include <atomic>
#include <string>

#include "common/clock.h"
#include "common/event/loop.h"
#include "control-plane/browse/reach.h"
#include "control-plane/browse/scan_rows.h"
#include "control-plane/store/database_threads.h"

namespace backstay::browse {

class Scans {
public:
    struct Place {
        std::string folder;      // where lists of objects are kept while a scan runs; nobody else's
        std::string replica_id;  // that runs them
    };
    // All outlive it. Ends what processes left that are no more; where replicas share the store, also later, and takes
    // up what waits there.
    Scans(Loop& loop, store::DatabaseThreads& threads, const Clock& clock, const Reach& reach, Place place);

    // Something is queued. Any thread.
    void kick();
    void stop() { stopping_ = true; }

private:
    void begin(sql::Database& db);
    void work_off(sql::Database& db);
    void look();

    store::DatabaseThreads& threads_;
    const Clock& clock_;
    const Reach& reach_;
    const Place place_;
    std::atomic<bool> stopping_ = false;
    std::atomic<bool> looking_ = false;
    Timer look_timer_;
};

// One scan from its beginning to its row's end. An error is one of the store; whatever the destination does ends in
// the row.
Result<> run_scan(sql::Database& db, const ScanRow& scan, Storage& storage, const std::string& list_file,
                  const Clock& clock, const std::atomic<bool>& stopping);

}  // namespace backstay::browse
