#include "agent/courier/delivery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/state/evidence.h"
#include "agent/state/jobs.h"
#include "agent/state/outbox.h"
#include "agent/state/state.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agent/courier/fake_control_plane.h"

namespace backstay {
namespace {

class CourierDelivery : public ::testing::Test {
protected:
    void SetUp() override { database_.emplace(std::move(*open_state(folder_.path()))); }
    void add_job(const std::string& id, int steps) {
        JobRow row;
        row.job_id = id;
        row.fence = 1;
        row.kind = "backup";
        row.origin = kOriginControlPlane;
        row.operation_id = "op-" + id;
        row.reported = true;
        ASSERT_TRUE(JobRepository(*database_).add(row));
        EvidenceRepository evidence(*database_);
        ASSERT_TRUE(evidence.begin(row.operation_id, id));
        for (int i = 0; i < steps; ++i) {
            StepRecord step;
            step.name = "step-" + std::to_string(i);
            ASSERT_TRUE(evidence.step(row.operation_id, step, i));
        }
    }
    Result<> deliver() {
        control_plane::ControlPlaneClient client({control_.url(), "", "c", {}});
        Delivery delivery(*database_, "instance",
                          [this](const std::string& id, std::int64_t) { refused_.push_back(id); });
        return delivery.deliver(client);
    }
    std::int64_t waiting() { return *Outbox(*database_).size(); }

    backstay::testing::TempDir folder_;
    std::optional<sqlite::Database> database_;
    FakeControlPlane control_;
    std::vector<std::string> refused_;
};

TEST_F(CourierDelivery, EmptiesTheOutboxInOrderAndInBatches) {
    add_job("a", 250);
    ASSERT_TRUE(deliver());
    EXPECT_EQ(waiting(), 0);
    const auto reports = control_.reports();
    ASSERT_EQ(reports.size(), 251U);
    for (std::size_t i = 0; i < reports.size(); ++i) EXPECT_EQ(reports[i].seq, static_cast<std::int64_t>(i) + 1);
}

TEST_F(CourierDelivery, KeepsEverythingWhileTheControlPlaneIsAway) {
    add_job("a", 3);
    control_.set_away(true);
    EXPECT_FALSE(deliver());
    EXPECT_EQ(waiting(), 4);
    control_.set_away(false);
    ASSERT_TRUE(deliver());
    EXPECT_EQ(waiting(), 0);
    EXPECT_EQ(control_.reports().size(), 4U);
}

TEST_F(CourierDelivery, DropsWhatIsRefusedAndTellsWho) {
    add_job("a", 3);
    add_job("b", 1);
    control_.refuse("a");
    ASSERT_TRUE(deliver());
    EXPECT_EQ(waiting(), 0);
    EXPECT_THAT(refused_, ::testing::ElementsAre("a"));
    EXPECT_EQ(control_.reports().size(), 2U);
}

TEST_F(CourierDelivery, DoesNotLetAReportThatNobodyUnderstandsBlockTheOthers) {
    add_job("a", 3);
    add_job("b", 1);
    control_.not_understand("a");
    ASSERT_TRUE(deliver());
    EXPECT_EQ(waiting(), 0);
    EXPECT_EQ(control_.reports().size(), 2U);
}

}  // namespace
}  // namespace backstay
