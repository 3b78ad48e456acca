// Runs jobs: each on a thread of its own, a few long ones side by side, short ones at once, never two that touch one
// database. One supervisor thread starts, watches and reaps them; it sleeps while there is nothing to do.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/worker/board.h"
#include "agent/worker/orders.h"
#include "agent/worker/recovery.h"
#include "agent/worker/runner.h"
#include "agent/worker/settings.h"
#include "common/sqlite/database.h"
#include "control-plane-client/protocol.h"

namespace backstay {

class Worker {
public:
    // Called from any thread of the worker; they must not block and must not call back.
    struct Events {
        std::function<void(const std::string& job_id)> changed;  // queued, started or over
        Board::OnProgress progressed;
    };

    Worker(const Settings& settings, Events events);
    // Ends what still runs, as stop(0) does.
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    // Settles what the last process left (jobs in `database` that are not over), then runs what was submitted. Returns
    // at once; nothing may be submitted before.
    Result<> start(sqlite::Database& database);
    // Takes no new job, lets running ones finish for `grace_ms`, then stops them: they end as interrupted. Blocks.
    void stop(std::int64_t grace_ms);
    // Ends the grace of a stop() that waits. Any thread.
    void hurry();

    // Stores the row in the caller's database and queues the job. conflict: known already (an offer repeated);
    // exhausted: the queue is full; unavailable: stopping.
    Result<> submit(sqlite::Database& database, JobRequest request);
    // False when no such job waits or runs. A waiting one is over at once, a running one soon.
    bool cancel(const std::string& job_id, StopCause cause);

    std::vector<control_plane::HeldJob> held() const;
    std::int32_t free_slots() const;
    std::optional<Progress> progress_of(const std::string& job_id) const { return board_.of(job_id); }

private:
    struct Running {
        explicit Running(JobRequest given) : request(std::move(given)) {}
        JobRequest request;
        std::stop_source stop;
        std::atomic<StopCause> cause = StopCause::none;
        std::int64_t deadline_ms = 0;  // steady
        std::atomic<bool> over = false;
        std::thread thread;
    };
    using Jobs = std::list<std::unique_ptr<Running>>;

    void supervise(const std::vector<JobRow>& left);
    void recover(sqlite::Database& database, const std::vector<JobRow>& left);
    void do_chores(sqlite::Database& database, const SweepScope& scope);
    void come_back(const Result<std::optional<TimeMs>>& due, const char* failed);
    SweepScope scope_locked(const Jobs& over) const;
    void start_ready_locked();
    bool may_start_locked(const JobRequest& request) const;
    void enforce_deadlines_locked();
    Jobs take_over_locked();
    void join_all(Jobs jobs);
    void end_waiting(sqlite::Database& database, const JobRequest& request, StopCause cause);
    std::int32_t long_running_locked() const;
    void run(Running& running);

    const Settings& settings_;
    Events events_;
    Board board_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<JobRequest> queue_;
    std::deque<std::pair<JobRequest, StopCause>> ended_waiting_;
    Jobs running_;
    bool started_ = false;
    bool ready_ = false;  // recovery is done
    bool stopping_ = false;
    bool hurry_ = false;
    bool quit_ = false;
    bool poked_ = false;
    // The supervisor's own: when it must look after leftovers again (steady); nothing: not by itself.
    std::optional<std::int64_t> next_chore_ms_;
    std::thread supervisor_;
};

}  // namespace backstay
