#include "agent/worker/rounds.h"

#include <optional>

#include "agent/state/state.h"
#include "common/log.h"

namespace backstay {

Rounds::Rounds(const Settings& settings, std::string what, std::chrono::seconds every, Look look)
    : settings_(settings), what_(std::move(what)), every_(every), look_(std::move(look)) {}

Rounds::~Rounds() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Rounds::start() {
    thread_ = std::thread([this] { run(); });
}

void Rounds::nudge() {
    {
        const std::lock_guard lock(mutex_);
        nudged_ = true;
    }
    wake_.notify_all();
}

void Rounds::run() {
    std::optional<sqlite::Database> database;
    while (true) {
        if (!database) {
            auto opened = open_state(settings_.config().state_dir);
            if (opened) database.emplace(std::move(*opened));
            if (!opened) log::error("the state does not open", {{"for", what_}, {"error", opened.error().message()}});
        }
        if (database) look_(*database);
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, every_, [&] { return ending_ || nudged_; });
        nudged_ = false;
        if (ending_) return;
    }
}

}  // namespace backstay
