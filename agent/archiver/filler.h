// Brings to each destination the WAL that it lacks, from one that has it, in the background and one at a time; first of
// all, reads back from the archive what a crash kept from being noted.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "agent/archiver/depot.h"
#include "agent/archiver/recorder.h"

namespace backstay::archiver {

struct FillerParts {
    std::string state_dir;
    std::string system_id;
    std::vector<Depot*> depots;
    Recorder& recorder;
    // As the state had it before the first push of this life: what comes then may lie behind what a crash left unnoted.
    std::optional<WalSegment> newest;
    std::chrono::milliseconds interval = std::chrono::seconds(5);
};

class Filler {
public:
    explicit Filler(FillerParts parts);
    ~Filler();
    Filler(const Filler&) = delete;
    Filler& operator=(const Filler&) = delete;

private:
    // Where a round takes WAL from; nullopt: it could not be opened, or failed.
    using Sources = std::map<Depot*, std::optional<Depot::Opened>>;

    void work();
    void look_after(sqlite::Database& database);
    Result<> catch_up(sqlite::Database& database, Depot& depot);
    Result<std::size_t> read_on(WalRepository& repository, wal::Archive& archive, const WalCluster& cluster,
                                wal::Timeline only, const std::optional<WalSegment>& from, bool encrypted);
    Result<> note(wal::Archive& archive, const wal::ListedWal& listed);
    // How many were brought there.
    Result<std::size_t> fill(sqlite::Database& database, Depot& lacking);
    bool is_under_way(const WalLack& lack) const;
    // False: it is not to be had now. An error is the destination's own.
    Result<bool> bring(WalLack lack, Depot::Opened& to, Depot& lacking, Sources& sources);
    Result<wal::PackedObject> find(const WalLack& lack, const Depot& lacking, Sources& sources);

    FillerParts parts_;
    SystemClock clock_;
    TimeMs started_at_;
    std::set<const Depot*> caught_up_;
    std::size_t missed_ = 0;  // lacks of this round that turned out not to be had
    std::stop_source stop_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::thread thread_;
};

}  // namespace backstay::archiver
