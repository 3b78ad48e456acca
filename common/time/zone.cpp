#include "common/time/zone.h"

#include <date/tz.h>

#include <chrono>
#include <stdexcept>

namespace backstay {
namespace {

date::local_days days_of(const Day& day) { return date::local_days(date::year(day.year) / day.month / day.day); }

Day day_of(date::local_days days) {
    const date::year_month_day date(days);
    return {static_cast<int>(date.year()), static_cast<int>(static_cast<unsigned>(date.month())),
            static_cast<int>(static_cast<unsigned>(date.day()))};
}

LocalMinute minute_of(date::local_time<std::chrono::milliseconds> time) {
    const auto days = date::floor<date::days>(time);
    const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(time - days).count();
    return {day_of(days), static_cast<int>(minutes / 60), static_cast<int>(minutes % 60)};
}

}  // namespace

Day Day::plus(int days) const { return day_of(days_of(*this) + date::days(days)); }
int Day::weekday() const { return static_cast<int>(date::weekday(days_of(*this)).c_encoding()); }
long Day::since_1970() const { return days_of(*this).time_since_epoch().count(); }

Result<Zone> Zone::find(std::string_view name) {
    if (name == "UTC") return utc();
    try {
        return Zone(std::string(name), date::locate_zone(std::string(name)));
    } catch (const std::runtime_error&) {
        return Error(Errc::invalid, "no time zone is called '" + std::string(name) + "'");
    }
}

Zone Zone::utc() { return Zone("UTC", nullptr); }

LocalMinute Zone::local(TimeMs at) const {
    const date::sys_time<std::chrono::milliseconds> instant{std::chrono::milliseconds(at)};
    if (zone_ != nullptr) return minute_of(zone_->to_local(instant));
    return minute_of(date::local_time<std::chrono::milliseconds>(instant.time_since_epoch()));
}

TimeMs Zone::instant(const LocalMinute& minute) const {
    const auto local = days_of(minute.day) + std::chrono::minutes(minute.hour * 60 + minute.minute);
    const auto in_ms = [](auto time) {
        return static_cast<TimeMs>(
            std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
    };
    if (zone_ == nullptr) return in_ms(local);
    const date::local_info info = zone_->get_info(local);
    // Skipped: where the time before ends, the first minute after the gap begins.
    if (info.result == date::local_info::nonexistent) return in_ms(info.first.end);
    return in_ms(date::sys_seconds(local.time_since_epoch()) - info.first.offset);
}

}  // namespace backstay
