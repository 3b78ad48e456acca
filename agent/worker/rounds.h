// Looks at the agent's state again and again, on a thread and a connection of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "agent/worker/settings.h"
#include "common/sqlite/database.h"

namespace backstay {

class Rounds {
public:
    using Look = std::function<void(sqlite::Database& database)>;

    // `what` names it in the log. `look` is called on the thread, first at once and then `every` so often; a state that
    // does not open is tried again as often.
    Rounds(const Settings& settings, std::string what, std::chrono::seconds every, Look look);
    // Waits for the look that is under way.
    ~Rounds();
    Rounds(const Rounds&) = delete;
    Rounds& operator=(const Rounds&) = delete;

    void start();
    // Look now. Any thread.
    void nudge();

private:
    void run();

    const Settings& settings_;
    std::string what_;
    std::chrono::seconds every_;
    Look look_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool ending_ = false;
    bool nudged_ = false;
    std::thread thread_;
};

}  // namespace backstay
