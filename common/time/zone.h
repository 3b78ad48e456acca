// Time zones of the IANA database, as schedules and retention use them: whole minutes of local time, and the instants
// that they are. Home of the date library. Values; any thread.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"

namespace date {
class time_zone;
}

namespace backstay {

// A day of the proleptic Gregorian calendar.
struct Day {
    int year = 1970;
    int month = 1;  // 1 to 12
    int day = 1;
    friend auto operator<=>(const Day&, const Day&) = default;

    Day plus(int days) const;
    int weekday() const;      // 0 is Sunday
    long since_1970() const;  // in days
};

struct LocalMinute {
    Day day;
    int hour = 0;
    int minute = 0;
    friend auto operator<=>(const LocalMinute&, const LocalMinute&) = default;
};

class Zone {
public:
    // By name ("Europe/Brussels", "UTC"); `invalid` for others and where the host has no time zone database.
    static Result<Zone> find(std::string_view name);
    static Zone utc();

    LocalMinute local(TimeMs at) const;
    // The instant of a local minute: one that daylight saving skips is the first that exists after it, one that comes
    // twice is its first coming.
    TimeMs instant(const LocalMinute& minute) const;
    const std::string& name() const { return name_; }

private:
    Zone(std::string name, const date::time_zone* zone) : name_(std::move(name)), zone_(zone) {}
    std::string name_;
    const date::time_zone* zone_;  // the library's own, for ever; null: UTC
};

}  // namespace backstay
