// `backstay top`: what the agent says of itself, as lines for a screen of any size. Pure: the terminal is
// agent/cli/live.h's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/local-api/messages.h"

namespace backstay::cli {

struct TopView {
    std::optional<local_api::StatusAnswer> status;  // the last one that came; absent: none came yet
    TimeMs status_at = 0;                           // when it came
    TimeMs now = 0;
    std::string trouble;  // why no agent answers now; empty: one does
    TimeMs trouble_since = 0;
};

struct Screen {
    std::size_t columns = 80;
    std::size_t rows = 0;  // 0: as many as it takes
    bool colour = false;
    bool live = false;  // with a last line that says how to leave
};

// Each takes at most the screen's columns, and there are at most its rows; none contains a line feed, and no control
// character but those of colours.
std::vector<std::string> top_lines(const TopView& view, const Screen& screen);

}  // namespace backstay::cli
