// `backstay setup` on a host in memory and files in a folder of the test's own.
#include "agent/setup/setup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "common/files/files.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agent/setup/fake_host.h"

namespace backstay::setup {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

struct Answers final : Dialogue {
    std::string refused;  // the name of a step
    Result<Role> chosen = Role::backup;
    bool agrees(const Step& step) override { return step.name != refused; }
    Result<Role> choose_role() override { return chosen; }
    void told(const Outcome&) override {}
};

class Setup : public ::testing::Test {
protected:
    Setup() {
        wishes_.config = folder_.path() + "/etc/agent.toml";
        wishes_.account = FakeHost::account();
        wishes_.hook = "/usr/bin/backstay";
        wishes_.database = "shop";
        wishes_.filestore = folder_.path() + "/odoo/filestore/shop";
        std::filesystem::create_directories(wishes_.filestore);
        std::filesystem::create_directories(folder_.path() + "/etc");
        std::ofstream(wishes_.config) << "state_dir = \"" << folder_.path() << "/state\"  # mine\nwal_group = \"\"\n"
                                      << "local_roots = []\n[[cluster]]\nname = \"main\"\nhost = \"/nowhere\"\n";
    }
    Result<std::vector<Outcome>> run(bool show_only = false) {
        Context context{wishes_, places(), host_};
        context.busy = [this] { return busy_; };
        return setup::run(context, answers_, show_only);
    }
    std::map<std::string, std::string> states(bool show_only = false) {
        const auto outcomes = run(show_only);
        std::map<std::string, std::string> found;
        if (!outcomes) return {{"error", outcomes.error().message()}};
        for (const Outcome& one : *outcomes) found[one.name] = one.state;
        return found;
    }
    Outcome outcome(const std::string& name) {
        for (Outcome& one : run().value_or({})) {
            if (one.name == name) return one;
        }
        return {};
    }
    Places places() const {
        return {folder_.path() + "/units", {folder_.path() + "/debian", folder_.path() + "/sockets"}, true};
    }
    std::string text(const std::string& path) const { return read_file(folder_.path() + path).value_or(""); }

    testing::TempDir folder_;
    Wishes wishes_;
    FakeHost host_;
    Answers answers_;
    bool busy_ = false;
};

TEST_F(Setup, DoesItAllOnceAndFindsItDoneTheSecondTime) {
    wishes_.destination = folder_.path() + "/store";
    wishes_.wal = true;
    for (const auto& [name, state] : states()) EXPECT_EQ(state, "changed") << name;
    EXPECT_EQ(host_.enabled + host_.active, "enabledactive");
    EXPECT_THAT(text("/etc/agent.toml"), HasSubstr("# mine\n"));
    EXPECT_TRUE(host_.role && host_.role->reads && host_.role->inserts && host_.role->replication);
    EXPECT_FALSE(host_.role && host_.role->super);
    EXPECT_THAT(text("/units/backstay-agent.service.d/setup.conf"),
                HasSubstr("ReadWritePaths=-" + wishes_.destination));
    host_.settings =
        "wal_level|t|f|replica\narchive_mode|t|f|on\narchive_command|f|f|/usr/bin/backstay wal-push %p\n"
        "archive_timeout|f|f|60\n";
    host_.sql_said.clear();
    for (const auto& [name, state] : states()) EXPECT_EQ(state, "good") << name;
    EXPECT_EQ(host_.sql_said, "");
}

TEST_F(Setup, ShowsWithoutChangingAnything) {
    wishes_.destination = folder_.path() + "/store";
    const std::string before = text("/etc/agent.toml");
    for (const auto& [name, state] : states(true)) EXPECT_EQ(state, "planned") << name;
    EXPECT_EQ(text("/etc/agent.toml"), before);
    EXPECT_EQ(host_.sql_said + host_.active, "inactive");
    EXPECT_FALSE(std::filesystem::exists(wishes_.destination) || std::filesystem::exists(folder_.path() + "/units"));
}

TEST_F(Setup, WritesTheConfigurationWhereThereIsNone) {
    std::filesystem::remove(wishes_.config);
    wishes_.filestore.clear();
    const auto outcomes = run(true);
    ASSERT_TRUE(outcomes);
    EXPECT_THAT(outcomes->front().changes, Contains(HasSubstr("with every key at its default")));
}

TEST_F(Setup, GivesAndTakesTheRightsOfRestores) {
    wishes_.role = Role::restore;
    EXPECT_TRUE(run());
    EXPECT_TRUE(host_.role && host_.role->super);
    EXPECT_THAT(text("/units/backstay-agent.service.d/setup.conf"), HasSubstr("CAP_DAC_OVERRIDE"));
    wishes_.role.reset();
    EXPECT_EQ(states()["role"], "good") << "what is there is not taken away unasked";
    wishes_.role = Role::backup;
    EXPECT_TRUE(run());
    EXPECT_TRUE(host_.role && !host_.role->super && host_.role->reads && host_.role->inserts);
    EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/units/backstay-agent.service.d/setup.conf"));
}

TEST_F(Setup, ChangesNothingWhileNobodySaidWhatTheHostMayDo) {
    answers_.chosen = Error(Errc::invalid, "--role is missing");
    wishes_.url = "https://backstay.example.com";
    EXPECT_EQ(states()["error"], "--role is missing");
    EXPECT_THAT(text("/etc/agent.toml"), Not(HasSubstr("example.com")));
}

TEST_F(Setup, GoesOnWherePostgresqlDoesNotAnswerAndSaysSo) {
    host_.answers = false;
    auto found = states();
    EXPECT_EQ(found["role"], "failed");
    EXPECT_EQ(found["folders"], "changed");
    EXPECT_EQ(found["service"], "changed");
    EXPECT_EQ(outcome("role").hint, "start it");
    host_.answers = true;
    found = states();
    EXPECT_EQ(found["role"], "changed");
    EXPECT_EQ(found["folders"], "good");
}

TEST_F(Setup, FindsOutThatTheAgentCannotLogIn) {
    EXPECT_TRUE(run());
    host_.hba = "reject";
    EXPECT_THAT(outcome("role").problem, HasSubstr("Peer authentication failed"));
    EXPECT_THAT(outcome("role").hint, HasSubstr("/etc/postgresql/pg_hba.conf must let it in"));
    host_.hba = "no replication";
    EXPECT_EQ(states()["role"], "good");
    wishes_.destination = folder_.path() + "/store";
    wishes_.wal = true;
    EXPECT_THAT(outcome("role").hint, HasSubstr("\"local replication backstay peer\""));
}

TEST_F(Setup, StopsAtAConfigurationWithFaults) {
    std::ofstream(wishes_.config, std::ios::app) << "colour = 1\n";
    EXPECT_EQ(states(), (std::map<std::string, std::string>{{"configuration", "failed"}}));
    EXPECT_THAT(outcome("configuration").problem, HasSubstr("colour"));
}

TEST_F(Setup, RefusesWishesThatCannotBeMeantBeforeItChangesAnything) {
    const std::string before = text("/etc/agent.toml"), folder = wishes_.filestore;
    const auto problem = [&] {
        const std::string told = outcome("configuration").problem;
        EXPECT_EQ(text("/etc/agent.toml"), before) << told;
        return told;
    };
    wishes_.filestore = wishes_.config;
    EXPECT_THAT(problem(), HasSubstr("--filestore"));
    wishes_.filestore = folder;
    wishes_.destination = "backups";
    EXPECT_THAT(problem(), HasSubstr("--destination"));
    wishes_.destination = wishes_.config;
    EXPECT_THAT(problem(), HasSubstr("is no folder"));
    wishes_.destination.clear();
    wishes_.odoo_conf = folder + "/nothing";
    EXPECT_THAT(problem(), HasSubstr("--odoo-conf"));
    wishes_.odoo_conf.clear();
    wishes_.wal = true;
    EXPECT_THAT(problem(), HasSubstr("there is no [[destination]]"));
    wishes_.wal = false;
    wishes_.url = "ftp://somebody:secret@example.com";
    EXPECT_THAT(problem(), AllOf(HasSubstr("url"), Not(HasSubstr("secret"))));
    EXPECT_EQ(host_.sql_said, "");
}

TEST_F(Setup, LeavesOutWhatIsDeclined) {
    answers_.refused = "role";
    auto found = states();
    EXPECT_EQ(found["role"], "declined");
    EXPECT_FALSE(host_.role);
    EXPECT_EQ(found["service"], "changed");
}

TEST_F(Setup, RestartsTheAgentForWhatItReadsAtItsStartButNotUnderRunningJobs) {
    EXPECT_TRUE(run());
    EXPECT_EQ(states()["service"], "good");
    wishes_.destination = folder_.path() + "/store";
    busy_ = true;
    EXPECT_THAT(outcome("service").left, Contains(HasSubstr("systemctl restart")));
    EXPECT_EQ(host_.restarts, 0);
    host_.since = "@1";  // long before the files were written: a later run knows it, too
    busy_ = false;
    EXPECT_EQ(states()["service"], "changed");
    EXPECT_EQ(host_.restarts, 1);
}

TEST_F(Setup, DoesNotTakeAnArchiveFromAnotherProgram) {
    wishes_.destination = folder_.path() + "/store";
    wishes_.wal = true;
    host_.settings = "archive_mode|t|f|on\narchive_command|f|f|pgbackrest archive-push | tee %p\n";
    EXPECT_THAT(outcome("wal").problem, HasSubstr("pgbackrest archive-push | tee %p"));
    host_.settings = "archive_mode|t|f|off\narchive_command|f|f|(disabled)\n";
    host_.written = "archive_command|cp %p /elsewhere\n";
    EXPECT_THAT(outcome("wal").problem, HasSubstr("cp %p /elsewhere")) << "also one that is not in force yet";
    EXPECT_THAT(host_.sql_said, Not(HasSubstr("ALTER SYSTEM")));
}

TEST_F(Setup, SaysThatPostgresqlMustBeRestartedAndSetsNothingTwice) {
    wishes_.destination = folder_.path() + "/store";
    wishes_.wal = true;
    host_.settings = "archive_mode|t|t|off\narchive_command|f|f|(disabled)\narchive_timeout|f|f|60\n";
    host_.written = "archive_mode|on\narchive_command|/usr/bin/backstay wal-push %p\n";
    const Outcome wal = outcome("wal");
    EXPECT_EQ(wal.state, "left");
    EXPECT_THAT(wal.left, Contains(HasSubstr("restart PostgreSQL main")));
}

TEST_F(Setup, LoadsWhatWasWrittenAndNotLoaded) {
    wishes_.destination = folder_.path() + "/store";
    wishes_.wal = true;
    host_.settings = "archive_mode|t|f|on\narchive_command|f|f|\narchive_timeout|f|f|60\n";
    host_.written = "archive_command|/usr/bin/backstay wal-push %p\n";
    EXPECT_THAT(outcome("wal").changes, ::testing::ElementsAre(HasSubstr("pg_reload_conf()")));
}

TEST_F(Setup, LeavesOutOfTheDropInWhatAnotherOneGrants) {
    wishes_.destination = folder_.path() + "/my store";
    wishes_.role = Role::restore;
    const std::string folder = folder_.path() + "/units/backstay-agent.service.d";
    std::filesystem::create_directories(folder);
    std::ofstream(folder + "/mine.conf") << "[Service]\nReadWritePaths=/a " << folder_.path() << "/odoo/filestore\n";
    EXPECT_TRUE(run());
    const std::string made = text("/units/backstay-agent.service.d/setup.conf");
    EXPECT_THAT(made, AllOf(HasSubstr("ReadWritePaths=\"-" + wishes_.destination + "\"\n"), HasSubstr("CAP_CHOWN")));
    EXPECT_THAT(made, Not(HasSubstr("/odoo/filestore")));
}

TEST_F(Setup, TellsPostgresqlToHandOverWalOnlyWhenSomebodyTakesIt) {
    wishes_.wal = true;
    wishes_.destination = folder_.path() + "/store";
    answers_.refused = "service";
    const Outcome wal = outcome("wal");
    EXPECT_EQ(wal.state, "left");
    EXPECT_THAT(wal.left.at(0), HasSubstr("before the agent can take it"));
    EXPECT_THAT(host_.sql_said, Not(HasSubstr("ALTER SYSTEM")));
    answers_.refused = "";
    EXPECT_EQ(outcome("wal").state, "changed");
}

TEST_F(Setup, FollowsNoLinkOfOthersToAFilestore) {
    host_.reads_files = false;
    const std::string elsewhere = folder_.path() + "/secrets";
    std::filesystem::create_directories(elsewhere);
    std::filesystem::permissions(elsewhere, std::filesystem::perms::owner_all);
    std::filesystem::remove(wishes_.filestore);
    std::filesystem::create_directory_symlink(elsewhere, wishes_.filestore);
    if (::geteuid() == 0) {
        ASSERT_EQ(::lchown(wishes_.filestore.c_str(), 1234, 1234), 0);
    }
    EXPECT_THAT(outcome("service rights").left, ::testing::Contains(HasSubstr("is a link that is not root's")));
    struct stat about {};
    ASSERT_EQ(::stat(elsewhere.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777U, 0700U);
}

TEST_F(Setup, MakesNoFolderWhereOthersCouldExchangeIt) {
    const std::string open = folder_.path() + "/open";
    std::filesystem::create_directories(open);
    ASSERT_EQ(::chmod(open.c_str(), 0777), 0);
    wishes_.destination = open + "/store";
    EXPECT_THAT(outcome("folders").left, ::testing::Contains(HasSubstr(open + " is not root's alone")));
    EXPECT_FALSE(std::filesystem::exists(wishes_.destination));
}

TEST_F(Setup, DoesNotGuessAmongServers) {
    std::ofstream(wishes_.config) << "state_dir = \"" << folder_.path() << "/state\"\n[[cluster]]\nname = \"main\"\n";
    wishes_.filestore.clear();
    for (const char* port : {"6001", "6002"}) {
        std::filesystem::create_directories(folder_.path() + "/debian/15/" + port);
        std::ofstream(folder_.path() + "/debian/15/" + port + "/postgresql.conf") << "port = " << port << "\n";
    }
    EXPECT_THAT(outcome("configuration").hint, HasSubstr("15-6001"));
    wishes_.cluster = "15-6002";
    EXPECT_EQ(outcome("configuration").state, "changed");
    EXPECT_THAT(text("/etc/agent.toml"), HasSubstr("port = 6002"));
    EXPECT_EQ(outcome("configuration").state, "good");
    EXPECT_THAT(outcome("configuration").hint, AllOf(HasSubstr("not backed up"), HasSubstr("15-6001")));
    wishes_.cluster = "9.6-old";
    EXPECT_EQ(outcome("configuration").state, "failed");
}

}  // namespace
}  // namespace backstay::setup
