#include "common/domain/lsn.h"

#include <fmt/format.h>

#include <charconv>

namespace backstay::wal {
namespace {

template <class Number>
bool take_number(std::string_view text, Number& out, int base) {
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), out, base);
    return fault == std::errc() && end == text.data() + text.size() && !text.empty();
}

std::string_view next_word(std::string_view& line) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return line = {};
    const std::size_t end = std::min(line.find_first_of(" \t", begin), line.size());
    const std::string_view word = line.substr(begin, end - begin);
    line.remove_prefix(end);
    return word;
}

}  // namespace

std::string format_lsn(Lsn lsn) { return fmt::format("{:X}/{:X}", lsn >> 32U, lsn & 0xFFFFFFFFU); }

Result<Lsn> parse_lsn(std::string_view text) {
    const std::size_t slash = text.find('/');
    std::uint32_t high = 0;
    std::uint32_t low = 0;
    if (slash == std::string_view::npos || !take_number(text.substr(0, slash), high, 16) ||
        !take_number(text.substr(slash + 1), low, 16)) {
        return Error(Errc::invalid, fmt::format("'{}' is no position in WAL", text.substr(0, 40)));
    }
    return (static_cast<Lsn>(high) << 32U) | low;
}

Result<History> parse_history(Timeline timeline, std::string_view text) {
    History history;
    history.timeline = timeline;
    while (!text.empty()) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        const std::string_view first = next_word(line);
        if (first.empty() || first.front() == '#') continue;
        Fork fork;
        auto at = parse_lsn(next_word(line));
        const bool sound = take_number(first, fork.parent, 10) && at && fork.parent > 0 && fork.parent < timeline;
        if (sound) fork.at = *at;
        const bool rises =
            history.forks.empty() || (history.forks.back().parent < fork.parent && history.forks.back().at <= fork.at);
        if (!sound || !rises) {
            return Error(Errc::corrupted, fmt::format("the history of timeline {} makes no sense", timeline));
        }
        history.forks.push_back(fork);
    }
    if (history.forks.empty() && timeline > 1) {
        return Error(Errc::corrupted, fmt::format("the history of timeline {} names no parent", timeline));
    }
    return history;
}

}  // namespace backstay::wal
