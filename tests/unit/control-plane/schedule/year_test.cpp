// A year of due moments in several zones with a clock moved by hand, held against a reckoning of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "common/domain/schedule.h"
#include "control-plane/schedule/turns.h"
#include "tests/unit/control-plane/schedule/reckoning.h"

namespace backstay::schedule {
namespace {

constexpr TimeMs kMinute = 60'000;
constexpr TimeMs kDay = 24 * 60 * kMinute;

const std::vector<std::string> kZones = {"Europe/Brussels", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"};

struct Rhythm {
    const char* cron;
    Wanted wanted;
};
const std::vector<Rhythm> kRhythms = {
    {"30 * * * *", [](const std::tm& t) { return t.tm_min == 30; }},
    {"*/15 * * * *", [](const std::tm& t) { return t.tm_min % 15 == 0; }},
    {"10 2 * * *", [](const std::tm& t) { return t.tm_min == 10 && t.tm_hour == 2; }},
    {"30 2 * * 0", [](const std::tm& t) { return t.tm_min == 30 && t.tm_hour == 2 && t.tm_wday == 0; }},
    {"45 1 * * 1-5", [](const std::tm& t) { return t.tm_min == 45 && t.tm_hour == 1 && t.tm_wday % 6 != 0; }},
    {"0 0 1 * *", [](const std::tm& t) { return t.tm_min == 0 && t.tm_hour == 0 && t.tm_mday == 1; }},
};

TimeMs at(std::string_view text) { return parse_rfc3339(text).value(); }

class Years : public ::testing::TestWithParam<std::string> {
protected:
    const TimeMs from_ = at("2026-01-01T12:00:00Z");
    const TimeMs to_ = from_ + 366 * kDay;
};

// What the core orders when it is looked at, at these moments, with its agent there.
std::vector<TimeMs> ordered(const std::string& zone, const char* cron, TimeMs from, const std::vector<TimeMs>& looks) {
    store::Schedule schedule;
    schedule.time_zone = zone;
    schedule.db.cron = cron;
    schedule.db.next = Cron::parse(cron).value().next(from - 1, Zone::find(zone).value());
    std::vector<TimeMs> out;
    for (const TimeMs now : looks) {
        if (*schedule.db.next > now) continue;
        Situation situation;
        situation.now = now;
        situation.agent_here = true;
        const std::vector<Turn> taken = turns(schedule, situation).value();
        for (const Turn& turn : taken) {
            if (turn.what == What::order) out.push_back(turn.slot.due);
            schedule.db.next = turn.slot.following;
        }
    }
    return out;
}

TEST_P(Years, EveryMomentIsRunOnceWhereTheCLibrarySaysThatItIs) {
    const LocalZone zone(GetParam());
    std::vector<TimeMs> looks;
    for (TimeMs now = from_; now < to_; now += 3 * kMinute) looks.push_back(now);
    for (const Rhythm& rhythm : kRhythms) {
        auto expected = reckon(from_, looks.back() + 1, rhythm.wanted);
        EXPECT_GT(expected.size(), 10U);
        EXPECT_EQ(ordered(GetParam(), rhythm.cron, from_, looks), expected) << rhythm.cron;
    }
}

TEST_P(Years, AfterSilencesTheNewestMomentIsCaughtUpWhileItIsYoung) {
    const LocalZone zone(GetParam());
    std::mt19937 random(42);
    std::vector<TimeMs> looks;
    for (TimeMs now = from_; now < to_;) {
        looks.push_back(now);
        const bool away = random() % 40 == 0;
        now += away ? static_cast<TimeMs>(random() % 3000) * kMinute : static_cast<TimeMs>(1 + random() % 9) * kMinute;
    }
    for (const Rhythm& rhythm : kRhythms) {
        const auto due = reckon(from_, to_ + 40 * kDay, rhythm.wanted);
        std::vector<TimeMs> expected;
        for (std::size_t i = 0; i + 1 < due.size(); ++i) {
            const auto look = std::lower_bound(looks.begin(), looks.end(), due[i]);
            if (look != looks.end() && *look < due[i] + (due[i + 1] - due[i]) / 2) expected.push_back(due[i]);
        }
        EXPECT_EQ(ordered(GetParam(), rhythm.cron, from_, looks), expected) << rhythm.cron;
    }
}

INSTANTIATE_TEST_SUITE_P(Zones, Years, ::testing::ValuesIn(kZones), [](const auto& given) {
    std::string name = given.param;
    std::erase_if(name, [](char c) { return c == '/' || c == '_'; });
    return name;
});

}  // namespace
}  // namespace backstay::schedule
