#include "agent/worker/worker.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/state/jobs.h"
#include "agent/state/state.h"
#include "agent/worker/memory.h"
#include "agent/worker/recovery.h"
#include "agent/worker/snapshots.h"
#include "common/domain/reasons.h"
#include "common/log.h"

namespace backstay {
namespace {

constexpr std::size_t kQueueMax = 64;
constexpr std::int32_t kQuickMax = 4;
constexpr auto kTick = std::chrono::milliseconds(500);
constexpr std::int64_t kSweepAgainMs = 300'000;
constexpr std::int64_t kChoresAtLeastMs = 3'600'000;
constexpr std::size_t kJobsKept = 2000;

}  // namespace

Worker::Worker(const Settings& settings, Events events)
    : settings_(settings), events_(std::move(events)), board_(events_.progressed) {}

Worker::~Worker() { stop(0); }

Result<> Worker::start(sqlite::Database& database) {
    auto left = TRY(JobRepository(database).newest(kJobsKept, true));
    const std::lock_guard lock(mutex_);
    if (started_ || stopping_) return {};
    started_ = true;
    supervisor_ = std::thread([this, taken = std::move(left)] { supervise(taken); });
    return {};
}

void Worker::stop(std::int64_t grace_ms) {
    {
        std::unique_lock lock(mutex_);
        stopping_ = true;
        if (!started_) return;
        wake_.wait_for(lock, std::chrono::milliseconds(grace_ms), [&] { return running_.empty() || hurry_; });
        for (const auto& running : running_) {
            auto none = StopCause::none;
            running->cause.compare_exchange_strong(none, StopCause::shut_down);
            running->stop.request_stop();
        }
        quit_ = true;
        poked_ = true;
    }
    wake_.notify_all();
    if (supervisor_.joinable()) supervisor_.join();
}

void Worker::hurry() {
    {
        const std::lock_guard lock(mutex_);
        hurry_ = true;
    }
    wake_.notify_all();
}

Result<> Worker::submit(sqlite::Database& database, JobRequest request) {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return Error(Errc::unavailable, "the agent is stopping");
        if (queue_.size() >= kQueueMax) {
            return Error(Errc::exhausted, fmt::format("{} jobs are waiting already", queue_.size()));
        }
    }
    const AgentConfig config = settings_.config();
    if (!config.clusters.empty()) name_cluster(request.order, config.clusters.front().name);
    if (const EnvironmentOrder* environment = environment_of(request.order)) {
        request.row.cluster = environment->cluster.value_or("");
    }
    TRY(JobRepository(database).add(request.row));
    const std::string id = request.row.job_id;
    {
        const std::lock_guard lock(mutex_);
        queue_.push_back(std::move(request));
        poked_ = true;
    }
    wake_.notify_all();
    events_.changed(id);
    return {};
}

bool Worker::cancel(const std::string& job_id, StopCause cause) {
    {
        const std::lock_guard lock(mutex_);
        const auto waiting = std::find_if(queue_.begin(), queue_.end(),
                                          [&](const JobRequest& request) { return request.row.job_id == job_id; });
        const auto running = std::find_if(running_.begin(), running_.end(), [&](const auto& job) {
            return job->request.row.job_id == job_id && !job->over;
        });
        if (waiting != queue_.end()) {
            ended_waiting_.emplace_back(std::move(*waiting), cause);
            queue_.erase(waiting);
        } else if (running != running_.end()) {
            auto none = StopCause::none;
            (*running)->cause.compare_exchange_strong(none, cause);
            (*running)->stop.request_stop();
        } else {
            return false;
        }
        poked_ = true;
    }
    wake_.notify_all();
    return true;
}

std::vector<control_plane::HeldJob> Worker::held() const {
    const std::lock_guard lock(mutex_);
    std::vector<control_plane::HeldJob> jobs;
    for (const JobRequest& request : queue_) jobs.push_back({request.row.job_id, request.row.fence});
    for (const auto& running : running_) jobs.push_back({running->request.row.job_id, running->request.row.fence});
    return jobs;
}

std::int32_t Worker::long_running_locked() const {
    return static_cast<std::int32_t>(std::count_if(
        running_.begin(), running_.end(), [](const auto& running) { return !is_quick(running->request.order); }));
}

std::int32_t Worker::free_slots() const {
    const std::int32_t slots = settings_.config().limits.concurrent_jobs;
    const std::lock_guard lock(mutex_);
    if (stopping_) return 0;
    const auto waiting =
        std::count_if(queue_.begin(), queue_.end(), [](const JobRequest& request) { return !is_quick(request.order); });
    return std::max(0, slots - long_running_locked() - static_cast<std::int32_t>(waiting));
}

bool Worker::may_start_locked(const JobRequest& request) const {
    const bool quick = is_quick(request.order);
    const auto long_ones = long_running_locked();
    const auto quick_ones = static_cast<std::int32_t>(running_.size()) - long_ones;
    if (quick ? quick_ones >= kQuickMax : long_ones >= settings_.config().limits.concurrent_jobs) return false;
    const std::string database = locked_database(request.order);
    return database.empty() || std::none_of(running_.begin(), running_.end(), [&](const auto& running) {
               return locked_database(running->request.order) == database;
           });
}

void Worker::start_ready_locked() {
    if (stopping_ || !ready_) return;
    for (auto waiting = queue_.begin(); waiting != queue_.end();) {
        if (!may_start_locked(*waiting)) {
            ++waiting;
            continue;
        }
        auto running = std::make_unique<Running>(std::move(*waiting));
        waiting = queue_.erase(waiting);
        running->deadline_ms = steady_ms() + timeout_of(running->request.order);
        Running& job = *running;
        running_.push_back(std::move(running));
        job.thread = std::thread([this, &job] { run(job); });
    }
}

void Worker::run(Running& running) {
    const JobRow& row = running.request.row;
    log::info("job started", {{"job", row.job_id}, {"kind", row.kind}, {"database", row.database}});
    const std::int64_t began = steady_ms();
    const RunnerParts parts{settings_, board_, running.stop.get_token(), [&running] { return running.cause.load(); }};
    const auto finish = run_job(running.request, parts);
    if (finish) {
        log::info("job over", {{"job", row.job_id},
                               {"outcome", boost::describe::enum_to_string(finish->outcome, "")},
                               {"seconds", (steady_ms() - began) / 1000},
                               {"reason", finish->reason},
                               {"error", finish->error_message}});
    } else {
        log::error("job not recorded", {{"job", row.job_id}, {"error", finish.error().message()}});
    }
    {
        const std::lock_guard lock(mutex_);
        running.over = true;
        poked_ = true;
    }
    wake_.notify_all();
}

void Worker::enforce_deadlines_locked() {
    for (const auto& running : running_) {
        if (running->over || steady_ms() < running->deadline_ms) continue;
        auto none = StopCause::none;
        running->cause.compare_exchange_strong(none, StopCause::timed_out);
        running->stop.request_stop();
    }
}

Worker::Jobs Worker::take_over_locked() {
    Jobs over;
    for (auto job = running_.begin(); job != running_.end();) {
        const auto next = std::next(job);
        if ((*job)->over) over.splice(over.end(), running_, job);
        job = next;
    }
    return over;
}

void Worker::join_all(Jobs jobs) {
    for (const auto& job : jobs) {
        job->thread.join();
        events_.changed(job->request.row.job_id);
    }
}

void Worker::end_waiting(sqlite::Database& database, const JobRequest& request, StopCause cause) {
    control_plane::JobFinish finish;
    const bool stopped = cause == StopCause::shut_down;
    finish.outcome = stopped ? control_plane::JobOutcome::interrupted : control_plane::JobOutcome::cancelled;
    finish.reason = stopped ? reason::kAgentRestarted : reason::kCancelled;
    finish.error_message = stopped ? "the agent was stopped before the job began" : "cancelled before it began";
    finish.transient = stopped;
    const auto ended = JobRepository(database).finish(request.row.job_id, finish, settings_.clock().now_ms());
    if (!ended) log::error("job not recorded", {{"job", request.row.job_id}, {"error", ended.error().message()}});
    events_.changed(request.row.job_id);
}

void Worker::recover(sqlite::Database& database, const std::vector<JobRow>& left) {
    const auto settled = settle_after_crash(database, settings_, left);
    if (!settled) log::error("recovery failed", {{"error", settled.error().message()}});
    if (const auto pruned = JobRepository(database).prune(kJobsKept); !pruned) {
        log::warning("old jobs not removed", {{"error", pruned.error().message()}});
    }
    if (const auto cleared = clear_unfinished_snapshots(database, settings_); !cleared) {
        log::warning("unfinished snapshots not removed", {{"error", cleared.error().message()}});
    }
    do_chores(database, {});
}

SweepScope Worker::scope_locked(const Jobs& over) const {
    SweepScope scope;
    for (const auto& job : over) {
        for (DestinationOrder& met : destinations_of(job->request.order)) scope.destinations.push_back(std::move(met));
    }
    for (const auto& running : running_) {
        const Order& order = running->request.order;
        if (const auto* copy = std::get_if<CopyOrder>(&order)) scope.busy.insert(copy->backup_id);
        if (const auto folder = snapshots_written_by(order)) scope.busy_folders.insert(*folder);
    }
    return scope;
}

// Leftovers that could not be swept, and what is kept until its time comes: pairs of restores, snapshots.
void Worker::do_chores(sqlite::Database& database, const SweepScope& scope) {
    next_chore_ms_.reset();
    const auto clean = sweep_due(database, settings_, scope);
    if (!clean || !*clean) next_chore_ms_ = steady_ms() + kSweepAgainMs;
    come_back(drop_expired_pairs(database, settings_), "kept pairs not looked after");
    come_back(prune_snapshots(database, settings_), "snapshots not looked after");
}

void Worker::come_back(const Result<std::optional<TimeMs>>& due, const char* failed) {
    if (!due) log::warning(failed, {{"error", due.error().message()}});
    if (!due || !*due) return;
    // Never more than an hour ahead: the wall clock may be set meanwhile.
    const std::int64_t wait = std::clamp<std::int64_t>(**due - settings_.clock().now_ms(), 0, kChoresAtLeastMs);
    next_chore_ms_ = std::min(next_chore_ms_.value_or(INT64_MAX), steady_ms() + wait);
}

void Worker::supervise(const std::vector<JobRow>& left) {
    auto database = open_state(settings_.config().state_dir);
    if (!database) {
        log::error("the worker has no state", {{"error", database.error().message()}});
        return;
    }
    recover(*database, left);
    give_memory_back();
    std::unique_lock lock(mutex_);
    ready_ = true;
    poked_ = true;
    while (true) {
        if (!running_.empty()) {
            wake_.wait_for(lock, kTick, [&] { return poked_; });
        } else if (next_chore_ms_) {
            const std::int64_t wait = std::max<std::int64_t>(*next_chore_ms_ - steady_ms(), 0);
            wake_.wait_for(lock, std::chrono::milliseconds(wait), [&] { return poked_; });
        } else {
            wake_.wait(lock, [&] { return poked_; });
        }
        poked_ = false;
        Jobs over = take_over_locked();
        if (quit_) {
            for (JobRequest& request : queue_) ended_waiting_.emplace_back(std::move(request), StopCause::shut_down);
            queue_.clear();
        }
        const auto waiting = std::exchange(ended_waiting_, {});
        enforce_deadlines_locked();
        start_ready_locked();
        const bool over_all = running_.empty();
        const bool finished = quit_ && over_all;
        const SweepScope scope = scope_locked(over);
        lock.unlock();
        wake_.notify_all();
        for (const auto& [request, cause] : waiting) end_waiting(*database, request, cause);
        board_.tick();
        // A restore that is over may keep a pair from now on.
        const bool chores = !over.empty() || (next_chore_ms_ && steady_ms() >= *next_chore_ms_);
        const bool last_one = !over.empty() && over_all;
        join_all(std::move(over));
        if (finished) return;
        if (chores) do_chores(*database, scope);
        if (last_one) give_memory_back();
        lock.lock();
    }
}

}  // namespace backstay
