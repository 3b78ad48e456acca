#include "agent/state/damage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "agent/state/state.h"
#include "agent/state/wal.h"
#include "common/files/files.h"
#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr TimeMs kNow = 1'795'398'345'000;  // 2026-11-23T01:45:45Z

class LostState : public ::testing::Test {
protected:
    std::string file(const std::string& name) const { return folder_.path() + "/" + name; }
    std::string state() const { return state_file(folder_.path()); }

    // A state with rows in many pages, closed.
    void make(int rows = 2000) {
        auto database = open_state(folder_.path());
        ASSERT_TRUE(database) << database.error().message();
        ASSERT_TRUE(note_beginning(folder_.path()));
        WalRepository wal(*database);
        ASSERT_TRUE(database->run_script("BEGIN"));
        for (int i = 0; i < rows; ++i) {
            WalSegment segment;
            segment.timeline = 1;
            segment.number = static_cast<std::uint64_t>(i);
            segment.digest = std::string(64, 'a');
            ASSERT_TRUE(wal.put_segment("7", segment));
        }
        ASSERT_TRUE(database->run_script("COMMIT"));
    }
    void overwrite(std::size_t offset, const std::string& bytes) {
        std::fstream stream(state(), std::ios::in | std::ios::out | std::ios::binary);
        stream.seekp(static_cast<std::streamoff>(offset));
        stream << bytes;
    }
    std::optional<StateLoss> look(TimeMs now = kNow) {
        auto found = set_damage_aside(folder_.path(), now);
        EXPECT_TRUE(found) << found.error().message();
        return found ? *found : std::nullopt;
    }
    std::vector<std::string> set_aside() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(folder_.path())) {
            const std::string name = entry.path().filename();
            if (name.starts_with("agent.db.damaged-")) names.push_back(name);
        }
        return names;
    }
    void expect_new_state() {
        EXPECT_FALSE(fs::exists(state()));
        auto database = open_state(folder_.path());
        ASSERT_TRUE(database) << database.error().message();
        EXPECT_TRUE(WalRepository(*database).timelines("7")->empty());
    }

    backstay::testing::TempDir folder_;
};

TEST_F(LostState, IsNoneAtTheFirstStartNorAfterAGoodEnd) {
    EXPECT_FALSE(look());
    make();
    EXPECT_FALSE(look());
    EXPECT_TRUE(set_aside().empty());
    EXPECT_FALSE(*load_state_loss(folder_.path()));
}

TEST_F(LostState, IsNoneAtTheFirstStartThatDiedWhileTheFileWasMade) {
    std::ofstream(state()).close();
    EXPECT_FALSE(look());
    EXPECT_TRUE(open_state(folder_.path()));
}

TEST_F(LostState, IsSetAsideWhenItIsNoDatabase) {
    make();
    std::ofstream(state(), std::ios::trunc) << std::string(20'000, 'x');
    std::ofstream(file("agent.db-wal")) << "left over";
    const auto loss = look();
    ASSERT_TRUE(loss);
    EXPECT_THAT(loss->why, HasSubstr("not a database"));
    EXPECT_EQ(fs::file_size(file("agent.db.damaged-20261123T014545Z")), 20'000U);
    EXPECT_TRUE(fs::exists(file("agent.db.damaged-20261123T014545Z-wal")));
    EXPECT_FALSE(fs::exists(file("agent.db-wal")));
    const auto noted = load_state_loss(folder_.path());
    ASSERT_TRUE(noted && *noted);
    EXPECT_EQ((*noted)->at.ms, kNow);
    EXPECT_EQ((*noted)->kept_as, loss->kept_as);
    expect_new_state();
    ASSERT_TRUE(forget_state_loss(folder_.path()));
    EXPECT_FALSE(*load_state_loss(folder_.path()));
}

TEST_F(LostState, IsSetAsideWhenItsHeaderIsSmashed) {
    make();
    overwrite(0, std::string(100, '\xff'));
    ASSERT_TRUE(look());
    expect_new_state();
}

TEST_F(LostState, IsSetAsideWhenItIsCutOff) {
    make();
    fs::resize_file(state(), fs::file_size(state()) / 2);
    ASSERT_TRUE(look());
    expect_new_state();
}

TEST_F(LostState, IsSetAsideWhenAPageIsGarbage) {
    make();
    overwrite(fs::file_size(state()) - 3 * 4096, std::string(4096, '\xa5'));
    const auto loss = look();
    ASSERT_TRUE(loss);
    EXPECT_THAT(loss->why, HasSubstr("database"));
    expect_new_state();
}

TEST_F(LostState, IsToldWhenTheFileIsGoneOrEmpty) {
    make();
    fs::remove(state());
    std::ofstream(file("agent.db-wal")) << "left over";
    // Nobody else makes it anew.
    EXPECT_EQ(open_state(folder_.path()).error().code(), Errc::not_found);
    auto loss = look();
    ASSERT_TRUE(loss);
    EXPECT_THAT(loss->why, HasSubstr("gone"));
    EXPECT_EQ(loss->kept_as.size(), 1U);
    expect_new_state();
    ASSERT_TRUE(note_beginning(folder_.path()));
    std::ofstream(state(), std::ios::trunc).close();
    loss = look(kNow + 5000);
    ASSERT_TRUE(loss);
    EXPECT_THAT(loss->why, HasSubstr("empty"));
    EXPECT_EQ(loss->kept_as.front(), file("agent.db.damaged-20261123T014545Z-wal")) << "the first is told of still";
}

TEST_F(LostState, IsToldWhenAnAgentOfAnEarlierReleaseLeftASpoolAndNoFile) {
    fs::create_directories(file("wal-spool/7000000000000000001"));
    const auto loss = look();
    ASSERT_TRUE(loss);
    EXPECT_THAT(loss->why, HasSubstr("gone"));
    expect_new_state();
    ASSERT_TRUE(note_beginning(folder_.path()));
    EXPECT_FALSE(look());
}

TEST_F(LostState, IsToldWhenAllOfItWasInTheLogThatIsGone) {
    make(1);
    {
        auto empty = sqlite::Database::open(file("empty"));
        ASSERT_TRUE(empty);
    }
    fs::rename(file("empty"), state());
    const auto loss = look();
    ASSERT_TRUE(loss);
    EXPECT_THAT(loss->why, HasSubstr("nothing"));
}

TEST_F(LostState, OfOneSecondDoNotMeet) {
    for (int i = 0; i < 2; ++i) {
        make(1);
        std::ofstream(state(), std::ios::trunc) << std::string(9000, 'x');
        ASSERT_TRUE(look());
    }
    EXPECT_EQ(set_aside().size(), 2U);
}

TEST_F(LostState, IsNotSetAsideForEver) {
    for (std::size_t i = 0; i < kSetAsideMax; ++i) {
        make(1);
        std::ofstream(state(), std::ios::trunc) << std::string(9000, 'x');
        ASSERT_TRUE(look(kNow + static_cast<TimeMs>(i) * 1000));
    }
    make(1);
    std::ofstream(state(), std::ios::trunc) << std::string(9000, 'x');
    const auto refused = set_damage_aside(folder_.path(), kNow + 60'000);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::corrupted);
    EXPECT_THAT(refused.error().hint(), HasSubstr("disk"));
    EXPECT_TRUE(fs::exists(state()));
}

TEST_F(LostState, IsNotWhatCannotBeReadOrIsLocked) {
    make(1);
    // A folder in its place stands for all that the system refuses; root has every right to files.
    fs::rename(state(), file("kept"));
    fs::create_directory(state());
    std::ofstream(state() + "/x").close();
    auto found = set_damage_aside(folder_.path(), kNow);
    ASSERT_FALSE(found);
    EXPECT_NE(found.error().code(), Errc::corrupted);
    fs::remove_all(state());
    fs::rename(file("kept"), state());

    auto other = open_state(folder_.path());
    ASSERT_TRUE(other);
    ASSERT_TRUE(other->run_script("BEGIN IMMEDIATE"));
    EXPECT_FALSE(look()) << "reading goes on beside a writer";
    EXPECT_TRUE(set_aside().empty());
}

TEST_F(LostState, IsSuspectedByTheStatementThatMeetsItAndLookedAtClosely) {
    make();
    const StateWatch watch(folder_.path());
    EXPECT_EQ(watch.trouble(), "");
    {
        auto database = open_state(folder_.path());
        ASSERT_TRUE(database);
        overwrite(fs::file_size(state()) - 3 * 4096, std::string(4096, '\xa5'));
        WalRepository wal(*database);
        const auto read = wal.totals("7");
        ASSERT_FALSE(read);
        EXPECT_EQ(read.error().code(), Errc::corrupted);
    }
    EXPECT_TRUE(is_suspect(folder_.path()));
    EXPECT_THAT(watch.trouble(), HasSubstr("damage"));
    ASSERT_TRUE(look());
    EXPECT_FALSE(is_suspect(folder_.path()));
}

TEST_F(LostState, IsNotASuspicionThatDoesNotHold) {
    make();
    suspect_damage(folder_.path());
    EXPECT_FALSE(look());
    EXPECT_FALSE(is_suspect(folder_.path()));
}

TEST_F(LostState, IsSeenWhileTheAgentRuns) {
    make(1);
    const StateWatch watch(folder_.path());
    fs::copy_file(state(), file("copy"));
    fs::rename(file("copy"), state());
    EXPECT_THAT(watch.trouble(), HasSubstr("replaced"));
    fs::remove(state());
    EXPECT_THAT(watch.trouble(), HasSubstr("gone"));
}

}  // namespace
}  // namespace backstay
