// When schedules are due, reckoned minute by minute with the C library's time zones: nothing of ours.
#pragma once

#include <cstdlib>
#include <ctime>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"

namespace backstay::schedule {

// Sets the process's zone, for the scope.
class LocalZone {
public:
    explicit LocalZone(const std::string& name) {
        setenv("TZ", (":" + name).c_str(), 1);
        tzset();
    }
    ~LocalZone() {
        unsetenv("TZ");
        tzset();
    }
    LocalZone(const LocalZone&) = delete;
    LocalZone& operator=(const LocalZone&) = delete;

    static std::tm local(TimeMs at) {
        const std::time_t seconds = at / 1000;
        std::tm out{};
        localtime_r(&seconds, &out);
        return out;
    }
    static std::string shown(TimeMs at, const char* format) {
        const std::tm local_time = local(at);
        char text[64];
        return {text, std::strftime(text, sizeof text, format, &local_time)};
    }
};

using Wanted = std::function<bool(const std::tm&)>;  // a local minute at which something is due

// Every moment from `from` on and before `to`: local minutes that come twice count the first time, those that are
// skipped count at the first minute behind them.
inline std::vector<TimeMs> reckon(TimeMs from, TimeMs to, const Wanted& wanted) {
    constexpr TimeMs kMinute = 60'000;
    constexpr TimeMs kLongestShift = 3 * 3'600'000;
    const auto stamp = [](std::tm local) { return static_cast<TimeMs>(timegm(&local)) * 1000; };
    std::vector<TimeMs> out;
    std::set<TimeMs> seen;  // local minutes of the last hours that were wanted
    TimeMs before = stamp(LocalZone::local(from - kMinute));
    for (TimeMs at = from - kLongestShift; at < to; at += kMinute) {
        const std::tm local = LocalZone::local(at);
        const TimeMs now = stamp(local);
        bool due = wanted(local) && seen.insert(now).second;
        for (TimeMs skipped = before + kMinute; at > from && skipped < now; skipped += kMinute) {
            const std::time_t seconds = skipped / 1000;
            std::tm never{};
            gmtime_r(&seconds, &never);
            due = due || wanted(never);
        }
        before = now;
        if (due && at >= from) out.push_back(at);
    }
    return out;
}

}  // namespace backstay::schedule
