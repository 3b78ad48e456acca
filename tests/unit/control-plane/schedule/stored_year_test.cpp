// A year of schedules and retention in several zones through the real store, with a clock moved by hand and a control
// plane that dies at work, held against a reckoning of its own.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "common/domain/schedule.h"
#include "control-plane/dispatch/prune.h"
#include "control-plane/schedule/runs.h"
#include "tests/unit/control-plane/dispatch/world.h"
#include "tests/unit/control-plane/schedule/mortal.h"
#include "tests/unit/control-plane/schedule/reckoning.h"

namespace backstay::schedule {
namespace {

using dispatch::World;

constexpr TimeMs kMinute = 60'000;
constexpr TimeMs kDay = 24 * 60 * kMinute;

using Runs = std::map<std::pair<std::string, TimeMs>, std::string>;  // outcomes by scope and moment

// What retention is asked to keep in one zone, and the same said to the C library's calendar.
struct Keeping {
    std::size_t hourly = 24;
    std::size_t daily = 7;
    std::size_t weekly = 4;
    std::size_t monthly = 3;
    TimeMs daily_age = 0;  // 0: any
    std::size_t full_daily = 7;
};
const std::map<std::string, Keeping> kKeeping = {
    {"Europe/Brussels", {}},
    {"America/New_York", {48, 30, 0, 12, 10 * kDay, 30}},
    {"Asia/Kolkata", {6, 14, 8, 1, 0, 2}},
    {"Australia/Lord_Howe", {1, 1, 26, 0, 0, 1}},
};

retention::Numbers numbers_of(const Keeping& keeping) {
    retention::Numbers numbers;
    numbers.retain_hourly = static_cast<std::int64_t>(keeping.hourly);
    numbers.retain_daily = static_cast<std::int64_t>(keeping.daily);
    numbers.retain_weekly = static_cast<std::int64_t>(keeping.weekly);
    numbers.retain_monthly = static_cast<std::int64_t>(keeping.monthly);
    if (keeping.daily_age > 0) numbers.retain_daily_days = keeping.daily_age / kDay;
    numbers.retain_full_daily = static_cast<std::int64_t>(keeping.full_daily);
    return numbers;
}

// The first of `made` (newest first) in each of the newest `count` buckets, none older than `age`.
void keep_newest(const std::vector<TimeMs>& made, const char* bucket, std::size_t count, TimeMs age, TimeMs now,
                 std::set<TimeMs>& kept) {
    std::set<std::string> buckets;
    for (const TimeMs one : made) {
        const std::string name = LocalZone::shown(one, bucket);
        if (buckets.size() == count && !buckets.contains(name)) return;
        if (buckets.insert(name).second && (age == 0 || now - one <= age)) kept.insert(one);
    }
}

std::set<TimeMs> expected_of(const std::vector<TimeMs>& made, const std::string& scope, const Keeping& keeping,
                             TimeMs now) {
    std::set<TimeMs> kept = {made.front()};
    if (scope == "db") keep_newest(made, "%Y-%m-%d %H", keeping.hourly, 0, now, kept);
    keep_newest(made, "%Y-%m-%d", scope == "db" ? keeping.daily : keeping.full_daily, keeping.daily_age, now, kept);
    keep_newest(made, "%G-%V", keeping.weekly, 0, now, kept);
    keep_newest(made, "%Y-%m", keeping.monthly, 0, now, kept);
    return kept;
}

// The control plane's work at one look, in a process that dies.
void work(const std::string& path, TimeMs now, bool prune) {
    auto db = store::open_store(path);
    // What is killed needs no disk: the kernel keeps what it wrote.
    if (!db || !db->run_script("PRAGMA synchronous = OFF")) return;
    Mortal::ready();
    dispatch::Stir stir;
    static_cast<void>((prune ? dispatch::prune_due(*db, now, stir) : run_due(*db, now, stir)).has_value());
}

// One environment with its database every hour and a full backup a day, in the real store, with the real scheduler and
// the real prune. The control plane dies at random moments of its work, and begins again.
class StoredYear {
public:
    StoredYear(const std::string& zone, TimeMs from) : keeping_(kKeeping.at(zone)) {
        world_.now = looked_ = compared_ = from;
        run("PRAGMA synchronous = OFF");
        auto transaction = sql::Transaction::begin(world_.db()).value();
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
        schedule_.db = {"custom", "20 * * * *", {}};
        schedule_.full = {"custom", "20 0 * * *", {}};
        schedule_.retention = numbers_of(keeping_);
        const Zone found = Zone::find(zone).value();
        for (const std::string_view scope : store::kScheduledScopes) {
            schedule_.of(scope).next = Cron::parse(schedule_.of(scope).cron).value().next(from - 1, found);
        }
        EXPECT_TRUE(store::Schedules(world_.db()).put(schedule_));
    }

    void look(TimeMs now) {
        world_.now = now;
        EXPECT_TRUE(world_.beat({}));
        const auto fate = random_() % 80;
        if (fate == 0) die_at_work(false);
        EXPECT_TRUE(run_due(world_.db(), now, world_.stir));
        // Each is made before the next look.
        finish_pending();
        if (fate == 1) die_at_work(true);
        EXPECT_TRUE(dispatch::prune_due(world_.db(), now, world_.stir));
        looked_ = now;
        if (now - compared_ < 9 * kDay) return;
        compared_ = now;
        compare();
    }
    // What is there is what a reckoning over everything that was ever made says.
    void compare() {
        for (const auto& [scope, made] : made_) {
            std::set<TimeMs> stays;
            auto rows = world_.db().query(
                "SELECT created_at FROM backups WHERE scope = $1 AND deleted_at IS NULL AND status = 'completed'",
                {scope});
            while (rows->step().value()) stays.insert(rows->integer(0));
            EXPECT_EQ(stays, expected_of(made, scope, keeping_, world_.now))
                << scope << " at " << to_rfc3339(world_.now);
        }
    }
    Runs runs() {
        Runs out;
        const auto all = store::Schedules(world_.db()).runs(world_.environment.id, 1'000'000).value();
        for (const auto& found : all) {
            out[{found.scope, found.due_at}] = found.outcome;
        }
        EXPECT_EQ(out.size(), all.size());
        return out;
    }
    std::size_t made(const std::string& scope) const { return made_.at(scope).size(); }
    int deaths_ordering() const { return deaths_[0]; }
    int deaths_pruning() const { return deaths_[1]; }

private:
    void die_at_work(bool prune) {
        const std::string path = world_.path();
        if (mortal_.die(path, world_.now, prune)) ++deaths_[prune ? 1 : 0];
    }
    void finish_pending() {
        std::vector<std::string> ids;
        {
            auto rows = world_.db().query(
                "SELECT id, scope, created_at FROM backups WHERE environment_id = $1 AND created_at > $2 AND status = "
                "'pending' AND deleted_at IS NULL",
                {world_.environment.id, looked_});
            while (rows->step().value()) {
                ids.push_back(rows->text(0));
                made_[rows->text(1)].insert(made_[rows->text(1)].begin(), rows->integer(2));
            }
        }
        for (const std::string& id : ids) {
            EXPECT_TRUE(world_.db().run("UPDATE backups SET status = 'completed', completed_at = $2 WHERE id = $1",
                                        {id, world_.now}));
            EXPECT_TRUE(world_.db().run("UPDATE jobs SET state = 'finished' WHERE id = $1", {id}));
        }
    }
    void run(const std::string& sql) {
        const auto done = world_.db().run_script(sql);
        EXPECT_TRUE(done) << done.error().message();
    }
    Mortal mortal_{work};  // before the store is open: SQLite's locks do not outlive a fork
    Keeping keeping_;
    World world_;
    TimeMs looked_ = 0;
    TimeMs compared_ = 0;
    std::mt19937 random_{20261121};
    int deaths_[2] = {0, 0};
    std::map<std::string, std::vector<TimeMs>> made_;  // newest first
    store::Schedule schedule_;
};

// Which runs differ, and how: of two years only these are worth reading.
std::vector<std::string> differences(const Runs& found, const Runs& expected) {
    const auto outcome_in = [](const Runs& runs, const Runs::key_type& run) {
        const auto at = runs.find(run);
        return at == runs.end() ? "absent" : at->second;
    };
    Runs all = found;
    all.insert(expected.begin(), expected.end());
    std::vector<std::string> out;
    for (const auto& [run, outcome] : all) {
        const std::string is = outcome_in(found, run);
        const std::string should = outcome_in(expected, run);
        if (is != should)
            out.push_back(fmt::format("{} {}: {}, not {}", run.first, to_rfc3339(run.second), is, should));
    }
    return out;
}

class StoredYears : public ::testing::TestWithParam<std::string> {};

TEST_P(StoredYears, EachRunIsThereOnceAndRetentionKeepsWhatItsTiersSay) {
    const LocalZone zone(GetParam());
    const TimeMs from = parse_rfc3339("2026-01-01T12:25:00Z").value();
    const TimeMs to = from + 366 * kDay;
    const auto full = reckon(from, to, [](const std::tm& t) { return t.tm_min == 20 && t.tm_hour == 0; });
    const auto db = reckon(from, to, [](const std::tm& t) { return t.tm_min == 20; });
    EXPECT_GT(db.size(), 8700U);
    Runs expected;
    for (const TimeMs due : db) expected[{"db", due}] = "ordered";
    for (const TimeMs due : full) {
        expected[{"full", due}] = "ordered";
        if (expected.contains({"db", due})) expected[{"db", due}] = "covered";
    }
    // Behind each moment, while it is young: when the clocks go forward, the moment that was skipped and the one after
    // it are twenty minutes apart. What is run at any other moment is found among the runs.
    std::set<TimeMs> looks;
    for (const auto& [run, outcome] : expected) looks.insert(run.second + 5 * kMinute);

    StoredYear year(GetParam(), from);
    for (const TimeMs now : looks) year.look(now);
    year.compare();
    EXPECT_GT(year.deaths_ordering(), 10);
    EXPECT_GT(year.deaths_pruning(), 10);
    EXPECT_EQ(differences(year.runs(), expected), std::vector<std::string>());
    EXPECT_EQ(year.made("full"), full.size());
    EXPECT_EQ(year.made("db"), db.size() - full.size());
}

INSTANTIATE_TEST_SUITE_P(Zones, StoredYears,
                         ::testing::Values("Europe/Brussels", "America/New_York", "Asia/Kolkata",
                                           "Australia/Lord_Howe"),
                         [](const auto& given) {
                             std::string name = given.param;
                             std::erase_if(name, [](char c) { return c == '/' || c == '_'; });
                             return name;
                         });

}  // namespace
}  // namespace backstay::schedule
