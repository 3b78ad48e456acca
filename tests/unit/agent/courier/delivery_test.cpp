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

TEST_F(CourierDelivery, SetsARejectedReportAsideAndGoesOnWithTheOthers) {
    add_job("a", 4);
    add_job("b", 1);
    control_.reject("a", 2);
    ASSERT_TRUE(deliver());
    EXPECT_EQ(waiting(), 0);
    EXPECT_TRUE(refused_.empty()) << "its job goes on";
    EXPECT_EQ(control_.reports().size(), 6U);
    EXPECT_EQ(Outbox(*database_).refused().value(), 1);
    auto row = database_->query("SELECT job_id, fence, seq, code, message, report_json FROM refused_reports");
    ASSERT_TRUE(row && row->step());
    EXPECT_EQ(row->text(0), "a");
    EXPECT_EQ(row->integer(2), 2);
    EXPECT_EQ(row->text(3), "not_understood");
    EXPECT_THAT(row->text(5), ::testing::HasSubstr("step-0"));
    const int calls = control_.calls();
    ASSERT_TRUE(deliver());
    EXPECT_EQ(control_.calls(), calls) << "nothing is sent again";
}

TEST_F(CourierDelivery, KeepsNoMoreThanAThousandRejectedReports) {
    add_job("a", 0);
    for (int i = 0; i < 1100; ++i) {
        ASSERT_TRUE(
            database_->run("INSERT INTO outbox (job_id, fence, seq, kind, report_json) VALUES ('x', 1, $1, "
                           "'step', '{}')",
                           {i}));
        ASSERT_TRUE(Outbox(*database_).set_aside("x", 1, {i, "c", "m"}).value());
    }
    EXPECT_EQ(Outbox(*database_).refused().value(), 1000);
    EXPECT_FALSE(Outbox(*database_).set_aside("x", 1, {5000, "c", "m"}).value());
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
