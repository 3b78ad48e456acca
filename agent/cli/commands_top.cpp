// backstay top: a thread asks the agent again and again, the terminal shows what it heard last.
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "agent/cli/agent_socket.h"
#include "agent/cli/commands.h"
#include "agent/cli/live.h"
#include "agent/cli/top.h"

namespace backstay::cli {
namespace {

constexpr std::uint64_t kStallMs = 5'000;
constexpr std::size_t kPlainColumns = 160;

// Asks on a thread of its own: an agent that hangs does not hang the view.
class Watch {
public:
    Watch(const std::string& socket, std::int64_t interval_ms, int waker)
        : interval_ms_(interval_ms),
          waker_(waker),
          thread_([this, socket](const std::stop_token& stop) { ask(socket, stop); }) {}

    TopView view() const {
        const std::lock_guard lock(mutex_);
        return view_;
    }

private:
    void ask(const std::string& socket, const std::stop_token& stop) {
        AgentSocket agent(socket, kStallMs, stop);
        while (!stop.stop_requested()) {
            hear(agent.get<local_api::StatusAnswer>("/v1/status"));
            const std::uint64_t one = 1;
            static_cast<void>(::write(waker_, &one, sizeof(one)));
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, stop, std::chrono::milliseconds(interval_ms_), [] { return false; });
        }
    }
    void hear(Result<local_api::StatusAnswer> answer) {
        const TimeMs now = SystemClock().now_ms();
        const std::lock_guard lock(mutex_);
        if (answer) {
            view_.status = std::move(*answer);
            view_.status_at = now;
            view_.trouble.clear();
            return;
        }
        if (view_.trouble.empty()) view_.trouble_since = now;
        view_.trouble = answer.error().message();
    }

    std::int64_t interval_ms_;
    int waker_;
    mutable std::mutex mutex_;
    std::condition_variable_any wake_;
    TopView view_;
    std::jthread thread_;  // last: it ends before what it uses
};

int show_once(const Output& output) {
    AgentSocket agent(output.socket, kStallMs);
    TopView view;
    auto status = agent.get<local_api::StatusAnswer>("/v1/status");
    if (!status) return report(output, status.error());
    view.status = std::move(*status);
    view.now = view.status_at = SystemClock().now_ms();
    Screen screen{kPlainColumns, 0, wants_colour(), false};
    if (is_live_terminal()) screen.columns = terminal_size().columns;
    for (const std::string& line : top_lines(view, screen)) fmt::print("{}\n", line);
    return static_cast<int>(ExitCode::ok);
}

}  // namespace

int top(const Output& output, const TopOptions& options) {
    if (output.json) return show_status(output);
    if (options.once || !is_live_terminal()) return show_once(output);
    const Fd waker(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!waker.open()) return report(output, Error::from_errno(errno, "eventfd"));
    auto opened = LiveTerminal::open();
    if (!opened) return report(output, opened.error());
    std::optional<LiveTerminal> terminal(std::move(*opened));
    const auto interval_ms = static_cast<std::int64_t>(options.interval_s * 1000);
    const Watch watch(output.socket, interval_ms, waker.get());
    const bool colour = wants_colour();
    while (true) {
        TopView view = watch.view();
        view.now = SystemClock().now_ms();
        const TerminalSize size = terminal_size();
        if (!terminal->draw(top_lines(view, {size.columns, size.rows, colour, true}))) break;
        if (terminal->wait(waker.get(), 1000) == LiveTerminal::Event::leave) break;
    }
    terminal.reset();  // before the call that is under way ends
    return static_cast<int>(ExitCode::ok);
}

}  // namespace backstay::cli
