#include "common/process/subprocess.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <functional>
#include <mutex>
#include <optional>

#include "common/clock.h"
#include "common/process/scrub.h"
#include "common/process/spawn.h"
#include "common/process/stderr_tail.h"

namespace backstay {
namespace {

enum class Woken { ready, ended, stopped, stalled };

// SIGPIPE for one thread, turned into EPIPE: a library must not rely on what the program did with the signal.
class PipeSignalBlocked {
public:
    PipeSignalBlocked() {
        ::sigemptyset(&pipe_);
        ::sigaddset(&pipe_, SIGPIPE);
        ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    }
    ~PipeSignalBlocked() {
        const timespec now{};
        if (::sigismember(&before_, SIGPIPE) == 0) {
            while (::sigtimedwait(&pipe_, nullptr, &now) > 0) {
            }
        }
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    PipeSignalBlocked(const PipeSignalBlocked&) = delete;
    PipeSignalBlocked& operator=(const PipeSignalBlocked&) = delete;

private:
    sigset_t pipe_{};
    sigset_t before_{};
};

std::string last_line(std::string_view text) {
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    const std::size_t line = text.rfind('\n');
    return std::string(line == std::string_view::npos ? text : text.substr(line + 1));
}

}  // namespace

std::string ExitStatus::describe() const {
    return signal != 0 ? fmt::format("killed by signal {}", signal) : fmt::format("exit status {}", code);
}

class Subprocess::State {
public:
    State(ProcessSpec spec, Spawned spawned, Fd stop_event)
        : spec_(std::move(spec)),
          process_(std::move(spawned)),
          stop_event_(std::move(stop_event)),
          on_stop_(spec_.stop, [this] { static_cast<void>(::eventfd_write(stop_event_.get(), 1)); }),
          output_(*this),
          input_(*this) {}

    ~State() { terminate(); }

    Result<std::size_t> read(MutableByteSpan buffer) {
        bool leader_ended = false;
        while (true) {
            if (spec_.stop.stop_requested()) return cancelled();
            const ssize_t count = ::read(process_.stdout_fd.get(), buffer.data(), buffer.size());
            if (count > 0) return static_cast<std::size_t>(count);
            // What a descendant that stays behind might still say is not the child's output.
            if (count == 0 || (errno == EAGAIN && leader_ended)) return end_of_output();
            if (errno == EINTR) continue;
            if (errno != EAGAIN) return Error::from_errno(errno, "reading from " + spec_.argv[0]);
            switch (wait_for(process_.stdout_fd.get(), POLLIN, spec_.stall_limit_ms)) {
                case Woken::ready:
                    break;
                case Woken::ended:
                    leader_ended = true;
                    break;
                case Woken::stopped:
                    return cancelled();
                case Woken::stalled:
                    return stalled("gave no output", spec_.stall_limit_ms);
            }
        }
    }

    Result<> write(ByteSpan bytes) {
        const PipeSignalBlocked blocked;
        while (!bytes.empty()) {
            if (spec_.stop.stop_requested()) return cancelled();
            const ssize_t count = ::write(process_.stdin_fd.get(), bytes.data(), bytes.size());
            if (count > 0) {
                bytes = bytes.subspan(static_cast<std::size_t>(count));
                continue;
            }
            if (errno == EINTR) continue;
            if (errno == EPIPE) return closed_early();
            if (errno != EAGAIN) return Error::from_errno(errno, "writing to " + spec_.argv[0]);
            switch (wait_for(process_.stdin_fd.get(), POLLOUT, spec_.stall_limit_ms)) {
                case Woken::ready:
                    break;
                case Woken::ended:
                    return closed_early();
                case Woken::stopped:
                    return cancelled();
                case Woken::stalled:
                    return stalled("took no input", spec_.stall_limit_ms);
            }
        }
        return {};
    }

    void close_input() { process_.stdin_fd.reset(); }

    Result<ExitStatus> wait(std::int64_t limit_ms) {
        switch (wait_for(-1, 0, limit_ms)) {
            case Woken::ready:
            case Woken::ended:
                return reap();
            case Woken::stopped:
                return cancelled();
            case Woken::stalled:
                return stalled("did not end", limit_ms);
        }
        return reap();
    }

    void terminate() {
        const std::lock_guard lock(mutex_);
        if (status_) return;
        ::kill(-process_.pid, SIGTERM);
        ::kill(-process_.pid, SIGCONT);  // whoever was stopped must run to hear it
        if (!ended_within(spec_.grace_ms)) {
            ::kill(-process_.pid, SIGKILL);
            ended_within(-1);
        }
        // The unreaped leader still reserves the group's number: whoever is left in it is ours.
        ::kill(-process_.pid, SIGKILL);
        reap_locked();
    }

    std::string stderr_tail() {
        tail_.drain(process_.stderr_fd.get());
        return scrub(tail_.text(), spec_.secrets);
    }

    Error failure(const ExitStatus& status) {
        const std::string tool = spec_.argv[0].substr(spec_.argv[0].rfind('/') + 1);
        const std::string tail = stderr_tail();
        const std::string last = last_line(tail);
        Error error(Errc::io, fmt::format("{}: {}{}{}", tool, status.describe(), last.empty() ? "" : ": ", last));
        error.add_fact("tool", tool);
        error.add_fact("exit_status", status.describe());
        if (!tail.empty()) error.add_fact("stderr", tail);
        return error;
    }

    Source& output() { return output_; }
    Sink& input() { return input_; }
    pid_t pid() const { return process_.pid; }

private:
    class Output final : public Source {
    public:
        explicit Output(State& state) : state_(state) {}
        Result<std::size_t> read(MutableByteSpan buffer) override { return state_.read(buffer); }

    private:
        State& state_;
    };
    class Input final : public Sink {
    public:
        explicit Input(State& state) : state_(state) {}
        Result<> write(ByteSpan bytes) override { return state_.write(bytes); }
        Result<> finish() override {
            state_.close_input();
            return {};
        }

    private:
        State& state_;
    };

    // Waits until `fd` (or -1: only the child's end) is ready, taking what the child writes to stderr meanwhile: a full
    // stderr pipe would stop it.
    Woken wait_for(int fd, short events, std::int64_t limit_ms) {
        const std::int64_t deadline = steady_ms() + limit_ms;
        while (true) {
            std::array<pollfd, 4> polled{pollfd{fd, events, 0}, pollfd{process_.pid_fd.get(), POLLIN, 0},
                                         pollfd{stop_event_.get(), POLLIN, 0},
                                         pollfd{stderr_ended_ ? -1 : process_.stderr_fd.get(), POLLIN, 0}};
            const std::int64_t left = limit_ms == 0 ? -1 : std::max<std::int64_t>(0, deadline - steady_ms());
            const int count =
                ::poll(polled.data(), polled.size(), static_cast<int>(std::min<std::int64_t>(left, 1 << 30)));
            if (count == 0) return Woken::stalled;
            if (count < 0) continue;
            if (polled[2].revents != 0) return Woken::stopped;
            if (polled[3].revents != 0 && !tail_.drain(process_.stderr_fd.get())) stderr_ended_ = true;
            if (polled[0].revents != 0) return Woken::ready;
            if (polled[1].revents != 0) return Woken::ended;
        }
    }

    bool ended_within(std::int64_t limit_ms) {
        const std::int64_t deadline = steady_ms() + limit_ms;
        while (true) {
            std::array<pollfd, 2> polled{pollfd{process_.pid_fd.get(), POLLIN, 0},
                                         pollfd{stderr_ended_ ? -1 : process_.stderr_fd.get(), POLLIN, 0}};
            const std::int64_t left = limit_ms < 0 ? -1 : std::max<std::int64_t>(0, deadline - steady_ms());
            const int count = ::poll(polled.data(), polled.size(), static_cast<int>(left));
            if (count == 0) return false;
            if (count > 0 && polled[1].revents != 0 && !tail_.drain(process_.stderr_fd.get())) stderr_ended_ = true;
            if (count > 0 && polled[0].revents != 0) return true;
        }
    }

    ExitStatus reap() {
        const std::lock_guard lock(mutex_);
        return reap_locked();
    }

    ExitStatus reap_locked() {
        if (status_) return *status_;
        int raw = 0;
        while (::waitpid(process_.pid, &raw, 0) < 0 && errno == EINTR) {
        }
        ExitStatus status;
        if (WIFSIGNALED(raw)) {
            status.signal = WTERMSIG(raw);
        } else {
            status.code = WEXITSTATUS(raw);
        }
        status_ = status;
        return status;
    }

    Result<std::size_t> end_of_output() {
        const ExitStatus status = TRY(wait(spec_.stall_limit_ms));
        if (!status.success()) return failure(status);
        return std::size_t{0};
    }

    // The child closed its stdin: it is ending, or refuses to read on; either way it took less than it was given.
    Error closed_early() {
        if (auto status = wait(spec_.grace_ms); status) return failure(*status);
        return Error(Errc::io, spec_.argv[0] + " closed its input").with_fact("stderr", stderr_tail());
    }

    Error cancelled() {
        terminate();
        return Error(Errc::cancelled, spec_.argv[0] + " was stopped");
    }

    Error stalled(std::string_view what, std::int64_t limit_ms) {
        terminate();
        return Error(Errc::timed_out, fmt::format("{} {} for {} s", spec_.argv[0], what, limit_ms / 1000))
            .with_fact("stderr", stderr_tail());
    }

    ProcessSpec spec_;
    Spawned process_;
    Fd stop_event_;
    StderrTail tail_;
    std::atomic<bool> stderr_ended_ = false;
    std::mutex mutex_;  // the child's end: signals and the reaping
    std::optional<ExitStatus> status_;
    std::stop_callback<std::function<void()>> on_stop_;
    Output output_;
    Input input_;
};

Subprocess::Subprocess(std::unique_ptr<State> state) : state_(std::move(state)) {}
Subprocess::~Subprocess() = default;

Result<std::unique_ptr<Subprocess>> Subprocess::start(ProcessSpec spec) {
    Fd stop_event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!stop_event.open()) return Error::from_errno(errno, "eventfd");
    Spawned spawned = TRY(spawn(spec).context("starting " + spec.argv[0]));
    auto state = std::make_unique<State>(std::move(spec), std::move(spawned), std::move(stop_event));
    return std::unique_ptr<Subprocess>(new Subprocess(std::move(state)));
}

Source& Subprocess::output() { return state_->output(); }
Sink& Subprocess::input() { return state_->input(); }
Result<ExitStatus> Subprocess::wait(std::int64_t limit_ms) { return state_->wait(limit_ms); }
void Subprocess::terminate() { state_->terminate(); }
std::string Subprocess::stderr_tail() const { return state_->stderr_tail(); }
Error Subprocess::failure(const ExitStatus& status) const { return state_->failure(status); }
pid_t Subprocess::pid() const { return state_->pid(); }

Result<> Subprocess::wait_success(std::int64_t limit_ms) {
    const ExitStatus status = TRY(state_->wait(limit_ms));
    if (!status.success()) return failure(status);
    return {};
}

}  // namespace backstay
