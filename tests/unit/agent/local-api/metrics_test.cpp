#include "agent/local-api/metrics.h"

#include <gtest/gtest.h>

namespace backstay::local_api {
namespace {

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != text.npos;
}

TEST(AgentMetrics, TellWhatIsKnownAndLeaveOutWhatIsNot) {
    StatusAnswer status;
    status.version = "1.2.3";
    status.started_at = Timestamp{1'700'000'000'500};
    status.control_plane.unsent_reports = 3;
    const std::string text = metrics_text(status);
    EXPECT_TRUE(has_line(text, "backstay_agent_info{version=\"1.2.3\"} 1"));
    EXPECT_TRUE(has_line(text, "backstay_agent_start_time_seconds 1700000000.5"));
    EXPECT_TRUE(has_line(text, "backstay_agent_unsent_reports 3"));
    EXPECT_EQ(text.find("control_plane_connected"), text.npos) << "there is none";
    status.control_plane.url = "https://control.example";
    EXPECT_TRUE(has_line(metrics_text(status), "backstay_agent_control_plane_connected 0"));
}

TEST(AgentMetrics, CountJobsByState) {
    StatusAnswer status;
    for (const char* state : {"running", "queued", "queued"}) status.active.emplace_back().state = state;
    const std::string text = metrics_text(status);
    EXPECT_TRUE(has_line(text, "backstay_agent_jobs{state=\"queued\"} 2"));
    EXPECT_TRUE(has_line(text, "backstay_agent_jobs{state=\"running\"} 1"));
}

TEST(AgentMetrics, EscapeWhatADatabaseMayBeCalled) {
    StatusAnswer status;
    BackupView& backup = status.last_backups.emplace_back();
    backup.cluster = "main";
    backup.database = "a\"b\\c\nd";
    backup.completed_at = Timestamp{1000};
    backup.size_bytes = 5;
    const std::string text = metrics_text(status);
    EXPECT_TRUE(has_line(text, R"(backstay_agent_last_backup_bytes{cluster="main",database="a\"b\\c\nd"} 5)"));
}

TEST(AgentMetrics, LeaveOutAFigureOfAClusterThatHasNone) {
    StatusAnswer status;
    status.wal.emplace_back().cluster = "one";
    status.wal.emplace_back().cluster = "two";
    status.wal[1].lag_seconds = 7;
    status.wal[1].alerts = {"look"};
    const std::string text = metrics_text(status);
    EXPECT_EQ(text.find("backstay_wal_lag_seconds{cluster=\"one\"}"), text.npos);
    EXPECT_TRUE(has_line(text, "backstay_wal_lag_seconds{cluster=\"two\"} 7"));
    EXPECT_TRUE(has_line(text, "backstay_wal_healthy{cluster=\"one\"} 1"));
    EXPECT_TRUE(has_line(text, "backstay_wal_healthy{cluster=\"two\"} 0"));
}

}  // namespace
}  // namespace backstay::local_api
