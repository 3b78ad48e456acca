#include "agent/state/state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "agent/state/backups.h"
#include "agent/state/evidence.h"
#include "agent/state/identity.h"
#include "agent/state/jobs.h"
#include "agent/state/journal.h"
#include "agent/state/outbox.h"
#include "common/ids.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

using control_plane::JobFinish;
using control_plane::JobOutcome;
using control_plane::Report;
using control_plane::ReportKind;
using ::testing::HasSubstr;

class AgentState : public ::testing::Test {
protected:
    void SetUp() override {
        auto opened = open_state(folder_.path());
        ASSERT_TRUE(opened) << opened.error().message();
        database_.emplace(std::move(*opened));
    }
    JobRow job(const std::string& id, std::int64_t fence = 1) {
        JobRow row;
        row.job_id = id;
        row.fence = fence;
        row.kind = "backup";
        row.origin = fence == 0 ? kOriginSocket : kOriginControlPlane;
        row.operation_id = "op-" + id;
        row.database = "shop";
        row.created_at = {1000};
        row.reported = true;
        return row;
    }
    JobRepository jobs() { return JobRepository(*database_); }
    Outbox outbox() { return Outbox(*database_); }
    EvidenceRepository evidence() { return EvidenceRepository(*database_); }
    std::vector<Report> reports() { return *outbox().oldest(100); }
    std::vector<std::int64_t> numbers() {
        std::vector<std::int64_t> all;
        for (const Report& report : reports()) all.push_back(report.seq);
        return all;
    }
    static StepRecord step(const std::string& name, StepStatus status) {
        StepRecord record;
        record.name = name;
        record.status = status;
        record.started_at = Timestamp{500};
        return record;
    }

    backstay::testing::TempDir folder_;
    FakeClock clock_;
    std::optional<sqlite::Database> database_;
};

TEST_F(AgentState, KeepsAJobWithItsFirstReport) {
    ASSERT_TRUE(jobs().add(job("a")));
    ASSERT_EQ(reports().size(), 1U);
    EXPECT_EQ(reports()[0].kind, ReportKind::accepted);
    EXPECT_EQ(reports()[0].seq, 1);
    ASSERT_TRUE(jobs().add(job("b", 0)));
    EXPECT_EQ(reports()[1].kind, ReportKind::declared);
    EXPECT_EQ(reports()[1].declared->origin, "socket");
}

TEST_F(AgentState, IgnoresAnOfferThatItHasAndTakesANewerFence) {
    ASSERT_TRUE(jobs().add(job("a", 2)));
    EXPECT_EQ(jobs().add(job("a", 2)).error().code(), Errc::conflict);
    EXPECT_EQ(jobs().add(job("a", 1)).error().code(), Errc::conflict);
    ASSERT_TRUE(jobs().add(job("a", 3)));
    ASSERT_EQ(reports().size(), 1U);  // what the old fence left would be refused
    EXPECT_EQ(reports()[0].fence, 3);
    EXPECT_EQ(reports()[0].seq, 1);
}

TEST_F(AgentState, NumbersReportsWithoutAHoleAndMergesProgress) {
    ASSERT_TRUE(jobs().add(job("a")));
    ASSERT_TRUE(evidence().begin("op-a", "a"));
    ASSERT_TRUE(evidence().plan("op-a", {}, 1));
    Progress progress;
    progress.percent = 1;
    ASSERT_TRUE(evidence().progress("op-a", progress, 2));
    progress.percent = 2;
    ASSERT_TRUE(evidence().progress("op-a", progress, 3));
    ASSERT_TRUE(evidence().step("op-a", step("preflight", StepStatus::completed), 4));
    progress.percent = 3;
    ASSERT_TRUE(evidence().progress("op-a", progress, 5));
    JobFinish finish;
    finish.outcome = JobOutcome::succeeded;
    ASSERT_TRUE(jobs().finish("a", finish, 6));
    EXPECT_THAT(numbers(), ::testing::ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_EQ(reports()[2].progress->percent, 2);
    ASSERT_TRUE(outbox().acknowledge("a", 1, 3));
    EXPECT_THAT(numbers(), ::testing::ElementsAre(4, 5, 6));
    EXPECT_EQ(jobs().finish("a", finish, 7).error().code(), Errc::conflict);
    EXPECT_EQ(jobs().find("a")->value().state, JobState::succeeded);
}

TEST_F(AgentState, TellsNobodyOfJobsThatAreNotReported) {
    JobRow own = job("a", 0);
    own.reported = false;
    ASSERT_TRUE(jobs().add(own));
    ASSERT_TRUE(jobs().finish("a", {}, 2));
    EXPECT_EQ(*outbox().size(), 0);
}

TEST_F(AgentState, KeepsTheLatestRecordOfEachStepInTheirOrder) {
    ASSERT_TRUE(jobs().add(job("a")));
    auto journal = OperationJournal::open(folder_.path(), clock_, "op-a", "a");
    ASSERT_TRUE(journal);
    ASSERT_TRUE((*journal)->recorded(step("preflight", StepStatus::running)));
    ASSERT_TRUE((*journal)->recorded(step("db_dump", StepStatus::running)));
    ASSERT_TRUE((*journal)->recorded(step("preflight", StepStatus::completed)));
    ASSERT_TRUE((*journal)->noted("scratch", "db__1"));
    ASSERT_TRUE((*journal)->noted("gone", "x"));
    ASSERT_TRUE((*journal)->noted("gone", ""));
    const auto found = evidence().of("op-a");
    ASSERT_TRUE(found && *found);
    ASSERT_EQ((*found)->steps.size(), 2U);
    EXPECT_EQ((*found)->steps[0].name, "preflight");
    EXPECT_EQ((*found)->steps[0].status, StepStatus::completed);
    EXPECT_EQ((*found)->notes, (Facts{{"scratch", "db__1"}}));
}

TEST_F(AgentState, SettlesStepsUnderWhichTheProcessDied) {
    ASSERT_TRUE(jobs().add(job("a")));
    ASSERT_TRUE(evidence().begin("op-a", "a"));
    ASSERT_TRUE(evidence().step("op-a", step("preflight", StepStatus::completed), 1));
    ASSERT_TRUE(evidence().step("op-a", step("db_dump", StepStatus::running), 2));
    ASSERT_TRUE(evidence().settle("op-a", "agent_restarted", "the agent died", 900));
    const auto found = *evidence().of("op-a");
    EXPECT_EQ(found->steps[0].status, StepStatus::completed);
    EXPECT_EQ(found->steps[1].status, StepStatus::failed);
    EXPECT_EQ(found->steps[1].reason, "agent_restarted");
    EXPECT_EQ(found->steps[1].duration_ms, 400);
    EXPECT_EQ(reports().back().step->status, StepStatus::failed);
}

TEST_F(AgentState, ServesThreadsThatWriteAtOnce) {
    ASSERT_TRUE(jobs().add(job("a")));
    ASSERT_TRUE(jobs().add(job("b")));
    std::vector<std::jthread> threads;
    for (const std::string id : {"a", "b"}) {
        threads.emplace_back([this, id] {
            auto journal = OperationJournal::open(folder_.path(), clock_, "op-" + id, id);
            ASSERT_TRUE(journal) << journal.error().message();
            for (int i = 0; i < 20; ++i) {
                ASSERT_TRUE((*journal)->recorded(step("s" + std::to_string(i), StepStatus::completed)));
            }
        });
    }
    threads.clear();
    EXPECT_EQ(reports().size(), 42U);
}

TEST_F(AgentState, FindsJobsByTheStartOfTheirId) {
    ASSERT_TRUE(jobs().add(job("abc-1")));
    ASSERT_TRUE(jobs().add(job("abd-2")));
    EXPECT_EQ(jobs().look_up("abc")->job_id, "abc-1");
    EXPECT_EQ(jobs().look_up("op-abd-2")->job_id, "abd-2");
    EXPECT_EQ(jobs().look_up("ab").error().code(), Errc::conflict);
    EXPECT_EQ(jobs().look_up("zz").error().code(), Errc::not_found);
    EXPECT_EQ(jobs().look_up("a%").error().code(), Errc::not_found);
}

TEST_F(AgentState, ForgetsOldJobsButNotTheWayBack) {
    for (const std::string id : {"a", "b", "c"}) {
        ASSERT_TRUE(jobs().add(job(id)));
        ASSERT_TRUE(evidence().begin("op-" + id, id));
        ASSERT_TRUE(jobs().finish(id, {}, 5));
    }
    ASSERT_TRUE(evidence().note("op-a", "previous", "shop__1"));
    EXPECT_EQ(*jobs().prune(1), 1);
    EXPECT_TRUE(jobs().find("a")->has_value());
    EXPECT_FALSE(jobs().find("b")->has_value());
    EXPECT_TRUE(jobs().find("c")->has_value());
}

TEST_F(AgentState, KeepsTheCatalogueOfBackups) {
    BackupRow backup;
    backup.backup_id = new_uuid();
    backup.database = "shop";
    backup.status = "partial";
    backup.manifest = json::Object{{"format", 1}};
    backup.destination_ids = {"disk"};
    BackupRepository backups(*database_);
    ASSERT_TRUE(backups.put(backup));
    EXPECT_EQ(backups.newest("other", 10)->size(), 0U);
    ASSERT_EQ(backups.newest("shop", 10)->size(), 1U);
    ASSERT_TRUE(backups.set_destinations(backup.backup_id, {"disk", "bucket"}, "completed"));
    const auto found = backups.look_up(backup.backup_id.substr(0, 8));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->status, "completed");
    EXPECT_EQ(found->destination_ids.size(), 2U);
    ASSERT_TRUE(backups.remove(backup.backup_id));
    EXPECT_EQ(backups.look_up(backup.backup_id).error().code(), Errc::not_found);
}

TEST_F(AgentState, FindsTheLastBackupOfEachDatabase) {
    BackupRepository backups(*database_);
    const auto put = [&](const std::string& id, const std::string& cluster, const std::string& scope, TimeMs at) {
        BackupRow row;
        row.backup_id = id, row.cluster = cluster, row.database = "shop", row.scope = scope, row.created_at = {at};
        ASSERT_TRUE(backups.put(row));
    };
    put("a", "main", "full", 1);
    put("b", "main", "db", 3);
    put("c", "other", "db", 2);
    const auto each = backups.last_of_each();
    ASSERT_TRUE(each);
    ASSERT_EQ(each->size(), 2U);
    EXPECT_EQ(each->at(0).backup_id, "b");
    EXPECT_EQ(each->at(1).backup_id, "c");
    EXPECT_EQ((*backups.last("main", "shop", "db"))->backup_id, "b");
    EXPECT_EQ((*backups.last("main", "shop", "full"))->backup_id, "a");
    EXPECT_EQ((*backups.last("", "shop", "db"))->backup_id, "b");
    EXPECT_FALSE(backups.last("other", "shop", "full")->has_value());
}

TEST_F(AgentState, KeepsTheIdentityInASecretFile) {
    EXPECT_FALSE(load_identity(folder_.path())->has_value());
    ASSERT_TRUE(save_identity(folder_.path(), {"a1", "o1", "erp1", "hush", "https://c"}));
    struct stat info {};
    ASSERT_EQ(::stat(identity_file(folder_.path()).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
    EXPECT_EQ(load_identity(folder_.path())->value().credential, "hush");
    const std::string id = *local_agent_id(folder_.path());
    EXPECT_TRUE(is_uuid(id));
    EXPECT_EQ(*local_agent_id(folder_.path()), id);
}

TEST_F(AgentState, RefusesAFileThatIsNoDatabase) {
    backstay::testing::TempDir other;
    std::ofstream(other.path() + "/agent.db") << std::string(8192, 'x');
    const auto opened = open_state(other.path());
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), Errc::corrupted);
}

// `backstay enroll` is typed as root; the daemon that must read the identity is not root.
TEST(Identity, BelongsToTheOwnerOfTheStateFolder) {
    testing::TempDir folder;
    // Only root can give files away; nobody else needs to.
    const uid_t owner = ::geteuid() == 0 ? 65534 : ::geteuid();
    ASSERT_EQ(::chown(folder.path().c_str(), owner, static_cast<gid_t>(-1)), 0);
    ASSERT_TRUE(save_identity(folder.path(), {"a", "o", "n", "c", "http://x"}));
    struct stat about {};
    ASSERT_EQ(::stat(identity_file(folder.path()).c_str(), &about), 0);
    EXPECT_EQ(about.st_uid, owner);
    EXPECT_EQ(about.st_mode & 07777U, 0600U);
}

}  // namespace
}  // namespace backstay
