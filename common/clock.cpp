#include "common/clock.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>

namespace backstay {

TimeMs SystemClock::now_ms() const {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::int64_t steady_ms() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

namespace {

// What four digits of a year can say: 0000-01-01T00:00:00.000Z to 9999-12-31T23:59:59.999Z.
constexpr TimeMs kYear0 = -62'167'219'200'000;
constexpr TimeMs kYear9999 = 253'402'300'799'999;

// Some ten times stand in each answer; fmt took five times as long.
template <std::size_t Width>
char* put_digits(char* at, unsigned number) {
    for (char* digit = at + Width; digit != at; number /= 10) *--digit = static_cast<char>('0' + number % 10);
    return at + Width;
}

char* put(char* at, char c) {
    *at = c;
    return at + 1;
}

}  // namespace

void append_rfc3339(std::string& out, TimeMs time) {
    using namespace std::chrono;
    // No clock says so, but a row may hold any number.
    if (time < kYear0) return void(out += "0000-01-01T00:00:00Z");
    if (time > kYear9999) return void(out += "9999-12-31T23:59:59Z");
    const sys_time<milliseconds> instant{milliseconds(time)};
    const auto day = floor<days>(instant);
    const year_month_day date{day};
    const auto of_day = static_cast<unsigned>((instant - day).count());
    std::array<char, sizeof("2006-01-02T15:04:05.999Z")> text{};
    char* at = put_digits<4>(text.data(), static_cast<unsigned>(static_cast<int>(date.year())));
    at = put_digits<2>(put(at, '-'), static_cast<unsigned>(date.month()));
    at = put_digits<2>(put(at, '-'), static_cast<unsigned>(date.day()));
    at = put_digits<2>(put(at, 'T'), of_day / 3'600'000);
    at = put_digits<2>(put(at, ':'), of_day / 60'000 % 60);
    at = put_digits<2>(put(at, ':'), of_day / 1000 % 60);
    if (of_day % 1000 != 0) at = put_digits<3>(put(at, '.'), of_day % 1000);
    at = put(at, 'Z');
    out.append(text.data(), at);
}

std::string to_rfc3339(TimeMs time) {
    std::string text;
    append_rfc3339(text, time);
    return text;
}

namespace {

// Exactly `width` digits at the front of `text`, which are removed; -1 when they are not there.
int take_digits(std::string_view& text, std::size_t width) {
    int value = 0;
    if (text.size() < width) return -1;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + width, value);
    if (failed != std::errc() || end != text.data() + width || text[0] == '-') return -1;
    text.remove_prefix(width);
    return value;
}

bool take_char(std::string_view& text, std::string_view any_of) {
    if (text.empty() || any_of.find(text[0]) == std::string_view::npos) return false;
    text.remove_prefix(1);
    return true;
}

}  // namespace

Result<TimeMs> parse_rfc3339(std::string_view whole) {
    using namespace std::chrono;
    const Error refused(Errc::invalid, fmt::format("'{}' is not an RFC 3339 time with an offset", whole.substr(0, 64)));
    std::string_view text = whole;
    const int y = take_digits(text, 4);
    if (y < 0 || !take_char(text, "-")) return refused;
    const int mo = take_digits(text, 2);
    if (mo < 0 || !take_char(text, "-")) return refused;
    const int d = take_digits(text, 2);
    if (d < 0 || !take_char(text, "Tt ")) return refused;
    const int h = take_digits(text, 2);
    if (h < 0 || h > 23 || !take_char(text, ":")) return refused;
    const int mi = take_digits(text, 2);
    if (mi < 0 || mi > 59 || !take_char(text, ":")) return refused;
    const int s = take_digits(text, 2);
    if (s < 0 || s > 60) return refused;  // 60: a leap second, taken as the first second after it
    int millis = 0;
    if (take_char(text, ".")) {
        int digits = 0;
        for (; digits < 9 && !text.empty() && text[0] >= '0' && text[0] <= '9'; ++digits) {
            if (digits < 3) millis = millis * 10 + (text[0] - '0');
            text.remove_prefix(1);
        }
        if (digits == 0) return refused;
        for (; digits < 3; ++digits) millis *= 10;
    }
    int offset_minutes = 0;
    if (!take_char(text, "Zz")) {
        const bool west = !text.empty() && text[0] == '-';
        if (!take_char(text, "+-")) return refused;
        const int oh = take_digits(text, 2);
        if (oh < 0 || oh > 23 || !take_char(text, ":")) return refused;
        const int om = take_digits(text, 2);
        if (om < 0 || om > 59) return refused;
        offset_minutes = (west ? -1 : 1) * (oh * 60 + om);
    }
    const year_month_day date{year(y), month(static_cast<unsigned>(mo)), day(static_cast<unsigned>(d))};
    if (!text.empty() || !date.ok()) return refused;
    const auto instant = sys_days(date) + hours(h) + minutes(mi - offset_minutes) + seconds(s) + milliseconds(millis);
    return duration_cast<milliseconds>(instant.time_since_epoch()).count();
}

}  // namespace backstay
