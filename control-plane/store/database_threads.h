// Where database work runs: threads that write (SQLite: one), some that read, some for calls that wait on the network
// (connection tests), each with a connection of its own. Work is handed over from the loop thread and comes back to it
// as the function that the work returned. Queues are bounded for each tenant: a full one refuses, and the caller
// answers 503. On PostgreSQL connections are made when they are used first, and what is submitted may run side by side.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/sql/database.h"

namespace backstay::store {

class DatabaseThreads {
public:
    // Runs on the loop thread when the work is done; may be empty.
    using Done = std::function<void()>;
    // Runs on a database thread. Begins its own Transaction where it writes.
    using Work = std::function<Done(sql::Database&)>;
    // Runs on the loop thread with what became of the transaction that the work committed.
    using Told = std::function<void(const Result<>& stored)>;
    // As Work, for what begins one Transaction of its organization and does nothing outside of it: several that wait
    // are stored by one commit (sql/group.h), and told after it.
    using Member = std::function<Told(sql::Database&)>;
    // How results come back: posts to the loop (Loop::post); called from any thread.
    using Post = std::function<void(std::function<void()>)>;

    enum class Lane {
        read,   // two threads, on PostgreSQL four; must not write
        write,  // one thread: writers queue here instead of waiting for SQLite's lock; on PostgreSQL four
        slow,   // two threads; may wait for other hosts, writes in short transactions
        // As slow, for calls to destinations that somebody waits for, for transfers of content, and for scans: each
        // with threads of its own, so that none waits for the others.
        storage,   // four threads
        transfer,  // sixteen
        scan,      // two
        // On PostgreSQL one thread each, on SQLite the writing thread.
        upkeep,    // what runs by itself; its connection must not be silent for longer than kUpkeepSilenceMs
        exchange,  // what replicas tell each other
    };
    static constexpr std::int64_t kUpkeepSilenceMs = 6'000;

    // How many members one commit stores, and how long the first of them may wait until the last begins: others wait
    // behind them. PostgreSQL remembers 64 savepoints without an effort, and a member may need two.
    struct GroupLimits {
        std::size_t members = 32;
        std::int64_t ms = 20;
    };

    static Result<std::unique_ptr<DatabaseThreads>> start(const std::string& store, Post post,
                                                          std::size_t queue_limit = 2000);
    static Result<std::unique_ptr<DatabaseThreads>> start(const std::string& store, Post post, std::size_t queue_limit,
                                                          const GroupLimits& limits);
    ~DatabaseThreads();
    // Finishes what is queued, then joins; submit refuses from then on. What the last works return is posted, and runs
    // if the loop still does. Also done by the destructor.
    void stop();
    DatabaseThreads(const DatabaseThreads&) = delete;
    DatabaseThreads& operator=(const DatabaseThreads&) = delete;

    // `tenant`: the organization whose work it is, empty for our own. Tenants take turns in each lane; the works of one
    // begin in their order. An organization's works in the lane `write` run one after the other, those of its agents
    // among them. False: too much of this tenant waits already. Any thread.
    [[nodiscard]] bool submit(Lane lane, Work work, std::string_view tenant = {});
    // A work of the lane `write`. Those of one line that follow each other may be stored together.
    [[nodiscard]] bool submit_member(Member member, std::string_view tenant);
    // How many works wait in a lane.
    std::size_t queued(Lane lane) const;
    // How many of its threads are at work.
    std::size_t busy(Lane lane) const;

private:
    struct Pool;
    DatabaseThreads();
    const Pool& pool(Lane lane) const;

    std::unique_ptr<Pool> read_;
    std::unique_ptr<Pool> write_;
    std::unique_ptr<Pool> slow_;
    std::unique_ptr<Pool> storage_;
    std::unique_ptr<Pool> transfer_;
    std::unique_ptr<Pool> scan_;
    std::unique_ptr<Pool> upkeep_;    // none: writes
    std::unique_ptr<Pool> exchange_;  // likewise
};

}  // namespace backstay::store
