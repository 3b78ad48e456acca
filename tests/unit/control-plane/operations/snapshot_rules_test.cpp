#include "control-plane/operations/snapshot_rules.h"

#include <gtest/gtest.h>

namespace backstay::operations {
namespace {

constexpr TimeMs kNow = 1'800'000'000'000;

TEST(SnapshotExpiry, CountsFromTheEnd) {
    EXPECT_EQ(own_expiry({kNow, false, std::nullopt, 7}), kNow + 7 * kDayMs);
    EXPECT_EQ(own_expiry({std::nullopt, false, std::nullopt, 7}), std::nullopt) << "it has not ended";
    EXPECT_EQ(own_expiry({kNow, true, std::nullopt, 7}), std::nullopt) << "it is pinned";
}

TEST(SnapshotExpiry, LeavesADayAfterUnpinning) {
    EXPECT_EQ(own_expiry({kNow, false, kNow + kDayMs, 7}), kNow + 7 * kDayMs) << "it had longer anyway";
    EXPECT_EQ(own_expiry({kNow, false, kNow + 30 * kDayMs, 7}), kNow + 31 * kDayMs);
}

TEST(SnapshotExpiry, OfABaseIsThatOfItsLastDifferential) {
    EXPECT_EQ(expiry_with(kNow, {}), kNow);
    EXPECT_EQ(expiry_with(kNow, {2, false, kNow + 5}), kNow + 5);
    EXPECT_EQ(expiry_with(kNow + 9, {2, false, kNow + 5}), kNow + 9) << "its own time may be the longer one";
    EXPECT_EQ(expiry_with(kNow, {2, true, kNow + 5}), std::nullopt) << "one of them is pinned or not ended";
    EXPECT_EQ(expiry_with(std::nullopt, {1, false, kNow}), std::nullopt) << "pinned itself";
}

TEST(SnapshotPins, AreLimitedButAPinMayBeRenewed) {
    EXPECT_TRUE(may_pin(false, 4, 5));
    EXPECT_FALSE(may_pin(false, 5, 5));
    EXPECT_FALSE(may_pin(false, 0, 0));
    EXPECT_TRUE(may_pin(true, 5, 5));
    EXPECT_TRUE(may_pin(true, 5, 2)) << "the limit was lowered: nothing is unpinned";
}

CopyRecord copy(const std::string& place, const std::string& artifact, CopyState state) {
    CopyRecord out;
    out.destination_id = place;
    out.artifact = artifact;
    out.state = state;
    return out;
}

std::string status(const std::vector<std::string>& wanted, CopyState db, CopyState manifest, bool ended) {
    return remote_status(wanted, {"db", "manifest"},
                         {copy(std::string(kHostPlace), "db", CopyState::verified), copy("d", "db", db),
                          copy("d", "manifest", manifest)},
                         ended);
}

TEST(RemoteStatus, NeverCountsTheHostsOwnCopy) {
    EXPECT_EQ(status({}, CopyState::verified, CopyState::verified, true), "none");
    EXPECT_EQ(remote_status({"d"}, {"db"}, {copy(std::string(kHostPlace), "db", CopyState::verified)}, false),
              "pending");
}

TEST(RemoteStatus, FollowsTheCopies) {
    EXPECT_EQ(status({"d"}, CopyState::uploading, CopyState::pending, false), "uploading");
    EXPECT_EQ(status({"d"}, CopyState::uploaded, CopyState::verified, true), "uploaded");
    EXPECT_EQ(status({"d"}, CopyState::verified, CopyState::verified, true), "verified");
    EXPECT_EQ(status({"d"}, CopyState::verified, CopyState::missing, true), "missing");
    EXPECT_EQ(status({"d"}, CopyState::verified, CopyState::corrupt, true), "failed");
    EXPECT_EQ(status({"d"}, CopyState::verified, CopyState::deleted, true), "missing");
    EXPECT_EQ(status({"d"}, CopyState::failed, CopyState::failed, false), "failed");
}

TEST(RemoteStatus, OfWhatDidNotArriveByTheEndIsFailed) {
    EXPECT_EQ(status({"d"}, CopyState::verified, CopyState::pending, true), "failed");
    EXPECT_EQ(status({"d", "e"}, CopyState::verified, CopyState::verified, true), "failed");
    EXPECT_EQ(remote_status({"d"}, {"db"}, {}, true), "failed");
}

}  // namespace
}  // namespace backstay::operations
