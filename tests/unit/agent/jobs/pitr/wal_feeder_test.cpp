// The feeder as a recovering server sees it: its own restore_command, run by a shell.
#include "agent/jobs/pitr/wal_feeder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdlib>
#include <fstream>

#include "agent/jobs/pitr/quoting.h"
#include "common/files/files.h"
#include "tests/support/temp_dir.h"

namespace backstay::pitr {
namespace {

std::string name_of(unsigned number) { return fmt::format("0000000100000000{:08X}", number); }

class WalFeederTest : public ::testing::Test {
protected:
    std::unique_ptr<WalFeeder> start(const std::string& folder = "wal 'of' 100%") {
        WalFeeder::Parts parts;
        parts.folder = folder_.path() + "/" + folder;
        parts.make_fetch = [this]() -> Result<WalFeeder::Fetch> {
            return WalFeeder::Fetch([this](const std::string& name, const std::string& path) -> Result<> {
                ++fetched_;
                if (name.ends_with(".history")) return Error(Errc::not_found, "no such file");
                const unsigned long number = std::stoul(name.substr(16, 8), nullptr, 16);
                if (number == 13) return Error(Errc::unavailable, "the store is on fire");
                if (number > 20) return Error(Errc::not_found, "no such file");
                std::ofstream(path) << "content of " << name;
                return {};
            });
        };
        parts.next = [](const std::string& name) {
            return name.size() == 24 ? name_of(static_cast<unsigned>(std::stoul(name.substr(16), nullptr, 16)) + 1)
                                     : "";
        };
        parts.owner = owner_;
        return WalFeeder::start(std::move(parts)).value();
    }

    // As PostgreSQL runs it: placeholders filled in, exit code of the shell.
    int ask(const WalFeeder& feeder, const std::string& name) {
        std::string command = feeder.restore_command();
        const auto fill = [&](const std::string& what, const std::string& with) {
            const std::size_t at = command.find(what);
            command.replace(at, what.size(), with);
        };
        fill("%f", name);
        fill("%p", target_);
        for (std::size_t at = command.find("%%"); at != std::string::npos; at = command.find("%%", at + 1)) {
            command.erase(at, 1);
        }
        std::string as;
        for (const std::string& word : owner_.prefix) as += word + " ";
        const int status = std::system((as + command).c_str());
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
    }

    testing::TempDir folder_;
    std::string target_ = folder_.path() + "/RECOVERYXLOG";
    ServerUser owner_;
    std::atomic<int> fetched_ = 0;
};

TEST_F(WalFeederTest, HandsOverWhatIsAskedForInAnyOrderAndAgain) {
    const auto feeder = start();
    for (const unsigned number : {5U, 3U, 4U, 5U, 6U, 3U}) {
        ASSERT_EQ(ask(*feeder, name_of(number)), 0);
        EXPECT_EQ(read_file(target_).value(), "content of " + name_of(number));
    }
    EXPECT_EQ(feeder->served(), 6U);
    EXPECT_FALSE(feeder->failure());
}

TEST_F(WalFeederTest, OnlyWhatIsCertainlyAbsentLooksLikeTheEnd) {
    const auto feeder = start();
    EXPECT_EQ(ask(*feeder, name_of(21)), 1);
    EXPECT_EQ(ask(*feeder, "00000002.history"), 1);
    // Nothing of ours is asked for under such names.
    EXPECT_EQ(ask(*feeder, "..evil"), 1);
    const int code = ask(*feeder, name_of(13));
    EXPECT_GT(code, 125);
    ASSERT_TRUE(feeder->failure());
    EXPECT_NE(feeder->failure()->message().find("on fire"), std::string::npos);
    // It may be asked again.
    EXPECT_EQ(ask(*feeder, name_of(12)), 0);
}

// A server that runs as another user gets what is ready and cannot put anything in its place.
TEST_F(WalFeederTest, TheFolderOfReadyFilesStaysOurs) {
    if (geteuid() == 0)
        owner_ = {65'534, 65'534, {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"}};
    ASSERT_EQ(::chmod(folder_.path().c_str(), 0777), 0);
    const auto feeder = start("wal");
    for (const char* folder : {"/wal", "/wal/ready"}) {
        struct stat status {};
        ASSERT_EQ(::stat((folder_.path() + folder).c_str(), &status), 0);
        EXPECT_EQ(status.st_uid, geteuid()) << folder;
        EXPECT_EQ(status.st_mode & 022U, 0U) << folder;
    }
    for (const unsigned number : {1U, 2U, 1U}) {
        ASSERT_EQ(ask(*feeder, name_of(number)), 0);
        EXPECT_EQ(read_file(target_).value(), "content of " + name_of(number));
    }
    struct stat given {};
    ASSERT_EQ(::stat(target_.c_str(), &given), 0);
    EXPECT_EQ(given.st_uid, geteuid() == 0 ? owner_.uid : geteuid());
}

TEST_F(WalFeederTest, FetchesAheadButNotWithoutBound) {
    const auto feeder = start();
    ASSERT_EQ(ask(*feeder, name_of(1)), 0);
    const auto enough = [&] { return fetched_ >= 9; };
    for (int i = 0; i < 500 && !enough(); ++i) usleep(10'000);
    EXPECT_EQ(fetched_, 9);
    for (unsigned number = 2; number < 9; ++number) ASSERT_EQ(ask(*feeder, name_of(number)), 0);
    // What failed ahead of its time is tried again.
    EXPECT_LE(fetched_, 30);
}

TEST_F(WalFeederTest, AServerThatAsksAfterTheEndIsNotLeftWaiting) {
    auto feeder = start("wal");
    ASSERT_EQ(ask(*feeder, name_of(1)), 0);
    feeder.reset();
    // Its threads are gone; the scripts that wait are ended with their server (sidecar.h).
    EXPECT_FALSE(std::ifstream(target_).fail());
}

TEST(Quoting, KeepsWhateverAPathHolds) {
    EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
    EXPECT_EQ(conf_quoted("it's a \\"), "'it''s a \\\\'");
}

}  // namespace
}  // namespace backstay::pitr
