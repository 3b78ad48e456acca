#include "agent/cli/live.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace backstay::cli {
namespace {

constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J";
constexpr std::string_view kLeave = "\x1b[0m\x1b[?25h\x1b[?1049l";

bool write_all(std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::write(STDOUT_FILENO, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

sigset_t watched() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int one : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH}) ::sigaddset(&set, one);
    return set;
}

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

}  // namespace

bool is_live_terminal() {
    const std::string term = variable("TERM");
    return ::isatty(STDOUT_FILENO) == 1 && !term.empty() && term != "dumb";
}

bool wants_colour() { return is_live_terminal() && variable("NO_COLOR").empty(); }

TerminalSize terminal_size() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
    // Nobody has a larger one: what a wrong answer would make us draw is bounded.
    return {std::min<std::size_t>(size.ws_col, 1000), std::min<std::size_t>(size.ws_row, 1000)};
}

Result<LiveTerminal> LiveTerminal::open() {
    const sigset_t set = watched();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    Fd signals(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!signals.open()) return Error::from_errno(errno, "signalfd");
    std::optional<termios> before;
    termios keys{};
    if (::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &keys) == 0) {
        before = keys;
        keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        keys.c_cc[VMIN] = 0;
        keys.c_cc[VTIME] = 0;
        if (::tcsetattr(STDIN_FILENO, TCSANOW, &keys) != 0) before.reset();
    }
    LiveTerminal terminal(std::move(signals), before);
    if (!write_all(kEnter)) return Error(Errc::io, "the terminal cannot be written");
    return terminal;
}

LiveTerminal::LiveTerminal(Fd signals, std::optional<termios> before)
    : signals_(std::move(signals)), before_(before), listens_(before.has_value()) {}

LiveTerminal::LiveTerminal(LiveTerminal&& other) noexcept
    : signals_(std::move(other.signals_)),
      before_(other.before_),
      listens_(other.listens_),
      owns_(std::exchange(other.owns_, false)) {}

LiveTerminal::~LiveTerminal() {
    if (!owns_) return;
    write_all(kLeave);
    if (before_) ::tcsetattr(STDIN_FILENO, TCSANOW, &*before_);
}

bool LiveTerminal::draw(const std::vector<std::string>& lines) {
    std::string text = "\x1b[H";
    for (std::size_t i = 0; i < lines.size(); ++i) text += "\x1b[2K" + lines[i] + (i + 1 < lines.size() ? "\r\n" : "");
    return write_all(text);
}

LiveTerminal::Event LiveTerminal::wait(int waker, std::int64_t most_ms) {
    std::array<pollfd, 3> sources = {pollfd{signals_.get(), POLLIN, 0}, pollfd{waker, POLLIN, 0},
                                     pollfd{listens_ ? STDIN_FILENO : -1, POLLIN, 0}};
    const int ready =
        ::poll(sources.data(), sources.size(), static_cast<int>(std::clamp<std::int64_t>(most_ms, 0, 60'000)));
    if (ready <= 0) return Event::timeout;
    if (sources[0].revents != 0) return take_signal();
    if (sources[2].revents != 0) return take_keys();
    std::uint64_t count = 0;
    return ::read(waker, &count, sizeof(count)) < 0 ? Event::timeout : Event::woken;
}

LiveTerminal::Event LiveTerminal::take_signal() {
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof(info)) != static_cast<ssize_t>(sizeof(info))) return Event::timeout;
    if (info.ssi_signo == static_cast<std::uint32_t>(SIGWINCH)) return Event::resized;
    // A stopped one would leave the terminal as it is now.
    return info.ssi_signo == static_cast<std::uint32_t>(SIGTSTP) ? Event::timeout : Event::leave;
}

LiveTerminal::Event LiveTerminal::take_keys() {
    std::array<char, 64> keys{};
    const ssize_t count = ::read(STDIN_FILENO, keys.data(), keys.size());
    if (count < 0) return errno == EINTR || errno == EAGAIN ? Event::timeout : Event::leave;
    if (count == 0) return Event::leave;
    const std::string_view pressed(keys.data(), static_cast<std::size_t>(count));
    return pressed.find_first_of("qQ\x03\x04") != std::string_view::npos ? Event::leave : Event::timeout;
}

}  // namespace backstay::cli
