// A year of schedules in several zones with a clock moved by hand, held against a reckoning of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "common/domain/schedule.h"
#include "control-plane/retention/verdicts.h"
#include "control-plane/schedule/runs.h"
#include "control-plane/schedule/turns.h"
#include "tests/unit/control-plane/dispatch/world.h"
#include "tests/unit/control-plane/schedule/reckoning.h"

namespace backstay::schedule {
namespace {

using dispatch::World;

constexpr TimeMs kMinute = 60'000;
constexpr TimeMs kHour = 60 * kMinute;
constexpr TimeMs kDay = 24 * kHour;

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

// One environment with a full backup a day and the database every six hours, in the real store, with the real scheduler
// and the real retention.
class StoredYear {
public:
    explicit StoredYear(const std::string& zone, TimeMs from) {
        world_.now = from;
        run("PRAGMA synchronous = OFF");
        auto transaction = sqlite::Transaction::begin(world_.db()).value();
        store::DestinationRow disk;
        disk.id = new_uuid();
        disk.organization_id = world_.organization_id;
        disk.name = disk.type = "local";
        EXPECT_TRUE(store::Destinations(world_.db()).create(transaction, disk));
        EXPECT_TRUE(transaction.commit());
        schedule_.id = new_uuid();
        schedule_.environment_id = world_.environment.id;
        schedule_.organization_id = world_.organization_id;
        schedule_.time_zone = zone;
        schedule_.db = {"custom", "30 */6 * * *", {}};
        schedule_.full = {"custom", "30 0 * * *", {}};
        schedule_.retention = retention::usual_numbers();
        const Zone found = Zone::find(zone).value();
        for (const std::string_view scope : store::kScheduledScopes) {
            schedule_.of(scope).next = Cron::parse(schedule_.of(scope).cron).value().next(from - 1, found);
        }
        EXPECT_TRUE(store::Schedules(world_.db()).put(schedule_));
        policy_ = retention::policy_of(schedule_, schedule_.retention).value();
    }

    void live_until(TimeMs to) {
        for (TimeMs prune = world_.now + kDay; world_.now < to; world_.now += kHour) {
            EXPECT_TRUE(world_.beat({}));
            EXPECT_TRUE(run_due(world_.db(), world_.now, world_.stir));
            // Each is made before the next look.
            run("UPDATE backups SET status = 'completed' WHERE status = 'pending'");
            run("UPDATE jobs SET state = 'finished' WHERE state <> 'finished'");
            if (world_.now < prune) continue;
            prune += kDay;
            for (const auto& verdict : judged()) {
                if (!verdict.keep) run("UPDATE backups SET status = 'deleting' WHERE id = '" + verdict.backup_id + "'");
            }
        }
    }
    std::vector<retention::BackupVerdict> judged() {
        return retention::judge_backups(world_.db(), world_.environment.id, policy_, world_.now).value();
    }
    std::map<std::pair<std::string, TimeMs>, std::string> runs() {
        std::map<std::pair<std::string, TimeMs>, std::string> out;
        const auto all = store::Schedules(world_.db()).runs(world_.environment.id, 1'000'000).value();
        for (const auto& found : all) {
            out[{found.scope, found.due_at}] = found.outcome;
        }
        return out;
    }
    World& world() { return world_; }

private:
    void run(const std::string& sql) {
        const auto done = world_.db().run_script(sql);
        EXPECT_TRUE(done) << done.error().message();
    }
    World world_;
    store::Schedule schedule_;
    retention::Policy policy_;
};

// The first of `made` (newest first) in each of the newest `count` buckets.
void keep_newest(const std::vector<TimeMs>& made, const char* bucket, std::size_t count, std::set<TimeMs>& kept) {
    std::set<std::string> buckets;
    for (const TimeMs one : made) {
        if (buckets.size() == count && !buckets.contains(LocalZone::shown(one, bucket))) return;
        if (buckets.insert(LocalZone::shown(one, bucket)).second) kept.insert(one);
    }
}

TEST_P(Years, TheStoreHoldsEachRunOnceAndRetentionKeepsWhatItsTiersSay) {
    const LocalZone zone(GetParam());
    StoredYear year(GetParam(), from_);
    const TimeMs to = from_ + 366 * kDay + 10 * kMinute;
    year.live_until(to);
    const auto full =
        reckon(from_, year.world().now, [](const std::tm& t) { return t.tm_min == 30 && t.tm_hour == 0; });
    const auto db =
        reckon(from_, year.world().now, [](const std::tm& t) { return t.tm_min == 30 && t.tm_hour % 6 == 0; });
    std::map<std::pair<std::string, TimeMs>, std::string> expected;
    for (const TimeMs due : full) expected[{"full", due}] = "ordered";
    for (const TimeMs due : db) expected[{"db", due}] = "ordered";
    for (const TimeMs due : full) {
        if (expected.contains({"db", due})) expected[{"db", due}] = "covered";
    }
    auto runs = year.runs();
    std::erase_if(expected, [&](const auto& one) { return one.first.second > year.world().now - kHour; });
    EXPECT_EQ(runs, expected);

    for (const std::string scope : {"full", "db"}) {
        std::vector<TimeMs> made;
        for (const auto& verdict : year.judged()) {
            if (verdict.scope == scope && verdict.keep) made.push_back(verdict.created_at);
        }
        std::vector<TimeMs> all;
        auto rows = year.world().db().query("SELECT created_at FROM backups WHERE scope = $1 ORDER BY created_at DESC",
                                            {scope});
        while (rows->step().value()) all.push_back(rows->integer(0));
        EXPECT_EQ(all.size(),
                  static_cast<std::size_t>(std::count_if(expected.begin(), expected.end(), [&](const auto& one) {
                      return one.first.first == scope && one.second == "ordered";
                  })));
        std::set<TimeMs> kept = {all.front()};
        if (scope == "db") keep_newest(all, "%Y-%m-%d %H", 24, kept);
        keep_newest(all, "%Y-%m-%d", 7, kept);
        keep_newest(all, "%G-%V", 4, kept);
        keep_newest(all, "%Y-%m", 3, kept);
        EXPECT_EQ(std::set<TimeMs>(made.begin(), made.end()), kept) << scope;
    }
}

INSTANTIATE_TEST_SUITE_P(Zones, Years, ::testing::ValuesIn(kZones), [](const auto& given) {
    std::string name = given.param;
    std::erase_if(name, [](char c) { return c == '/' || c == '_'; });
    return name;
});

}  // namespace
}  // namespace backstay::schedule
