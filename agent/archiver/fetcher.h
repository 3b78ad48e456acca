// Gives WAL back: to PostgreSQL's restore_command through the socket. Segments that will be asked for next are fetched
// ahead into files without a name, checked like the first, and given up when nobody asks for them. Where whoever asks
// gives such files along, of its own and where it wants them, that is where they are written, and handing one over
// copies nothing; else they are in a scratch folder. Any thread.
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

struct FetchOrder {
    wal::WalName name;
    std::uint64_t user = 0;  // who asks, by the kernel's word
    Fd into;
    std::vector<Fd> spares;      // empty, without a name
    std::function<bool()> gone;  // whoever asks is not there any more
};

class Fetcher {
public:
    explicit Fetcher(FetcherParts parts);
    ~Fetcher();
    Fetcher(const Fetcher&) = delete;
    Fetcher& operator=(const Fetcher&) = delete;

    // Ends transfers: to be called before the object may go.
    void end() { stop_.request_stop(); }
    // The file is in `into`, or in a spare of this or an earlier order: then it is answered. It is not synced:
    // PostgreSQL syncs each file that it keeps, with its folder, before it counts on it (its durable_rename()), and
    // asks again for what a crash took before. not_found only when every destination was asked and has none, and one
    // that holds nothing at all cannot be the one that should have it: of anything else recovery must stop, or it would
    // end too early.
    Result<Fd> fetch(FetchOrder order);

private:
    enum class State { waiting, fetching, there, failed };
    // Whose a file is, and on which file system.
    struct Home {
        std::uint64_t device = 0;
        std::uint64_t user = 0;
        friend bool operator==(const Home&, const Home&) = default;
    };
    struct Scratch {
        Fd file;
        std::optional<Home> home;  // a spare; nullopt: our own
    };
    struct Ahead {
        wal::WalName name;
        State state = State::waiting;
        Scratch scratch;
        std::int64_t touched = 0;
    };

    void work();
    void plan(const wal::WalName& after);
    static std::optional<Home> home_of(const Fd& file, bool spare);
    void take_in(std::vector<Fd> spares, const std::optional<Home>& home);
    Scratch scratch();
    Result<> await(std::unique_lock<std::mutex>& lock, const std::string& name, const std::function<bool()>& gone);
    enum class Asked { has, has_not, empty };
    Result<Asked> ask(const Depot& depot, const wal::WalName& name, const Fd& into, const std::stop_token& stop);
    Result<Depot::Opened> take(const Depot& depot, const std::stop_token& stop);
    Result<> fetch_now(const wal::WalName& name, const Fd& into, const std::stop_token& stop);
    static Result<> copy(const Fd& from, const Fd& into);

    FetcherParts parts_;
    std::stop_source stop_;
    std::mutex mutex_;
    std::condition_variable work_;
    std::condition_variable changed_;
    std::map<std::string, Ahead> ahead_;
    std::vector<Scratch> spares_;  // all of one home
    bool ending_ = false;
    std::vector<std::thread> threads_;
    // Connections that wait to be used again.
    std::mutex idle_mutex_;
    std::map<const Depot*, std::vector<Depot::Opened>> idle_;
};

}  // namespace backstay::archiver
