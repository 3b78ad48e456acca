#include "storage/s3/dates.h"

#include <fmt/format.h>

#include <array>

namespace backstay::s3 {

std::string amz_time(TimeMs time) {
    // "2013-05-24T00:00:00Z" without its separators; the milliseconds go.
    const TimeMs whole = time - ((time % 1000) + 1000) % 1000;
    std::string text;
    for (const char c : to_rfc3339(whole)) {
        if (c != '-' && c != ':') text += c;
    }
    return text;
}

Result<TimeMs> parse_http_date(std::string_view text) {
    constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const Error refused(Errc::invalid, fmt::format("'{}' is no HTTP date", text.substr(0, 40)));
    if (text.size() != 29 || text.substr(25) != " GMT" || text.substr(3, 2) != ", " || text[7] != ' ' ||
        text[11] != ' ' || text[16] != ' ') {
        return refused;
    }
    for (std::size_t month = 0; month < kMonths.size(); ++month) {
        if (kMonths.at(month) != text.substr(8, 3)) continue;
        const Result<TimeMs> time = parse_rfc3339(
            fmt::format("{}-{:02}-{}T{}Z", text.substr(12, 4), month + 1, text.substr(5, 2), text.substr(17, 8)));
        return time ? time : refused;
    }
    return refused;
}

}  // namespace backstay::s3
