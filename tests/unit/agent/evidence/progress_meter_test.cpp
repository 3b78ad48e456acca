#include "agent/evidence/progress_meter.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace backstay {
namespace {

OperationPlan two_steps() {
    OperationPlan plan;
    plan.steps = {{"first", true, 20}, {"second", true, 80}};
    return plan;
}

TEST(ProgressMeter, PercentFollowsWeightsAndBytes) {
    FakeClock clock;
    ProgressMeter meter(clock, "backup", "id", "");
    EXPECT_EQ(meter.snapshot().status, "pending");
    meter.set_plan(two_steps());
    meter.began("first");
    meter.ended("first", StepStatus::completed);
    EXPECT_DOUBLE_EQ(meter.snapshot().percent, 20);
    meter.set_total("second", 100);
    meter.began("second");
    meter.add("second", 50);
    const Progress half = meter.snapshot();
    EXPECT_DOUBLE_EQ(half.percent, 60);
    EXPECT_EQ(half.step, "second");
    EXPECT_EQ(half.step_index, 2);
    EXPECT_EQ(half.bytes_done, 50U);
    EXPECT_EQ(half.bytes_total, 100U);
}

TEST(ProgressMeter, PercentNeverFallsWhenAnEstimateGrows) {
    FakeClock clock;
    ProgressMeter meter(clock, "backup", "id", "");
    meter.set_plan(two_steps());
    meter.began("second");
    meter.set_total("second", 100);
    meter.add("second", 90);
    const double before = meter.snapshot().percent;
    meter.set_total("second", 1000);
    EXPECT_DOUBLE_EQ(meter.snapshot().percent, before);
}

TEST(ProgressMeter, OnlySuccessIsAHundred) {
    FakeClock clock;
    ProgressMeter failed(clock, "backup", "id", "");
    failed.set_plan(two_steps());
    failed.ended("first", StepStatus::completed);
    failed.ended("second", StepStatus::completed);
    EXPECT_LT(failed.snapshot().percent, 100);
    failed.finish("failed", "no");
    EXPECT_LT(failed.snapshot().percent, 100);
    EXPECT_EQ(failed.snapshot().error, "no");

    ProgressMeter good(clock, "backup", "id", "");
    good.set_plan(two_steps());
    good.finish("completed", "");
    EXPECT_DOUBLE_EQ(good.snapshot().percent, 100);
    EXPECT_TRUE(good.snapshot().done);
}

}  // namespace
}  // namespace backstay
