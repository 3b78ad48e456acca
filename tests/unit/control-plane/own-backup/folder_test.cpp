#include "control-plane/own-backup/folder.h"

#include <gtest/gtest.h>

#include "common/files/files.h"
#include "control-plane/own-backup/daily.h"
#include "tests/support/temp_dir.h"

namespace backstay::own_backup {
namespace {

constexpr TimeMs kDay = 86'400'000;
const TimeMs kNow = parse_rfc3339("2026-01-02T03:04:05Z").value();

TEST(NamesOfBackups, TellWhenTheyWereMade) {
    EXPECT_EQ(name_of(kNow + 17, false), "backstay-control-20260102T030405Z.backup");
    EXPECT_EQ(name_of(kNow, true), "backstay-control-20260102T030405Z.backup.enc");
    EXPECT_EQ(made_at(name_of(kNow, false)), kNow);
    EXPECT_EQ(made_at(name_of(kNow, true)), kNow);
    for (const char* other :
         {"backstay-control-20260102T030405Z.backup.part", "backstay-control-.backup", "control.db",
          "backstay-control-20261302T030405Z.backup", "backstay-control-20260102T030405Z.backup2"}) {
        EXPECT_EQ(made_at(other), std::nullopt) << other;
    }
}

TEST(AFolderOfBackups, LosesTheOldestAndNothingElse) {
    testing::TempDir folder;
    for (int day = 0; day < 5; ++day) {
        ASSERT_TRUE(atomic_write(folder.path() + "/" + name_of(kNow + day * kDay, day == 2), "x"));
    }
    ASSERT_TRUE(atomic_write(folder.path() + "/letter.backup", "x"));
    EXPECT_EQ(prune(folder.path(), 3, kNow + 9 * kDay).value(), 2U);
    EXPECT_EQ(list(folder.path())->size(), 3U);
    EXPECT_EQ(list(folder.path())->front().made_at, kNow + 4 * kDay);
    EXPECT_EQ(prune(folder.path(), 0, kNow + 9 * kDay).value(), 2U) << "the newest stays whatever is asked";
    EXPECT_EQ(list(folder.path())->front().made_at, kNow + 4 * kDay);
    EXPECT_TRUE(read_file(folder.path() + "/letter.backup"));
    EXPECT_TRUE(list(folder.path() + "/absent")->empty());
}

TEST(TheDailyBackup, IsDueAtItsHour) {
    const TimeMs midnight = kNow - kNow % kDay;
    EXPECT_EQ(last_due(90, midnight + 89 * 60'000), midnight - kDay + 90 * 60'000);
    EXPECT_EQ(last_due(90, midnight + 90 * 60'000), midnight + 90 * 60'000);
    EXPECT_EQ(last_due(0, midnight), midnight);
}

}  // namespace
}  // namespace backstay::own_backup
