// A terminal that belongs to one view for a while: the other screen, no cursor, keys without Enter; signals become
// values. It is given back as it was, whichever way the view ends.
#pragma once

#include <termios.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/fd.h"
#include "common/result.h"

namespace backstay::cli {

// Standard output is a terminal that can be drawn on.
bool is_live_terminal();
// NO_COLOR is not set, and standard output is a terminal.
bool wants_colour();

struct TerminalSize {
    std::size_t columns = 80;
    std::size_t rows = 24;
};
TerminalSize terminal_size();

class LiveTerminal {
public:
    // Blocks the signals that it waits for: create it before any thread.
    static Result<LiveTerminal> open();
    ~LiveTerminal();
    LiveTerminal(LiveTerminal&&) noexcept;
    LiveTerminal& operator=(LiveTerminal&&) = delete;

    // From the upper left corner; false: the terminal is gone.
    bool draw(const std::vector<std::string>& lines);

    enum class Event { timeout, woken, resized, leave };
    // A key, a signal, somebody who made `waker` readable (it is drained), or the time. Leave: q, Ctrl-C, a signal to
    // end, or nobody holds the terminal any more.
    Event wait(int waker, std::int64_t most_ms);

private:
    LiveTerminal(Fd signals, std::optional<termios> before);
    Event take_keys();
    Event take_signal();

    Fd signals_;
    std::optional<termios> before_;  // of standard input, where it is a terminal
    bool listens_ = false;           // to keys
    bool owns_ = true;
};

}  // namespace backstay::cli
