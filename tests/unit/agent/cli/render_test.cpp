#include "agent/cli/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/cli/bar.h"
#include "common/text.h"

namespace backstay::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Render, AlignsColumnsByWhatIsSeenNotByBytes) {
    Table table({"NAME", "SIZE"});
    table.add({"été", "1"});
    table.add({"longer", "22"});
    EXPECT_EQ(table.text(), "NAME    SIZE\nété     1\nlonger  22\n");
}

TEST(Render, KeepsControlCharactersAwayFromTheTerminal) {
    EXPECT_EQ(printable("a\x1b[2Jb\nc"), "a [2Jb c");
    local_api::JobView job;
    job.database = "evil\x1b]0;title\a";
    EXPECT_THAT(render_jobs({job}), Not(HasSubstr("\x1b")));
}

TEST(Render, ShowsTheVerdictWithItsReasons) {
    local_api::JobDetail detail;
    detail.job.job_id = "11111111-1111-4111-8111-111111111111";
    detail.job.kind = "backup";
    detail.job.database = "shop";
    detail.job.status = "partial";
    local_api::OperationView operation;
    operation.recovery_evidence.status = "amber";
    operation.recovery_evidence.reason = "remote_copy_partial";
    operation.recovery_evidence.why_not_green = {"bucket: out of reach"};
    StepRecord step;
    step.name = "db_dump";
    step.status = StepStatus::completed;
    step.duration_ms = 61'000;
    step.summary = "1.2 GB";
    step.proofs = {"artifact:db"};
    operation.steps = {step};
    detail.operations = {operation};
    const std::string text = render_job(detail);
    EXPECT_THAT(text, HasSubstr("backup of shop, partial"));
    EXPECT_THAT(text, HasSubstr("db_dump  completed  1 min 1 s  1.2 GB"));
    EXPECT_THAT(text, HasSubstr("proofs: artifact:db\n"));
    EXPECT_THAT(text, HasSubstr("evidence: amber (remote_copy_partial)"));
    EXPECT_THAT(text, HasSubstr("  - bucket: out of reach"));
    // A deletion has no copies to be proud of.
    detail.job.kind = "delete_snapshot";
    EXPECT_THAT(render_job(detail), Not(HasSubstr("evidence:")));
}

TEST(Render, SaysWhyTheHostIsNotGreenAndWhatHappensNext) {
    constexpr TimeMs now = 1'800'000'000'000;
    local_api::WhyAnswer answer;
    answer.status = "green";
    answer.proven.push_back({"main", "shop", "id", {now - 3'600'000}, Timestamp{now - 3'590'000}, {"disk"}});
    EXPECT_EQ(render_why(answer, now),
              "all green: shop backed up 2027-01-15 07:00:00 UTC (1 h 0 min ago) to disk, read back 2027-01-15 "
              "07:00:10 UTC\n");
    local_api::WhyReason reason;
    reason.status = "red", reason.subject = "database other", reason.message = "the last backup failed";
    reason.since = Timestamp{now - 60'000}, reason.reason = "db_unreachable",
    reason.why_not_green = {"preflight: no\x1b"};
    reason.hint = "start it", reason.next = "full backup, by its schedule", reason.next_at = Timestamp{now + 60'000};
    reason.job_id = "j";
    answer.status = "red";
    answer.reasons = {reason};
    const std::string text = render_why(answer, now);
    EXPECT_THAT(text, HasSubstr("red: 1 reason\n\nRED    database other: the last backup failed\n"));
    EXPECT_THAT(text, HasSubstr("since  2027-01-15 07:59:00 UTC (1 min 0 s ago)"));
    EXPECT_THAT(text, HasSubstr("why    preflight: no \n"));
    EXPECT_THAT(text, HasSubstr("next   full backup, by its schedule, 2027-01-15 08:01:00 UTC (in 1 min 0 s)"));
    EXPECT_THAT(text, HasSubstr("backstay job j"));
    EXPECT_THAT(text, HasSubstr("proven all the same\n  shop backed up"));
}

TEST(Render, SaysWhatACheckFoundAndWhatToDo) {
    const std::string text = render_check({{{"database shop", "pg_dump", "ok", "15.18", ""},
                                            {"database shop", "filestore", "failed", "not readable", "chgrp"}}});
    EXPECT_THAT(text, HasSubstr("database shop\n  ok       pg_dump"));
    EXPECT_THAT(text, HasSubstr("FAILED   filestore"));
    EXPECT_THAT(text, HasSubstr("→ chgrp"));
}

TEST(Render, DrawsABarThatFitsTheTerminal) {
    Progress progress;
    progress.percent = 50;
    progress.step = "db_dump";
    progress.bytes_done = 1'500'000;
    progress.rate_bytes_per_sec = 2'000'000;
    EXPECT_THAT(Bar::line(progress, 80), HasSubstr("█░"));
    EXPECT_THAT(Bar::line(progress, 80), HasSubstr("50.0 %  db_dump  1.5 MB  2.0 MB/s"));
    EXPECT_THAT(Bar::line(progress, 40), Not(HasSubstr("MB/s")));
    progress.percent = 250;
    EXPECT_THAT(Bar::line(progress, 80), HasSubstr("100.0 %"));
}

}  // namespace
}  // namespace backstay::cli
