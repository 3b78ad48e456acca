#include "control-plane/live/live.h"

namespace backstay::live {

Live::Live(Loop& loop, store::DatabaseThreads& threads, const Clock& clock, dispatch::OpenDestination open,
           const Settings& settings, const std::string& replica)
    : streams_(loop, threads, static_cast<std::size_t>(settings.limits.streams_per_credential)),
      polls_(loop, threads, clock, std::move(open), [this](const dispatch::Stir& stirred) { stir(stirred); }),
      upkeep_(loop, threads, clock, settings.retention, replica,
              [this](const dispatch::Stir& stirred) { stir(stirred); }) {}

void Live::stir(const dispatch::Stir& stirred) {
    hear(stirred);
    if (ring_) ring_(stirred);
}

void Live::hear(const dispatch::Stir& stirred) {
    streams_.publish(stirred.operations);
    polls_.wake(stirred.agents);
}

void Live::look_around() {
    streams_.look_around();
    polls_.find_due();
}

void Live::after_commit(api::Call& call, dispatch::Stir stirred) {
    call.after_commit.emplace_back([this, changed = std::move(stirred)] { stir(changed); });
}

void Live::stop() {
    upkeep_.stop();
    streams_.close_all();
    polls_.close_all();
}

}  // namespace backstay::live
