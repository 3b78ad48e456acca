// Hands archived WAL to a recovering server of our own, through two pipes in the file system and a script of a few
// lines as its restore_command: no program of ours, no socket and no agent is needed. Segments ahead of what was asked
// for are fetched meanwhile, a bounded number of them. The folder that they lie in is ours alone: the server's user
// links or copies out of it and cannot lead us elsewhere. Trouble ends the recovery; only what is certainly not in the
// archive is "absent", which to PostgreSQL is the end of WAL.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "agent/jobs/pitr/server_user.h"
#include "common/result.h"

namespace backstay::pitr {

class WalFeeder {
public:
    // Writes the file of that name to `path`, or answers not_found. Called on several threads, one fetcher each.
    using Fetch = std::function<Result<>(const std::string& name, const std::string& path)>;
    using MakeFetch = std::function<Result<Fetch>()>;
    // The file that will be asked for next; "": unknown.
    using Next = std::function<std::string(const std::string& name)>;

    struct Parts {
        std::string folder;  // new; on the file system of the data folder
        ServerUser owner;
        MakeFetch make_fetch;
        Next next;
        std::function<void(const std::string& name)> on_served;
        std::size_t fetchers = 3;
        std::size_t ahead = 8;
    };
    static Result<std::unique_ptr<WalFeeder>> start(Parts parts);
    // Ends its threads; the folder stays.
    ~WalFeeder();

    // For postgresql.conf, not yet quoted for it.
    std::string restore_command() const;
    // Why the recovery was ended, if it was by us.
    std::optional<Error> failure() const;
    std::uint64_t served() const { return served_; }

private:
    enum class State { waiting, fetching, ready, absent, failed };

    explicit WalFeeder(Parts parts) : parts_(std::move(parts)) {}
    Result<> open();
    void serve();
    std::string answer(const std::string& name);
    std::string ready_path(const std::string& name) const;
    void fetch_ahead();
    void look_ahead_locked(const std::string& name);
    void take(const std::string& name, Fetch& fetch, std::unique_lock<std::mutex>& lock);

    Parts parts_;
    int ask_ = -1;
    int answer_ = -1;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, State> files_;
    std::vector<std::string> wanted_;  // oldest first
    std::string asked_;                // what the server waits for now
    std::string handed_;               // what it got last; the serving thread's
    std::optional<Error> failure_;
    std::atomic<std::uint64_t> served_ = 0;
    bool ending_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace backstay::pitr
