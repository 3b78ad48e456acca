// Brings to each destination the WAL that it lacks, from one that has it, in the background and one at a time; first of
// all, reads back from the archive what a crash kept from being noted.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "agent/archiver/depot.h"
#include "agent/archiver/recorder.h"

namespace backstay::archiver {

class Filler {
public:
    Filler(std::string state_dir, std::string system_id, std::vector<Depot*> depots, Recorder& recorder);
    ~Filler();
    Filler(const Filler&) = delete;
    Filler& operator=(const Filler&) = delete;

private:
    void work();
    Result<> catch_up(sqlite::Database& database);
    Result<> note(wal::Archive& archive, const wal::ListedWal& listed);
    // How many were brought there.
    Result<std::size_t> fill(sqlite::Database& database, Depot& lacking);
    Result<> bring(const WalLack& lack, Depot::Opened& to, Depot& lacking);

    std::string state_dir_;
    std::string system_id_;
    std::vector<Depot*> depots_;
    Recorder& recorder_;
    SystemClock clock_;
    std::stop_source stop_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::thread thread_;
};

}  // namespace backstay::archiver
