// Gives WAL back: to PostgreSQL's restore_command through the socket. Segments that will be asked for next are fetched
// ahead into files without a name in a scratch folder, checked like the first, and given up when nobody asks for them.
// Any thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/archiver/depot.h"
#include "agent/archiver/descriptor.h"
#include "agent/wal/segment_name.h"

namespace backstay::archiver {

struct FetcherParts {
    std::vector<const Depot*> depots;  // in the order in which they are asked
    std::uint64_t segment_bytes = wal::kDefaultSegmentBytes;
    std::string scratch_folder;
    std::size_t threads = 2;
    std::size_t ahead = 8;
    // Whether the archive ought to hold it, by what the agent knows.
    std::function<Result<bool>(const wal::WalName&)> ought_to_be = {};
};

class Fetcher {
public:
    explicit Fetcher(FetcherParts parts);
    ~Fetcher();
    Fetcher(const Fetcher&) = delete;
    Fetcher& operator=(const Fetcher&) = delete;

    // Ends transfers: to be called before the object may go.
    void end() { stop_.request_stop(); }
    // Writes the file and makes it durable. not_found only when every destination was asked and has none, and one that
    // holds nothing at all cannot be the one that should have it: of anything else recovery must stop, or it would end
    // too early.
    // `gone`: whoever asks is not there any more.
    Result<> fetch(const wal::WalName& name, const Fd& into, const std::function<bool()>& gone = {});

private:
    enum class State { waiting, fetching, there, failed };
    struct Ahead {
        wal::WalName name;
        State state = State::waiting;
        Fd file;
        std::int64_t touched = 0;
    };

    void work();
    void plan(const wal::WalName& after);
    Result<> await(std::unique_lock<std::mutex>& lock, const std::string& name, const std::function<bool()>& gone);
    enum class Asked { has, has_not, empty };
    Result<Asked> ask(const Depot& depot, const wal::WalName& name, const Fd& into, const std::stop_token& stop);
    Result<Depot::Opened> take(const Depot& depot, const std::stop_token& stop);
    Result<> fetch_now(const wal::WalName& name, const Fd& into, const std::stop_token& stop);
    Result<> hand_over(const Fd& from, const Fd& into);

    FetcherParts parts_;
    std::stop_source stop_;
    std::mutex mutex_;
    std::condition_variable work_;
    std::condition_variable changed_;
    std::map<std::string, Ahead> ahead_;
    bool ending_ = false;
    std::vector<std::thread> threads_;
    // Connections that wait to be used again.
    std::mutex idle_mutex_;
    std::map<const Depot*, std::vector<Depot::Opened>> idle_;
};

}  // namespace backstay::archiver
