#include "agent/local-api/desk.h"

#include "agent/local-api/answers.h"
#include "agent/state/state.h"
#include "common/log.h"

namespace backstay::local_api {
namespace {

constexpr std::size_t kWaitingMax = 64;

}  // namespace

Desk::Desk(Loop& loop, std::string state_dir)
    : loop_(loop), state_dir_(std::move(state_dir)), thread_([this] { work(); }) {}

Desk::~Desk() {
    stop_.request_stop();
    {
        const std::lock_guard lock(mutex_);
        quit_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void Desk::serve(std::unique_ptr<http::Exchange> exchange, Work work) {
    if (waiting_.size() >= kWaitingMax) {
        return exchange->respond(error_answer(503, "unavailable", "too many requests wait already"));
    }
    const std::uint64_t id = next_++;
    http::Request request = exchange->request();
    waiting_.emplace(id, std::move(exchange));
    put([this, id, request = std::move(request), work = std::move(work)](sqlite::Database& database) {
        http::Response response = work(database, request);
        loop_.post([this, id, response = std::move(response)]() mutable {
            const auto found = waiting_.find(id);
            if (found == waiting_.end()) return;
            auto answered = std::move(found->second);
            waiting_.erase(found);
            answered->respond(std::move(response));
        });
    });
}

void Desk::run(Task task) { put(std::move(task)); }

void Desk::put(Task task) {
    {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
    }
    wake_.notify_all();
}

void Desk::work() {
    auto database = open_state(state_dir_);
    if (!database) {
        log::error("the socket has no state", {{"error", database.error().message()}});
        return;
    }
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [&] { return quit_ || !tasks_.empty(); });
        if (quit_) return;
        const Task task = std::move(tasks_.front());
        tasks_.pop_front();
        lock.unlock();
        task(*database);
        lock.lock();
    }
}

}  // namespace backstay::local_api
