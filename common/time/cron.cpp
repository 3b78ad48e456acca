#include "common/time/cron.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <vector>

namespace backstay {
namespace {

constexpr std::size_t kTextMost = 200;
// Every combination of date and weekday comes within the longest leap cycle but one across a century: 12 years.
constexpr int kCycleDays = 12 * 366;

struct Alias {
    std::string_view name;
    std::string_view cron;
};
constexpr std::array<Alias, 7> kAliases = {{{"@hourly", "0 * * * *"},
                                            {"@daily", "0 0 * * *"},
                                            {"@midnight", "0 0 * * *"},
                                            {"@weekly", "0 0 * * 0"},
                                            {"@monthly", "0 0 1 * *"},
                                            {"@yearly", "0 0 1 1 *"},
                                            {"@annually", "0 0 1 1 *"}}};

constexpr std::array<std::string_view, 12> kMonths = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                      "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::array<std::string_view, 7> kWeekdays = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

struct Field {
    std::string_view name;
    int least;
    int most;
    std::span<const std::string_view> names;  // of the values from `least` on
};
const std::array<Field, 5> kFields = {{{"minute", 0, 59, {}},
                                       {"hour", 0, 23, {}},
                                       {"day of month", 1, 31, {}},
                                       {"month", 1, 12, kMonths},
                                       {"day of week", 0, 7, kWeekdays}}};

Error fault(const Field& field, std::string_view what) {
    return Error(Errc::invalid, fmt::format("{}: {}", field.name, what));
}

std::vector<std::string_view> split(std::string_view text, char by) {
    std::vector<std::string_view> parts;
    while (true) {
        const std::size_t end = text.find(by);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    constexpr std::string_view kBlanks = " \t";
    while (true) {
        const std::size_t begin = text.find_first_not_of(kBlanks);
        if (begin == std::string_view::npos) return words;
        text.remove_prefix(begin);
        const std::size_t end = std::min(text.find_first_of(kBlanks), text.size());
        words.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
}

bool same_letters(std::string_view a, std::string_view upper) {
    const auto raised = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
    return std::equal(a.begin(), a.end(), upper.begin(), upper.end(), [&](char x, char y) { return raised(x) == y; });
}

Result<int> value_of(const Field& field, std::string_view text) {
    for (std::size_t i = 0; i < field.names.size(); ++i) {
        if (same_letters(text, field.names[i])) return field.least + static_cast<int>(i);
    }
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool number = error == std::errc() && end == text.data() + text.size() && text.front() != '-';
    if (!number) return fault(field, fmt::format("'{}' is no value (seconds, ?, L, W and # are not known)", text));
    if (value < field.least || value > field.most) {
        return fault(field, fmt::format("'{}' is not in {}-{}", text, field.least, field.most));
    }
    return value;
}

// "*", "5", "1-5", each with "/step" behind it; "5/10" means from 5 on.
Result<std::vector<int>> item_values(const Field& field, std::string_view item) {
    const auto parts = split(item, '/');
    if (parts.size() > 2 || item.empty()) return fault(field, fmt::format("'{}' is no item of a list", item));
    int step = 1;
    if (parts.size() == 2) {
        const auto [end, error] = std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), step);
        if (error != std::errc() || end != parts[1].data() + parts[1].size() || step < 1 || step > field.most) {
            return fault(field, fmt::format("'{}' is no step", parts[1]));
        }
    }
    int first = field.least;
    int last = field.most == 7 ? 6 : field.most;
    if (parts[0] != "*") {
        const auto ends = split(parts[0], '-');
        if (ends.size() > 2) return fault(field, fmt::format("'{}' is no range", parts[0]));
        first = TRY(value_of(field, ends[0]));
        if (ends.size() == 2) last = TRY(value_of(field, ends[1]));
        if (ends.size() == 1 && parts.size() == 1) last = first;
        if (last < first) return fault(field, fmt::format("'{}' ends before it begins", parts[0]));
    }
    std::vector<int> values;
    for (int value = first; value <= last; value += step) values.push_back(value);
    return values;
}

template <std::size_t N>
Result<std::bitset<N>> field_values(const Field& field, std::string_view text) {
    std::bitset<N> values;
    for (const std::string_view item : split(text, ',')) {
        // 7 is Sunday too.
        for (const int value : TRY(item_values(field, item))) values.set(static_cast<std::size_t>(value) % N);
    }
    return values;
}

}  // namespace

Result<Cron> Cron::parse(std::string_view text) {
    if (text.size() > kTextMost) return Error(Errc::invalid, "a cron expression has at most 200 characters");
    auto words = words_of(text);
    if (words.size() == 1 && words[0].starts_with('@')) {
        const auto alias =
            std::find_if(kAliases.begin(), kAliases.end(), [&](const Alias& known) { return known.name == words[0]; });
        if (alias == kAliases.end()) return Error(Errc::invalid, fmt::format("'{}' is not known", words[0]));
        words = words_of(alias->cron);
    }
    if (words.size() != kFields.size()) {
        return Error(Errc::invalid, fmt::format("a cron expression has 5 fields, this one has {}", words.size()));
    }
    Cron cron;
    cron.minutes_ = TRY(field_values<60>(kFields[0], words[0]));
    cron.hours_ = TRY(field_values<24>(kFields[1], words[1]));
    cron.days_ = TRY(field_values<32>(kFields[2], words[2]));
    cron.months_ = TRY(field_values<13>(kFields[3], words[3]));
    cron.weekdays_ = TRY(field_values<7>(kFields[4], words[4]));
    cron.any_day_ = words[2].starts_with('*');
    cron.any_weekday_ = words[4].starts_with('*');
    cron.text_ = fmt::format("{}", fmt::join(words, " "));
    return cron;
}

bool Cron::fits(const Day& day) const {
    if (!months_.test(static_cast<std::size_t>(day.month))) return false;
    const bool by_day = days_.test(static_cast<std::size_t>(day.day));
    const bool by_weekday = weekdays_.test(static_cast<std::size_t>(day.weekday()));
    return any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday;
}

std::optional<TimeMs> Cron::next(TimeMs after, const Zone& zone) const {
    // Within a day later minutes are never earlier instants, so the first that is late enough is the next.
    Day day = zone.local(after).day.plus(-1);
    for (int i = 0; i < kCycleDays; ++i, day = day.plus(1)) {
        if (!fits(day)) continue;
        for (int hour = 0; hour < 24; ++hour) {
            if (!hours_.test(static_cast<std::size_t>(hour))) continue;
            for (int minute = 0; minute < 60; ++minute) {
                if (!minutes_.test(static_cast<std::size_t>(minute))) continue;
                const TimeMs at = zone.instant({day, hour, minute});
                if (at > after) return at;
            }
        }
    }
    return std::nullopt;
}

std::optional<int> Cron::shortest_gap() const {
    std::vector<int> runs;  // minutes of a day
    for (int minute = 0; minute < 24 * 60; ++minute) {
        const bool on =
            hours_.test(static_cast<std::size_t>(minute / 60)) && minutes_.test(static_cast<std::size_t>(minute % 60));
        if (on) runs.push_back(minute);
    }
    std::optional<int> shortest;
    const auto take = [&](int gap) { shortest = shortest ? std::min(*shortest, gap) : gap; };
    std::optional<long> before;
    Day day{2000, 1, 1};
    for (int i = 0; i < kCycleDays; ++i, day = day.plus(1)) {
        if (!fits(day)) continue;
        const long number = day.since_1970();
        if (before) take(static_cast<int>(number - *before) * 24 * 60 - (runs.back() - runs.front()));
        before = number;
    }
    if (!before) return std::nullopt;
    for (std::size_t i = 1; i < runs.size(); ++i) take(runs[i] - runs[i - 1]);
    return shortest;
}

}  // namespace backstay
