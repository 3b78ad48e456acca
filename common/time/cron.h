// Cron expressions as schedules write them (contract/semantics.md 5.2): five fields, lists, ranges, steps, names,
// @hourly and its like. Day of month and day of week are either-or when both are limited (Vixie's rule). No seconds,
// and none of Quartz' signs. Values; any thread.
#pragma once

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "common/time/zone.h"

namespace backstay {

class Cron {
public:
    // `invalid` names the field at fault ("minute: '61' is not in 0-59").
    static Result<Cron> parse(std::string_view text);

    // The first run after `after`. A local time that daylight saving skips runs at the first minute that exists, one
    // that comes twice runs once. nullopt: never (30 February).
    std::optional<TimeMs> next(TimeMs after, const Zone& zone) const;

    // The shortest time between two runs on a clock without daylight saving, in minutes; nullopt: it runs once or
    // never in a leap cycle.
    std::optional<int> shortest_gap() const;

    // As it was written, without superfluous blanks.
    const std::string& text() const { return text_; }

private:
    bool fits(const Day& day) const;

    std::string text_;
    std::bitset<60> minutes_;
    std::bitset<24> hours_;
    std::bitset<32> days_;
    std::bitset<13> months_;
    std::bitset<7> weekdays_;
    bool any_day_ = false;
    bool any_weekday_ = false;
};

}  // namespace backstay
