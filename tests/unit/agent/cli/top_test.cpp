#include "agent/cli/top.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/cli/render.h"
#include "common/text.h"

namespace backstay::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr TimeMs kNow = 1'800'000'000'000;

TopView busy() {
    TopView view;
    view.now = view.status_at = kNow;
    local_api::StatusAnswer& status = view.status.emplace();
    status.version = "1.2.3";
    status.started_at = {kNow - 3'600'000};
    status.why.status = "red";
    local_api::WhyReason& reason = status.why.reasons.emplace_back();
    reason.status = "red", reason.subject = "database shop", reason.message = "the last backup failed";
    reason.cluster = "main", reason.database = "shop", reason.why_not_green = {"db_dump: no such table"};
    for (int i = 0; i < 30; ++i) {
        local_api::BackupView& backup = status.last_backups.emplace_back();
        backup.cluster = "main", backup.database = i == 0 ? "shop" : fmt::format("base{}", i);
        backup.scope = "full", backup.status = "completed", backup.completed_at = {kNow - 7'200'000};
        backup.destination_ids = {"disk"};
    }
    local_api::JobView& job = status.active.emplace_back();
    job.kind = "backup", job.database = "shop", job.state = "running", job.started_at = Timestamp{kNow - 5000};
    job.progress.emplace();
    job.progress->percent = 50, job.progress->step = "db_dump", job.progress->bytes_done = 1'000'000;
    job.progress->bytes_total = 3'000'000, job.progress->rate_bytes_per_sec = 100'000;
    status.active.emplace_back().kind = "verify";
    local_api::WalView& wal = status.wal.emplace_back();
    wal.cluster = "main", wal.state = "lagging", wal.lag_seconds = 90, wal.alerts = {"behind"};
    local_api::DestinationView& disk = status.destination_states.emplace_back();
    disk.id = "disk", disk.type = "local", disk.last_result = "failed", disk.last_error = "refused";
    status.upcoming.push_back({"backup", "main", "shop", Timestamp{kNow + 60'000}, "full backup, by its schedule"});
    return view;
}

std::string text_of(const TopView& view, const Screen& screen) {
    std::string text;
    for (const std::string& line : top_lines(view, screen)) text += line + "\n";
    return text;
}

TEST(Top, ShowsHealthJobsArchivesBackupsDestinationsAndWhatIsNext) {
    const std::string text = text_of(busy(), {120, 0, false, false});
    EXPECT_THAT(text, HasSubstr("backstay 1.2.3"));
    EXPECT_THAT(text, HasSubstr("red: 1 reason\n"));
    EXPECT_THAT(text, HasSubstr("database shop: the last backup failed: db_dump: no such table"));
    EXPECT_THAT(text, HasSubstr("50.0 %  db_dump  1.0 MB  100.0 kB/s  about 20 s left"));
    EXPECT_THAT(text, HasSubstr("main  lagging  1 min 30 s behind"));
    EXPECT_THAT(text, HasSubstr("2 h 0 min ago  full  completed"));
    EXPECT_THAT(text, HasSubstr("disk  local  failed"));
    EXPECT_THAT(text, HasSubstr("in 1 min 0 s  shop  full backup"));
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(Top, FitsEveryScreen) {
    for (const std::size_t columns : {1U, 10U, 37U, 80U, 200U}) {
        for (const std::size_t rows : {1U, 2U, 5U, 12U, 24U, 60U}) {
            const auto lines = top_lines(busy(), {columns, rows, false, true});
            EXPECT_EQ(lines.size(), rows) << columns << "x" << rows;
            for (const std::string& line : lines) EXPECT_LE(columns_of(line), columns) << line;
        }
    }
    const std::string small = text_of(busy(), {80, 24, false, true});
    EXPECT_THAT(small, HasSubstr("last backups ("));
    EXPECT_THAT(small, HasSubstr("in 1 min 0 s")) << "the longest list gives way, not the last one";
    EXPECT_THAT(small, HasSubstr("q leaves"));
}

TEST(Top, ColoursByTheVerdict) {
    const std::string text = text_of(busy(), {120, 0, true, false});
    EXPECT_THAT(text, HasSubstr("\x1b[31mred: 1 reason\x1b[0m"));
    EXPECT_THAT(text, HasSubstr("\x1b[31m2 h 0 min ago"));
    TopView green = busy();
    green.status->why = {"green", {}, {{"main", "shop", "b", {kNow}, std::nullopt, {}}}, {}};
    EXPECT_THAT(text_of(green, {120, 0, true, false}), HasSubstr("\x1b[32mall green\x1b[0m"));
    EXPECT_THAT(text_of(green, {120, 0, true, false}), HasSubstr("\x1b[32m2 h 0 min ago"));
}

TEST(Top, SaysSinceWhenNoAgentAnswersAndKeepsWhatItHeardLast) {
    TopView view;
    view.now = kNow;
    EXPECT_THAT(text_of(view, {80, 24, false, true}), HasSubstr("asking the agent"));
    view = busy();
    view.trouble = "connection refused";
    view.trouble_since = kNow - 4000;
    const std::string text = text_of(view, {120, 24, false, true});
    EXPECT_THAT(text, HasSubstr("no agent answers since " + when({kNow - 4000}) + " UTC (4 s): connection refused"));
    EXPECT_THAT(text, HasSubstr("as of "));
    EXPECT_THAT(text, HasSubstr("last backups"));
}

TEST(Top, SendsNoCommandOfAForeignNameToTheTerminal) {
    TopView view = busy();
    const std::string evil =
        "evil\x1b]0;title\a\xC2\x9B"
        "2J\n";
    local_api::StatusAnswer& status = *view.status;
    status.last_backups[0].database = status.active[0].database = status.wal[0].cluster = evil;
    status.active[1].database = status.destination_states[0].id = status.destination_states[0].last_error = evil;
    status.why.reasons[0].message = status.why.reasons[0].subject = status.upcoming[0].message = evil;
    status.active[0].progress->step = status.active[1].kind = status.version = evil;
    view.trouble = evil;
    const std::string text = text_of(view, {200, 0, false, false});
    EXPECT_EQ(text, printable_lines(text));
}

}  // namespace
}  // namespace backstay::cli
