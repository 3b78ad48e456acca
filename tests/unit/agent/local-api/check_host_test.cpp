#include "agent/local-api/check_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "agent/local-api/advice.h"
#include "agent/state/identity.h"
#include "tests/support/temp_dir.h"

namespace backstay::local_api {
namespace {

using ::testing::HasSubstr;

constexpr uid_t kNobody = 65534;

// A child that is not root, where the test is: root may everything. What it finds comes back as lines of text.
std::string found_by_nobody(const std::function<void(CheckList&)>& look) {
    int ends[2];
    if (::pipe(ends) != 0) return "no pipe";
    const pid_t child = ::fork();
    if (child == 0) {
        const bool left = ::geteuid() != 0 ||
                          (::setresgid(kNobody, kNobody, kNobody) == 0 && ::setresuid(kNobody, kNobody, kNobody) == 0);
        CheckList list;
        if (left) look(list);
        std::string text;
        for (const CheckLine& line : list.take())
            text += line.name + " " + line.result + ": " + line.message + " → " + line.hint + "\n";
        const ssize_t written = ::write(ends[1], text.data(), text.size());
        ::_exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
    }
    ::close(ends[1]);
    std::string text(8192, '\0');
    const ssize_t count = ::read(ends[0], text.data(), text.size());
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    return text;
}

class CheckHost : public ::testing::Test {
protected:
    CheckHost() {
        config_.state_dir = folder_.path() + "/state";
        ::mkdir(config_.state_dir.c_str(), 0700);
    }
    // The one line that a look adds; an empty one when there is none.
    CheckLine line(const std::function<void(CheckList&)>& look) {
        CheckList list;
        look(list);
        const auto lines = list.take();
        EXPECT_LE(lines.size(), 1U);
        return lines.empty() ? CheckLine{} : lines.front();
    }
    testing::TempDir folder_;
    AgentConfig config_;
};

TEST_F(CheckHost, FindsAStateFolderThatIsOpenToOthers) {
    EXPECT_EQ(line([&](CheckList& list) { check_state_owner(config_, list); }).result, "ok");
    ASSERT_EQ(::chmod(config_.state_dir.c_str(), 0755), 0);
    CheckList list;
    check_state_owner(config_, list);
    const auto lines = list.take();
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0].result, "warning");
    EXPECT_THAT(lines[0].hint, HasSubstr("chmod 0700"));
}

TEST_F(CheckHost, FindsAFileOfRootsInTheState) {
    const std::string file = config_.state_dir + "/agent.db";
    std::ofstream(file) << "x";
    if (::geteuid() != 0) return;  // only root gives files away
    ASSERT_EQ(::chown(file.c_str(), kNobody, kNobody), 0);
    const CheckLine found = line([&](CheckList& list) { check_state_owner(config_, list); });
    EXPECT_EQ(found.result, "failed");
    EXPECT_THAT(found.message, HasSubstr("agent.db"));
    EXPECT_THAT(found.hint, HasSubstr("chown -R"));
}

TEST_F(CheckHost, FindsAGroupThatIsNotThere) {
    config_.socket_group = "no-such-group";
    const CheckLine found = line([&](CheckList& list) { check_groups(config_, list); });
    EXPECT_EQ(found.result, "failed");
    EXPECT_THAT(found.message, HasSubstr("no-such-group"));
}

TEST_F(CheckHost, FindsAGroupOfWalThatTheAgentIsNotIn) {
    config_.wal_group = "root";
    EXPECT_EQ(found_by_nobody([&](CheckList& list) { check_groups(config_, list); }), "") << "no WAL is archived";
    config_.wal.emplace_back();
    EXPECT_THAT(found_by_nobody([&](CheckList& list) { check_groups(config_, list); }),
                HasSubstr("usermod -aG root backstay"));
}

TEST_F(CheckHost, FindsARootThatIsNotMounted) {
    config_.local_roots = {folder_.path() + "/disk"};
    const CheckLine found = line([&](CheckList& list) { check_roots(config_, list); });
    EXPECT_EQ(found.result, "failed");
    EXPECT_THAT(found.message, HasSubstr("not mounted"));
    EXPECT_THAT(found.hint, HasSubstr("install -d -m 0700"));
}

TEST_F(CheckHost, FindsARootThatTheAgentMayNotWrite) {
    const std::string root = folder_.path() + "/disk";
    ASSERT_EQ(::mkdir(root.c_str(), 0555), 0);
    ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
    config_.local_roots = {root};
    EXPECT_THAT(found_by_nobody([&](CheckList& list) { check_roots(config_, list); }),
                HasSubstr("ReadWritePaths=" + root));
}

TEST_F(CheckHost, FindsThatEveryBackupIsOnThisHost) {
    EXPECT_EQ(line([&](CheckList& list) { check_apart(config_, list); }).result, "")
        << "that there is none is another check's";
    config_.destinations.emplace_back();
    config_.destinations.back().type = "local";
    config_.local_roots = {folder_.path()};
    EXPECT_THAT(line([&](CheckList& list) { check_apart(config_, list); }).message, HasSubstr("the agent's own disk"));
    config_.destinations.emplace_back();
    config_.destinations.back().type = "sftp";
    EXPECT_EQ(line([&](CheckList& list) { check_apart(config_, list); }).result, "");
}

TEST_F(CheckHost, FindsAFilestoreThatARestoreMayNotWrite) {
    const std::string filestore = folder_.path() + "/filestore";
    ASSERT_EQ(::mkdir(filestore.c_str(), 0555), 0);
    ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
    EXPECT_THAT(found_by_nobody([&](CheckList& list) { check_restores(filestore + "/shop", list); }),
                HasSubstr("restores.conf"));
}

TEST_F(CheckHost, FindsAControlPlaneThatDoesNotKnowThisHost) {
    const auto enrolment = [&] { return line([&](CheckList& list) { check_enrolment(config_, list); }); };
    EXPECT_EQ(enrolment().result, "");
    config_.control_plane_url = "https://backstay.example.com";
    EXPECT_EQ(enrolment().result, "failed");
    EXPECT_THAT(enrolment().hint, HasSubstr("enroll-token"));
    ASSERT_TRUE(
        save_identity(config_.state_dir, {"agent", "organization", "erp1", "secret", "https://old.example.com"}));
    EXPECT_EQ(enrolment().result, "warning");
    ASSERT_TRUE(
        save_identity(config_.state_dir, {"agent", "organization", "erp1", "secret", config_.control_plane_url}));
    EXPECT_EQ(enrolment().result, "ok");
}

TEST_F(CheckHost, FindsASpoolThatDoesNotFit) {
    config_.wal.emplace_back();
    config_.wal[0].spool_max_bytes = 1ULL << 60;
    EXPECT_EQ(line([&](CheckList& list) { check_spool(config_, list); }).result, "");
    config_.wal[0].ack = "spool";
    EXPECT_EQ(line([&](CheckList& list) { check_spool(config_, list); }).result, "warning");
    config_.wal[0].spool_max_bytes = 1;
    EXPECT_EQ(line([&](CheckList& list) { check_spool(config_, list); }).result, "ok");
}

TEST_F(CheckHost, FindsAClockThatNobodyKeeps) {
    EXPECT_EQ(line([](CheckList& list) { check_clock(true, list); }).result, "ok");
    EXPECT_THAT(line([](CheckList& list) { check_clock(false, list); }).hint, HasSubstr("timesyncd"));
}

TEST_F(CheckHost, FindsAServiceThatDoesNotBeginAtBoot) {
    const std::string root = folder_.path();
    const auto service = [&] { return line([&](CheckList& list) { check_service(root, list); }); };
    EXPECT_EQ(service().result, "") << "no systemd runs there";
    std::filesystem::create_directories(root + "/run/systemd/system");
    EXPECT_EQ(service().result, "warning");
    EXPECT_EQ(service().hint, "systemctl enable backstay-agent");
    std::filesystem::create_directories(root + "/etc/systemd/system/multi-user.target.wants");
    std::filesystem::create_symlink("/lib/systemd/system/backstay-agent.service",
                                    root + "/etc/systemd/system/multi-user.target.wants/backstay-agent.service");
    EXPECT_EQ(service().result, "ok");
}

TEST_F(CheckHost, FindsAScratchFolderThatIsTooSmall) {
    config_.scratch_dir = folder_.path();
    EXPECT_EQ(line([&](CheckList& list) { check_scratch(config_, 0, list); }).result, "ok");
    const CheckLine found = line([&](CheckList& list) { check_scratch(config_, 1ULL << 60, list); });
    EXPECT_EQ(found.result, "warning");
    EXPECT_THAT(found.hint, HasSubstr("scratch_dir"));
}

TEST_F(CheckHost, TellsAFilestoreThatIsGoneFromOneThatIsClosedAndFromAnothers) {
    const std::string filestore = folder_.path() + "/shop";
    const std::vector<std::string> names = {"ab/one", "ab/two", "ab/three"};
    const auto looked = [&] { return line([&](CheckList& list) { check_filestore(filestore, names, list); }); };
    EXPECT_THAT(looked().message, HasSubstr("is not there"));
    EXPECT_THAT(looked().hint, HasSubstr("mount it"));
    std::filesystem::create_directories(filestore + "/ab");
    EXPECT_THAT(looked().message, HasSubstr("has 0 of the 3 files"));
    EXPECT_THAT(looked().hint, HasSubstr("filestore in an [[odoo]]"));
    std::ofstream(filestore + "/ab/one") << "x";
    std::ofstream(filestore + "/ab/two") << "x";
    EXPECT_EQ(looked().result, "ok") << "Odoo has lost one: the evidence of a backup names it";
    ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
    ASSERT_EQ(::chmod(filestore.c_str(), 0700), 0);
    if (::geteuid() != 0) return;  // its owner may
    EXPECT_THAT(found_by_nobody([&](CheckList& list) { check_filestore(filestore, names, list); }),
                HasSubstr("the group of Odoo's files"));
}

TEST_F(CheckHost, FindsWhatKeepsWalFromBeingArchived) {
    archiver::ServerFacts facts;
    facts.wal_level = "replica";
    facts.archive_mode = "off";
    const auto looked = [&] { return line([&](CheckList& list) { judge_archiving("main", facts, list); }); };
    EXPECT_THAT(looked().message, HasSubstr("archive_mode is off"));
    EXPECT_THAT(looked().hint, HasSubstr("backstay setup-wal main"));
    facts.archive_mode = "on";
    facts.archive_command = "cp %p /mnt/wal/%f";
    EXPECT_THAT(looked().message, HasSubstr("does not call `backstay wal-push %p`"));
    facts.archive_command = "backstay wal-push %p";
    EXPECT_EQ(looked().result, "ok");
    facts.last_archived = "000000010000000000000004";
    facts.last_failed = "000000010000000000000005";
    facts.failed_count = 7;
    EXPECT_THAT(looked().message, HasSubstr("7 attempts"));
    EXPECT_THAT(looked().hint, HasSubstr("wal_group"));
    facts.last_archived = "000000010000000000000006";
    EXPECT_EQ(looked().result, "ok") << "it got through since";
    facts.in_recovery = true;
    facts.archive_mode = "off";
    EXPECT_EQ(looked().result, "ok");
}

TEST(DoctorsAdvice, TellsARefusedCredentialFromAControlPlaneThatIsAway) {
    ControlPlaneView plane;
    plane.url = "https://control.example";
    plane.last_code = "unavailable";
    EXPECT_THAT(contact_hint(plane), HasSubstr("curl -I https://control.example"));
    plane.last_code = "denied";
    EXPECT_THAT(contact_hint(plane), HasSubstr("enroll-token"));
}

}  // namespace
}  // namespace backstay::local_api
