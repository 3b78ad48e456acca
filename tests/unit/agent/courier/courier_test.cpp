#include "agent/courier/courier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/state/jobs.h"
#include "agent/state/outbox.h"
#include "agent/state/state.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agent/courier/fake_control_plane.h"

namespace backstay {
namespace {

using ::testing::Contains;

class AgentCourier : public ::testing::Test {
protected:
    void SetUp() override {
        config_.state_dir = folder_.path();
        config_.control_plane_url = control_.url();
        database_.emplace(std::move(*open_state(folder_.path())));
        control_plane::HeartbeatAnswer answer;
        answer.interval_ms = 1000;
        control_.ask(answer);
        courier_.emplace(hooks(), clock_);
    }
    CourierHooks hooks() {
        CourierHooks hooks;
        hooks.config = [this] { return config_; };
        hooks.held = [] { return std::vector<control_plane::HeldJob>{{"held", 4}}; };
        hooks.free_slots = [] { return 1; };
        hooks.assigned = [this](sqlite::Database&, const control_plane::Assignment& job) {
            note("assigned " + job.job_id);
        };
        hooks.cancel = [this](const std::string& id) { note("cancel " + id); };
        hooks.lost = [this](const std::string& id) { note("lost " + id); };
        hooks.wal = [this](sqlite::Database&) -> Result<std::vector<control_plane::ClusterWal>> {
            const std::lock_guard lock(mutex_);
            return archives_;
        };
        hooks.enrolled = [this](const Identity& identity) { note("enrolled " + identity.agent_id); };
        return hooks;
    }
    void note(const std::string& what) {
        const std::lock_guard lock(mutex_);
        heard_.push_back(what);
    }
    std::vector<std::string> heard() {
        const std::lock_guard lock(mutex_);
        return heard_;
    }
    void enroll() { ASSERT_TRUE(save_identity(folder_.path(), {"a1", "o1", "erp1", "cred", control_.url()})); }
    void add_job(const std::string& id) {
        JobRow row;
        row.job_id = id;
        row.kind = "backup";
        row.origin = kOriginSocket;
        row.operation_id = id;
        row.reported = true;
        ASSERT_TRUE(JobRepository(*database_).add(row));
    }
    static bool eventually(const std::function<bool()>& holds) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!holds()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));  // a poll with a deadline
        }
        return true;
    }

    backstay::testing::TempDir folder_;
    SystemClock clock_;
    FakeControlPlane control_;
    AgentConfig config_;
    std::optional<sqlite::Database> database_;
    std::mutex mutex_;
    std::vector<std::string> heard_;
    std::vector<control_plane::ClusterWal> archives_{1};
    std::optional<Courier> courier_;
};

TEST_F(AgentCourier, SaysNothingWithoutAnIdentityAndBeginsWhenThereIsOne) {
    courier_->start();
    EXPECT_FALSE(courier_->status().enrolled);
    EXPECT_EQ(control_.calls(), 0);
    enroll();
    ASSERT_TRUE(eventually([&] { return courier_->status().connected; }));
    EXPECT_THAT(heard(), Contains("enrolled a1"));
    const auto first = control_.heartbeats().front();
    EXPECT_TRUE(first.inventory.has_value());
    ASSERT_EQ(first.jobs.size(), 1U);
    EXPECT_EQ(first.jobs[0].job_id, "held");
}

TEST_F(AgentCourier, TellsTheInventoryOnceAndWhenItIsAskedFor) {
    enroll();
    courier_->start();
    ASSERT_TRUE(eventually([&] { return control_.heartbeats().size() >= 2; }));
    EXPECT_FALSE(control_.heartbeats()[1].inventory.has_value());
    control_plane::HeartbeatAnswer answer;
    answer.interval_ms = 1000;
    answer.inventory_wanted = true;
    control_.ask(answer);
    ASSERT_TRUE(eventually([&] {
        const auto all = control_.heartbeats();
        return all.size() >= 3 && all.back().inventory.has_value();
    }));
}

TEST_F(AgentCourier, TellsOfArchivesAtFirstAndWhenTheyChange) {
    enroll();
    courier_->start();
    ASSERT_TRUE(eventually([&] { return control_.heartbeats().size() >= 2; }));
    EXPECT_TRUE(control_.heartbeats()[0].wal.has_value());
    EXPECT_FALSE(control_.heartbeats()[1].wal.has_value());
    {
        const std::lock_guard lock(mutex_);
        archives_[0].archiving.last_archived_segment = "000000010000000000000007";
    }
    const auto told = [&] {
        const auto all = control_.heartbeats();
        return all.back().wal && all.back().wal->front().archiving.last_archived_segment.has_value();
    };
    ASSERT_TRUE(eventually(told));
    // What did not arrive is told again.
    control_.set_away(true);
    {
        const std::lock_guard lock(mutex_);
        archives_.clear();
    }
    ASSERT_TRUE(eventually([&] { return !courier_->status().connected; }));
    control_.set_away(false);
    ASSERT_TRUE(eventually([&] {
        const auto all = control_.heartbeats();
        return all.back().wal && all.back().wal->empty();
    }));
}

TEST_F(AgentCourier, HandsOverAssignmentsCancelsAndLostJobs) {
    enroll();
    control_plane::Assignment assignment;
    assignment.job_id = "j1";
    control_.offer(assignment);
    add_job("gone");
    control_plane::HeartbeatAnswer answer;
    answer.interval_ms = 1000;
    answer.cancel = {"j2"};
    answer.lost = {{"gone", 0}};
    control_.ask(answer);
    courier_->start();
    for (const std::string what : {"assigned j1", "cancel j2", "lost gone"}) {
        EXPECT_TRUE(eventually([&] {
            const auto all = heard();
            return std::find(all.begin(), all.end(), what) != all.end();
        })) << what;
    }
    EXPECT_TRUE(eventually([&] { return *Outbox(*database_).size() == 0; }));
    EXPECT_TRUE(control_.reports().empty());
}

TEST_F(AgentCourier, SendsAtOnceWhenNudgedAndOutlivesAnAbsence) {
    enroll();
    courier_->start();
    ASSERT_TRUE(eventually([&] { return courier_->status().connected; }));
    add_job("first");
    courier_->nudge();
    ASSERT_TRUE(eventually([&] { return control_.reports().size() == 1; }));
    control_.set_away(true);
    add_job("second");
    courier_->nudge();
    ASSERT_TRUE(eventually([&] { return !courier_->status().connected; }));
    EXPECT_FALSE(courier_->status().last_error.empty());
    control_.set_away(false);
    ASSERT_TRUE(eventually([&] { return control_.reports().size() == 2; }));
    ASSERT_TRUE(eventually([&] { return courier_->status().connected; }));
}

TEST_F(AgentCourier, DeliversWhatWaitsBeforeItEnds) {
    enroll();
    courier_->start();
    ASSERT_TRUE(eventually([&] { return courier_->status().connected; }));
    add_job("last");
    courier_->stop(5000);
    EXPECT_EQ(control_.reports().size(), 1U);
}

// A control plane, or something in between, that never lets a poll wait and wants the inventory again and again.
TEST_F(AgentCourier, DoesNotRaceWithAControlPlaneThatAnswersAtOnce) {
    control_plane::HeartbeatAnswer answer;
    answer.interval_ms = 1000;
    answer.inventory_wanted = true;
    control_.ask(answer);
    enroll();
    courier_->start();
    ASSERT_TRUE(eventually([&] { return control_.heartbeats().size() >= 1; }));
    const std::int64_t began = steady_ms();
    ASSERT_TRUE(eventually([&] { return steady_ms() - began >= 3'000; }));
    EXPECT_LE(control_.heartbeats().size(), 6U);
    EXPECT_LE(control_.calls(), 14);
}

}  // namespace
}  // namespace backstay
