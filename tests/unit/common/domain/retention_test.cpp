#include "common/domain/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace backstay::retention {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr TimeMs kHour = 3600 * 1000;
constexpr TimeMs kDay = 24 * kHour;

TimeMs at(std::string_view text) { return *parse_rfc3339(text); }

Policy policy_of(const Numbers& numbers, std::string_view zone = "UTC") { return *resolve(numbers, *Zone::find(zone)); }

Numbers counts(std::int64_t hourly, std::int64_t daily, std::int64_t weekly, std::int64_t monthly) {
    Numbers numbers;
    numbers.retain_hourly = hourly;
    numbers.retain_daily = daily;
    numbers.retain_weekly = weekly;
    numbers.retain_monthly = monthly;
    return numbers;
}

Candidate made(std::string id, std::string_view time, std::string scope = "db", std::string status = "completed") {
    return {std::move(id), std::move(scope), std::move(status), at(time), false};
}

std::map<std::string, Verdict> by_id(const std::vector<Candidate>& candidates, const Policy& policy, TimeMs now) {
    std::map<std::string, Verdict> found;
    for (Verdict& verdict : decide(candidates, policy, now)) found[verdict.id] = verdict;
    return found;
}

std::set<std::string> kept(const std::vector<Candidate>& candidates, const Policy& policy, TimeMs now) {
    std::set<std::string> found;
    for (const Verdict& verdict : decide(candidates, policy, now)) {
        if (verdict.keep) found.insert(verdict.id);
    }
    return found;
}

std::vector<Candidate> hourly(TimeMs until, int count, const std::string& scope = "db") {
    std::vector<Candidate> candidates;
    for (int i = 0; i < count; ++i) {
        candidates.push_back({scope + std::to_string(i), scope, "completed", until - i * kHour, false});
    }
    return candidates;
}

TEST(Retention, KeepsTheNewestOfEachBucketAndSaysByWhichTiers) {
    const Policy policy = policy_of(counts(0, 2, 1, 0));
    const auto verdicts = by_id({made("a", "2026-03-04T10:00:00Z"), made("b", "2026-03-04T02:00:00Z"),
                                 made("c", "2026-03-03T22:00:00Z"), made("d", "2026-03-02T22:00:00Z")},
                                policy, at("2026-03-04T12:00:00Z"));
    EXPECT_THAT(verdicts.at("a").tiers, ElementsAre(Tier::daily, Tier::weekly));
    EXPECT_THAT(verdicts.at("c").tiers, ElementsAre(Tier::daily));
    EXPECT_FALSE(verdicts.at("b").keep);
    EXPECT_THAT(verdicts.at("b").reason, StartsWith("superseded_in_bucket: "));
    EXPECT_FALSE(verdicts.at("d").keep);
    EXPECT_THAT(verdicts.at("d").reason, StartsWith("tier_count_exceeded: "));
}

TEST(Retention, BucketsAreThoseOfTheZoneAndWeeksBeginOnMonday) {
    const std::vector<Candidate> evening = {made("late", "2026-03-03T23:30:00Z"),
                                            made("early", "2026-03-03T20:00:00Z")};
    const TimeMs now = at("2026-03-04T12:00:00Z");
    EXPECT_EQ(kept(evening, policy_of(counts(0, 5, 0, 0)), now).size(), 1);
    EXPECT_EQ(kept(evening, policy_of(counts(0, 5, 0, 0), "Europe/Brussels"), now).size(), 2) << "00:30 and 21:00";
    const std::vector<Candidate> days = {made("sunday", "2026-03-08T12:00:00Z"),
                                         made("monday", "2026-03-09T12:00:00Z")};
    EXPECT_EQ(kept(days, policy_of(counts(0, 0, 5, 0)), at("2026-03-10T12:00:00Z")).size(), 2);
}

TEST(Retention, ACompleteOneStandsBeforeANewerPartialOne) {
    const std::vector<Candidate> day = {made("old", "2026-03-03T10:00:00Z"), made("complete", "2026-03-04T09:00:00Z"),
                                        made("partial", "2026-03-04T10:00:00Z", "db", "partial")};
    const auto verdicts = by_id(day, policy_of(counts(0, 1, 0, 0)), at("2026-03-04T12:00:00Z"));
    EXPECT_THAT(verdicts.at("complete").tiers, ElementsAre(Tier::daily));
    EXPECT_TRUE(verdicts.at("partial").keep) << "the newest that can be restored";
    EXPECT_FALSE(verdicts.at("old").keep);
}

TEST(Retention, NeverRemovesTheLastGoodOneOrWhatIsHeldOrLiesInTheFuture) {
    Numbers numbers = counts(0, 1, 0, 0);
    numbers.retain_daily_days = 1;
    std::vector<Candidate> candidates = {made("last", "2025-01-01T00:00:00Z"),
                                         made("older", "2024-12-31T00:00:00Z"),
                                         made("future", "2027-01-01T00:00:00Z"),
                                         made("by-hand", "2024-01-01T00:00:00Z"),
                                         made("base", "2024-01-01T00:00:00Z", "base"),
                                         made("failed", "2026-02-20T00:00:00Z", "db", "failed"),
                                         made("long-failed", "2026-01-01T00:00:00Z", "db", "failed"),
                                         made("running", "2026-03-01T00:00:00Z", "db", "running")};
    candidates[3].held = true;
    const auto verdicts = by_id(candidates, policy_of(numbers), at("2026-03-01T00:00:00Z"));
    for (const char* id : {"last", "future", "by-hand", "base", "failed", "running"}) {
        EXPECT_TRUE(verdicts.at(id).keep) << id;
        EXPECT_THAT(verdicts.at(id).tiers, IsEmpty()) << id;
        EXPECT_NE(verdicts.at(id).reason, "") << id;
    }
    EXPECT_THAT(verdicts.at("last").reason, StartsWith("last_good: "));
    EXPECT_FALSE(verdicts.at("older").keep);
    EXPECT_FALSE(verdicts.at("long-failed").keep);
    EXPECT_THAT(verdicts.at("long-failed").reason, StartsWith("not_in_any_tier: "));
}

TEST(Retention, AgeLimitsATierAndExplainsItself) {
    Numbers numbers = counts(0, 10, 0, 0);
    numbers.retain_daily_days = 3;
    const auto verdicts =
        by_id(hourly(at("2026-03-10T12:00:00Z"), 24 * 8), policy_of(numbers), at("2026-03-10T12:00:00Z"));
    EXPECT_THAT(verdicts.at("db0").tiers, ElementsAre(Tier::daily));
    EXPECT_THAT(verdicts.at("db109").reason, StartsWith("tier_age_exceeded: ")) << "2026-03-05T23:00";
}

TEST(Retention, TypesDoNotFillEachOthersPlaces) {
    auto candidates = hourly(at("2026-03-10T12:00:00Z"), 48);
    const auto full = hourly(at("2026-03-10T12:00:00Z"), 48, "full");
    candidates.insert(candidates.end(), full.begin(), full.end());
    const auto stays = kept(candidates, policy_of({}), at("2026-03-10T12:00:00Z"));
    EXPECT_EQ(std::count_if(stays.begin(), stays.end(), [](const auto& id) { return id.starts_with("full"); }), 3)
        << "three days; no hourly ones of this type unless asked for";
    EXPECT_EQ(std::count_if(stays.begin(), stays.end(), [](const auto& id) { return id.starts_with("db"); }), 25)
        << "24 hours, and the last of the day before them";
}

TEST(RetentionNumbers, OwnBeforeGeneralBeforeUsual) {
    Numbers numbers;
    EXPECT_EQ(policy_of(numbers).db[0].count, 24);
    EXPECT_EQ(policy_of(numbers).full[0].count, 0);
    numbers.retain_daily = 9;
    numbers.retain_full_daily = 2;
    numbers.retain_daily_days = 30;
    EXPECT_EQ(policy_of(numbers).db[1].count, 9);
    EXPECT_EQ(policy_of(numbers).full[1].count, 2);
    EXPECT_EQ(policy_of(numbers).full[1].days, 30);
    numbers.retain_db_daily = 0;
    EXPECT_EQ(policy_of(numbers).db[1].count, 0);
}

TEST(RetentionNumbers, RefusesWhatIsOutOfRangeAndWhatKeepsNothing) {
    Numbers wrong;
    wrong.retain_weekly = 1001;
    auto refused = resolve(wrong, Zone::utc());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), "out_of_range");
    EXPECT_EQ(refused.error().message(), "retainWeekly");
    wrong = {};
    wrong.retain_full_monthly = -1;
    EXPECT_EQ(resolve(wrong, Zone::utc()).error().message(), "retainFullMonthly");
    EXPECT_EQ(resolve(counts(0, 0, 0, 0), Zone::utc()).error().reason(), "empty_retention");
}

// What the words of the contract say, reckoned slowly and by other means: for each backup and tier, how many buckets
// with something in them are newer.
std::set<std::string> slowly(const std::vector<Candidate>& all, const Policy& policy, TimeMs now) {
    std::set<std::string> stays;
    const auto bucket = [&](Tier tier, TimeMs time) {
        const LocalMinute local = policy.zone.local(time);
        Day day = local.day;
        if (tier == Tier::weekly) {
            while (day.weekday() != 1) day = day.plus(-1);
        }
        if (tier == Tier::monthly) day.day = 1;
        return std::make_pair(day, tier == Tier::hourly ? local.hour : 0);
    };
    for (const Candidate& c : all) {
        const bool good = c.status == "completed" || c.status == "partial";
        const auto counted = [&](const Candidate& other) {
            return other.scope == c.scope && !other.held && other.created_at <= now &&
                   (other.status == "completed" || other.status == "partial");
        };
        if (!good || c.held || c.created_at > now) {
            if (c.held || c.created_at > now || good || now - c.created_at <= 30 * kDay) stays.insert(c.id);
            continue;
        }
        const auto before = [&](const Candidate& other) {  // `other` stands before c in its bucket
            if (other.status != c.status) return other.status == "completed";
            if (other.created_at != c.created_at) return other.created_at > c.created_at;
            return other.id > c.id;
        };
        bool newest = true;
        bool newest_complete = c.status == "completed";
        for (const Candidate& other : all) {
            if (!counted(other) || other.id == c.id) continue;
            const bool newer = other.created_at != c.created_at ? other.created_at > c.created_at : other.id > c.id;
            if (newer) newest = false;
            if (newer && other.status == "completed") newest_complete = false;
        }
        if (newest || newest_complete) stays.insert(c.id);
        const TypeRules& rules = c.scope == "db" ? policy.db : policy.full;
        for (const Tier tier : kTiers) {
            const TierRule& rule = rules[static_cast<std::size_t>(tier)];
            std::set<std::pair<Day, int>> newer;
            bool first = true;
            for (const Candidate& other : all) {
                if (!counted(other)) continue;
                if (bucket(tier, other.created_at) > bucket(tier, c.created_at))
                    newer.insert(bucket(tier, other.created_at));
                const bool same = bucket(tier, other.created_at) == bucket(tier, c.created_at);
                if (same && other.id != c.id && before(other)) first = false;
            }
            const bool young = rule.days == 0 || now - c.created_at <= rule.days * kDay;
            if (first && young && std::ssize(newer) < rule.count) stays.insert(c.id);
        }
    }
    return stays;
}

TEST(Retention, AgreesWithASlowReckoningAndItsOwnLaws) {
    std::mt19937 dice(20261121);
    const auto up_to = [&](int most) { return std::uniform_int_distribution<int>(0, most)(dice); };
    const char* zones[] = {"UTC", "Europe/Brussels", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe"};
    for (int round = 0; round < 150; ++round) {
        const TimeMs now = at("2026-04-01T00:00:00Z") + up_to(200) * kDay;
        std::vector<Candidate> all;
        for (int i = 0; i < 60; ++i) {
            Candidate c;
            c.id = std::to_string(i);
            c.scope = up_to(2) == 0 ? "full" : "db";
            c.status = up_to(5) == 0 ? "failed" : up_to(4) == 0 ? "partial" : "completed";
            c.created_at = now - static_cast<TimeMs>(up_to(100)) * up_to(100) * kHour / 2 + (up_to(20) == 0 ? kDay : 0);
            c.held = up_to(15) == 0;
            all.push_back(c);
        }
        Numbers numbers = counts(up_to(8), up_to(6), up_to(4), 1 + up_to(4));
        if (up_to(1) == 0) numbers.retain_daily_days = up_to(20);
        if (up_to(2) == 0) numbers.retain_full_hourly = up_to(5);
        const std::string zone = zones[up_to(4)];
        const Policy policy = policy_of(numbers, zone);
        const auto stays = kept(all, policy, now);
        ASSERT_EQ(stays, slowly(all, policy, now)) << "round " << round << " in " << zone;

        std::shuffle(all.begin(), all.end(), dice);
        ASSERT_EQ(kept(all, policy, now), stays) << "the order of the input matters";

        std::vector<Candidate> left;
        std::copy_if(all.begin(), all.end(), std::back_inserter(left),
                     [&](const auto& c) { return stays.contains(c.id); });
        ASSERT_EQ(kept(left, policy, now), stays) << "pruning twice takes more";

        Numbers larger = numbers;
        larger.retain_daily = *numbers.retain_daily + up_to(3);
        larger.retain_weekly = *numbers.retain_weekly + up_to(3);
        larger.retain_daily_days.reset();
        const auto more = kept(all, policy_of(larger, zone), now);
        ASSERT_TRUE(std::includes(more.begin(), more.end(), stays.begin(), stays.end()))
            << "a larger policy keeps less";
    }
}

TEST(InheritedNumbers, AreTheOrganizationsThenTheBuiltInOnes) {
    Numbers organization;
    organization.retain_daily = 30;
    organization.retain_db_daily = 14;
    organization.retain_daily_days = 60;
    organization.retain_full_hourly = 2;
    const Numbers both = inherit({}, organization);
    EXPECT_EQ(both.retain_hourly, 24);
    EXPECT_EQ(both.retain_daily, 30);
    EXPECT_EQ(both.retain_db_daily, 14);
    EXPECT_EQ(both.retain_daily_days, 60);
    EXPECT_EQ(both.retain_full_hourly, 2);
    const Policy policy = policy_of(both);
    EXPECT_EQ(policy.db[1].count, 14);
    EXPECT_EQ(policy.full[1].count, 30);
    EXPECT_EQ(policy.full[0].count, 2);
    EXPECT_EQ(policy_of(inherit({}, {})).full[0].count, 0) << "no hourly full ones unless somebody says so";
}

TEST(InheritedNumbers, AScheduleThatSaysATierMeansBothTypes) {
    Numbers organization;
    organization.retain_db_daily = 14;
    organization.retain_full_daily = 15;
    Numbers own;
    own.retain_daily = 3;
    EXPECT_EQ(policy_of(inherit(own, organization)).db[1].count, 3);
    EXPECT_EQ(policy_of(inherit(own, organization)).full[1].count, 3);
    own.retain_db_daily = 5;
    EXPECT_EQ(policy_of(inherit(own, organization)).db[1].count, 5);
    own.retain_hourly = 9;
    EXPECT_EQ(policy_of(inherit(own, organization)).full[0].count, 0);
}

}  // namespace
}  // namespace backstay::retention
