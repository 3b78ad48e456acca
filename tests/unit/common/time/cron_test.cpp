#include "common/time/cron.h"

#include <gtest/gtest.h>

#include <vector>

namespace backstay {
namespace {

TimeMs at(std::string_view text) { return *parse_rfc3339(text); }

std::vector<std::string> runs(std::string_view cron, std::string_view after, std::size_t count,
                              std::string_view zone = "UTC") {
    const auto parsed = Cron::parse(cron);
    if (!parsed) return {parsed.error().message()};
    const Zone in = *Zone::find(zone);
    std::vector<std::string> found;
    std::optional<TimeMs> time = at(after);
    while (found.size() < count) {
        time = parsed->next(*time, in);
        if (!time) break;
        found.push_back(to_rfc3339(*time));
    }
    return found;
}

using Texts = std::vector<std::string>;

TEST(Cron, RunsWhenEveryFieldFits) {
    EXPECT_EQ(runs("30 2 * * *", "2026-01-01T02:30:00Z", 2), (Texts{"2026-01-02T02:30:00Z", "2026-01-03T02:30:00Z"}));
    EXPECT_EQ(runs("*/20 0,12 * * *", "2026-01-01T00:10:00Z", 4),
              (Texts{"2026-01-01T00:20:00Z", "2026-01-01T00:40:00Z", "2026-01-01T12:00:00Z", "2026-01-01T12:20:00Z"}));
    EXPECT_EQ(runs("5/25 9-10 * jan-feb mon", "2026-01-01T00:00:00Z", 2),
              (Texts{"2026-01-05T09:05:00Z", "2026-01-05T09:30:00Z"}));
    EXPECT_EQ(runs("0 0 29 2 *", "2026-01-01T00:00:00Z", 1), (Texts{"2028-02-29T00:00:00Z"}));
    EXPECT_EQ(runs("0 0 29 2 *", "2096-03-01T00:00:00Z", 1), (Texts{"2104-02-29T00:00:00Z"}));
    EXPECT_EQ(runs("0 0 30 2 *", "2026-01-01T00:00:00Z", 1), Texts{});
}

TEST(Cron, DayOfMonthAndWeekdayAreEitherOrWhenBothAreLimited) {
    EXPECT_EQ(runs("0 0 13 * 5", "2026-02-01T00:00:00Z", 4),
              (Texts{"2026-02-06T00:00:00Z", "2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z", "2026-02-27T00:00:00Z"}));
    EXPECT_EQ(runs("0 0 */10 * 1", "2026-02-01T00:00:00Z", 2), (Texts{"2026-05-11T00:00:00Z", "2026-06-01T00:00:00Z"}))
        << "a field that begins with * limits together with the other one";
    EXPECT_EQ(runs("0 0 * * 7", "2026-11-21T00:00:00Z", 1), (Texts{"2026-11-22T00:00:00Z"}));
    EXPECT_EQ(runs("0 0 * * 5-7", "2026-11-21T00:00:00Z", 2), (Texts{"2026-11-22T00:00:00Z", "2026-11-27T00:00:00Z"}));
}

TEST(Cron, ASkippedTimeRunsAtTheFirstMinuteThereIs) {
    EXPECT_EQ(runs("30 2 * * *", "2026-03-28T12:00:00Z", 2, "Europe/Brussels"),
              (Texts{"2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}));
    EXPECT_EQ(runs("*/30 * * * *", "2026-03-29T00:15:00Z", 3, "Europe/Brussels"),
              (Texts{"2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"}))
        << "02:00, 02:30 and 03:00 are one run";
}

TEST(Cron, ATimeThatComesTwiceRunsOnce) {
    EXPECT_EQ(runs("30 2 * * *", "2026-10-24T12:00:00Z", 2, "Europe/Brussels"),
              (Texts{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}));
    EXPECT_EQ(runs("0 * * * *", "2026-10-24T23:30:00Z", 3, "Europe/Brussels"),
              (Texts{"2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z", "2026-10-25T03:00:00Z"}));
    EXPECT_EQ(runs("30 2 * * *", "2026-10-25T01:00:00Z", 1, "Europe/Brussels"), (Texts{"2026-10-26T01:30:00Z"}))
        << "asked between the two comings";
}

TEST(Cron, ItsAliasesAreWhatTheyAreEverywhere) {
    EXPECT_EQ(Cron::parse("@hourly")->text(), "0 * * * *");
    EXPECT_EQ(Cron::parse(" 0\t2  * * SUN ")->text(), "0 2 * * SUN");
    EXPECT_EQ(runs("@weekly", "2026-11-21T00:00:00Z", 1), (Texts{"2026-11-22T00:00:00Z"}));
    EXPECT_EQ(runs("@yearly", "2026-11-21T00:00:00Z", 1), (Texts{"2027-01-01T00:00:00Z"}));
}

TEST(Cron, NamesTheFieldAtFault) {
    const std::vector<std::pair<std::string, std::string>> wrong = {
        {"60 * * * *", "minute: '60' is not in 0-59"},
        {"* 24 * * *", "hour: '24' is not in 0-23"},
        {"* * 0 * *", "day of month: '0' is not in 1-31"},
        {"* * * 13 *", "month: '13' is not in 1-12"},
        {"* * * * 8", "day of week: '8' is not in 0-7"},
        {"5-2 * * * *", "minute: '5-2' ends before it begins"},
        {"*/0 * * * *", "minute: '0' is no step"},
        {"1,,2 * * * *", "minute: '' is no item of a list"},
        {"1-2-3 * * * *", "minute: '1-2-3' is no range"},
        {"* * * * *  *", "a cron expression has 5 fields, this one has 6"},
        {"", "a cron expression has 5 fields, this one has 0"},
        {"@reboot", "'@reboot' is not known"},
    };
    for (const auto& [text, message] : wrong) {
        const auto parsed = Cron::parse(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().message(), message);
    }
    for (const char* text : {"0 0 ? * *", "0 0 L * *", "0 0 15W * *", "0 0 * * 5#2", "-1 * * * *", "1- * * * *",
                             "/5 * * * *", "99999999999 * * * *", "* * * foo *", "1/ * * * *"}) {
        EXPECT_FALSE(Cron::parse(text)) << text;
    }
    EXPECT_FALSE(Cron::parse(std::string(100'000, '*')));
}

TEST(Cron, KnowsItsShortestGap) {
    EXPECT_EQ(Cron::parse("*/15 * * * *")->shortest_gap(), 15);
    EXPECT_EQ(Cron::parse("*/7 * * * *")->shortest_gap(), 4) << "from 56 to the next hour";
    EXPECT_EQ(Cron::parse("0,59 0,23 * * *")->shortest_gap(), 1) << "from 23:59 to midnight";
    EXPECT_EQ(Cron::parse("0 2 * * *")->shortest_gap(), 1440);
    EXPECT_EQ(Cron::parse("0 2 1 * *")->shortest_gap(), 28 * 1440);
    EXPECT_EQ(Cron::parse("0 0 30 2 *")->shortest_gap(), std::nullopt);
}

}  // namespace
}  // namespace backstay
