#include "agent/evidence/steps.h"

#include <gtest/gtest.h>

#include <thread>

#include "common/domain/reasons.h"
#include "tests/support/fake_clock.h"
#include "tests/support/remembering_journal.h"

namespace backstay {
namespace {

struct Dump {
    std::uint64_t bytes = 0;
};
Testimony testify(const Dump& dump) {
    return {fmt::format("{} bytes", dump.bytes), {{"size_bytes", std::to_string(dump.bytes)}}, {"artifact:db"}, ""};
}

class StepsTest : public testing::Test {
protected:
    FakeClock clock;
    RememberingJournal journal;
    ProgressMeter meter{clock, "backup", "id", "env"};
    std::stop_source stop;
    Steps steps{journal, meter, clock, stop.get_token()};

    void SetUp() override { ASSERT_TRUE(steps.plan(plan_backup("db", {"d1"}, false))); }
};

TEST_F(StepsTest, AFinishedStepTestifies) {
    const auto dump = steps.run("db_dump", [&]() -> Result<Dump> {
        clock.advance(250);
        return Dump{42};
    });
    ASSERT_TRUE(dump);
    EXPECT_EQ(dump->bytes, 42U);
    ASSERT_EQ(journal.history().size(), 2U);
    EXPECT_EQ(journal.history()[0].status, StepStatus::running);
    const StepRecord& ended = journal.history()[1];
    EXPECT_EQ(ended.status, StepStatus::completed);
    EXPECT_TRUE(ended.required);
    EXPECT_EQ(ended.duration_ms, 250);
    EXPECT_EQ(ended.summary, "42 bytes");
    EXPECT_EQ(ended.facts.at("size_bytes"), "42");
    EXPECT_EQ(ended.proofs, std::vector<std::string>{"artifact:db"});
}

TEST_F(StepsTest, AFailedStepKeepsReasonHintAndToolOutput) {
    const auto dump = steps.run("db_dump", [&]() -> Result<Dump> {
        return Error(Errc::io, "pg_dump exited with 1")
            .with_reason(reason::kDbDumpFailed)
            .with_hint("look at the server's log")
            .with_fact("stderr", "pg_dump: error: connection lost");
    });
    ASSERT_FALSE(dump);
    EXPECT_EQ(dump.error().message(), "db_dump: pg_dump exited with 1");
    const StepRecord* record = journal.find("db_dump");
    EXPECT_EQ(record->status, StepStatus::failed);
    EXPECT_EQ(record->reason, reason::kDbDumpFailed);
    EXPECT_EQ(record->output, "pg_dump: error: connection lost");
    EXPECT_EQ(record->summary, "pg_dump exited with 1 (look at the server's log)");
}

TEST_F(StepsTest, AfterAStopNoStepBegins) {
    stop.request_stop();
    bool ran = false;
    const auto result = steps.run("preflight", [&]() -> Result<> {
        ran = true;
        return {};
    });
    EXPECT_EQ(result.error().code(), Errc::cancelled);
    EXPECT_FALSE(ran);
    EXPECT_TRUE(journal.history().empty());
}

TEST_F(StepsTest, AJournalThatCannotWriteFailsTheStep) {
    journal.fail_after(1);
    const auto result = steps.run("db_dump", [&]() -> Result<Dump> { return Dump{1}; });
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().message().find("disk is full"), std::string::npos);
    EXPECT_EQ(journal.find("db_dump")->status, StepStatus::running);
}

TEST_F(StepsTest, StepsMayOverlap) {
    {
        std::jthread other([&] {
            for (int i = 0; i < 50; ++i) (void)steps.run("config_capture", []() -> Result<> { return {}; }).has_value();
        });
        for (int i = 0; i < 50; ++i) (void)steps.run("db_dump", []() -> Result<Dump> { return Dump{1}; }).has_value();
    }
    EXPECT_EQ(journal.history().size(), 200U);
}

TEST_F(StepsTest, ASkippedRequiredStepLeavesTheOperationNotGreen) {
    ASSERT_TRUE(steps.skip("config_capture", "no odoo.conf was found"));
    const RecoveryEvidence verdict = journal.verdict();
    EXPECT_FALSE(verdict.can_write_clean_success);
    EXPECT_EQ(verdict.status, "red");
    bool told = false;
    for (const std::string& line : verdict.why_not_green) {
        told = told || line == "config_capture: skipped, no odoo.conf was found";
    }
    EXPECT_TRUE(told);
}

}  // namespace
}  // namespace backstay
