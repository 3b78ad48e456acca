#include "agent/archiver/depot.h"

#include <algorithm>

#include "common/log.h"

namespace backstay::archiver {
namespace {

constexpr std::size_t kTasksMax = 48;
constexpr std::int64_t kFirstRestMs = 1'000;
constexpr std::int64_t kLongestRestMs = 30'000;

}  // namespace

Depot::Depot(DepotParts parts) : parts_(std::move(parts)) {
    for (std::size_t i = 0; i < parts_.threads; ++i) threads_.emplace_back([this] { work(); });
}

Depot::~Depot() { end(); }

void Depot::end() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    stop_.request_stop();
    work_.notify_all();
    for (std::thread& thread : threads_) {
        if (thread.joinable()) thread.join();
    }
}

bool Depot::is_full() const { return tasks_.size() >= kTasksMax || waiting_bytes_ >= parts_.waiting_bytes_max; }

Depot::Offer Depot::offer(const wal::PackedObject& object, Done done, bool insist) {
    const std::lock_guard lock(mutex_);
    if (ending_ || (rests() && !insist)) return Offer::resting;
    if (is_full() && !insist) return Offer::full;
    waiting_bytes_ += object.bytes.size();
    tasks_.push_back({&object, std::move(done), insist});
    work_.notify_one();
    return Offer::taken;
}

bool Depot::has_room() const {
    const std::lock_guard lock(mutex_);
    return !is_full();
}

bool Depot::resting() const {
    const std::lock_guard lock(mutex_);
    return rests();
}

DepotHealth Depot::health() const {
    const std::lock_guard lock(mutex_);
    return health_;
}

Result<Depot::Opened> Depot::open(std::stop_token stop) const {
    Opened opened;
    opened.storage = TRY(parts_.open(parts_.order, std::move(stop)));
    opened.archive = std::make_unique<wal::Archive>(*opened.storage, parts_.folder, parts_.key);
    return opened;
}

// A conflict is the content's fault, not the destination's.
void Depot::note(const Result<>& result) {
    const std::lock_guard lock(mutex_);
    if (result || result.error().code() == Errc::conflict) {
        if (health_.down) log::info("WAL destination is back", {{"destination", parts_.order.id}});
        health_ = {};
        rest_until_ = rest_ms_ = 0;
        return;
    }
    if (result.error().code() == Errc::cancelled) return;
    if (!health_.down) {
        log::warning("WAL destination fails", {{"destination", parts_.order.id}, {"error", result.error().message()}});
        health_.down_since = clock_.now_ms();
    }
    health_.down = true;
    health_.why = result.error().message();
    // Threads that failed together count once.
    if (rests()) return;
    rest_ms_ = std::clamp(rest_ms_ * 2, kFirstRestMs, kLongestRestMs);
    rest_until_ = steady_ms() + rest_ms_;
}

Result<wal::StoredWal> Depot::store(std::optional<Opened>& opened, const Task& task) {
    if (!opened) opened = TRY(open(stop_.get_token()));
    Result<wal::StoredWal> stored = opened->archive->put(*task.object, parts_.encrypted);
    if (!stored && stored.error().code() != Errc::conflict) opened.reset();
    return stored;
}

Result<wal::StoredWal> Depot::answer(std::optional<Opened>& opened, const Task& task, bool ending, bool resting) {
    if (ending) return Error(Errc::cancelled, "the agent is stopping");
    if (resting && !task.insist) return Error(Errc::unavailable, health().why);
    Result<wal::StoredWal> stored = store(opened, task);
    note(stored ? Result<>() : Result<>(stored.error()));
    return stored;
}

void Depot::work() {
    std::optional<Opened> opened;
    std::unique_lock lock(mutex_);
    while (true) {
        work_.wait(lock, [this] { return ending_ || !tasks_.empty(); });
        if (tasks_.empty()) return;
        Task task = std::move(tasks_.front());
        tasks_.pop_front();
        const bool ending = ending_;
        const bool resting = rests();
        const std::size_t bytes = task.object->bytes.size();
        lock.unlock();
        Result<wal::StoredWal> stored = answer(opened, task, ending, resting);
        lock.lock();
        waiting_bytes_ -= bytes;
        lock.unlock();
        task.done(std::move(stored));
        lock.lock();
    }
}

}  // namespace backstay::archiver
