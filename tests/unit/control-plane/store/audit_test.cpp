#include "control-plane/store/audit.h"

#include "tests/unit/control-plane/store_fixture.h"

namespace backstay::store {
namespace {

class AuditTest : public testing::StoreTest {
protected:
    AuditEntry entry(const std::string& actor, const std::string& action, TimeMs at = kNow) {
        AuditEntry made;
        made.organization_id = acme_;
        made.at = at;
        made.actor = actor;
        made.action = action;
        made.object_id = "object";
        made.peer = "10.0.0.1";
        return made;
    }
    std::int64_t count(std::string AuditFilter::*member, const std::string& value) {
        AuditFilter filter = trail_of(acme_);
        filter.*member = value;
        return Audit(*db_).list(filter, {}).value().total;
    }
    std::int64_t count(TimeMs since = 0, std::optional<TimeMs> until = {}) {
        AuditFilter filter = trail_of(acme_);
        filter.since = since;
        filter.until = until;
        return Audit(*db_).list(filter, {}).value().total;
    }
};

TEST_F(AuditTest, TakesNoChangeAndLosesOnlyWhatIsOld) {
    ASSERT_TRUE(Audit(*db_).add(entry("a", "x.y", kNow)));
    ASSERT_TRUE(Audit(*db_).add(entry("a", "x.y", kNow + 10)));
    EXPECT_FALSE(db_->run("UPDATE audit SET actor = 'b'"));
    EXPECT_FALSE(db_->run("DELETE FROM audit"));
    EXPECT_EQ(count(), 2);
    EXPECT_EQ(Audit(*db_).forget(kNow + 10, 100).value(), 1);
    EXPECT_FALSE(db_->run("DELETE FROM audit")) << "the other is not old enough";
    EXPECT_EQ(count(), 1);
}

TEST_F(AuditTest, GivesBackWhatItWasTold) {
    AuditEntry told = entry("a@example.com", "refused");
    told.actor_id = "u1";
    told.detail = "forbidden";
    told.request_id = "r1";
    told.request = "DELETE /api/backups/1";
    told.status = 403;
    ASSERT_TRUE(Audit(*db_).add(told));
    const AuditEntry found = Audit(*db_).list(trail_of(acme_), {}).value().items.at(0);
    EXPECT_EQ(found.actor_id, "u1");
    EXPECT_EQ(found.request, told.request);
    EXPECT_EQ(found.peer, "10.0.0.1");
    EXPECT_EQ(found.status, 403);
    EXPECT_EQ(Audit(*db_).list(trail_of(other_), {}).value().total, 0);
}

TEST_F(AuditTest, IsSearchedByWhoWhatAndWhen) {
    ASSERT_TRUE(Audit(*db_).add(entry("a", "storage.upload", kNow)));
    ASSERT_TRUE(Audit(*db_).add(entry("b", "storage.link", kNow + 1)));
    ASSERT_TRUE(Audit(*db_).add(entry("b", "storages", kNow + 2)));
    EXPECT_EQ(count(&AuditFilter::actor, "b"), 2);
    EXPECT_EQ(count(&AuditFilter::action, "storage"), 2);
    EXPECT_EQ(count(&AuditFilter::action, "storage.link"), 1);
    EXPECT_EQ(count(&AuditFilter::action, "%"), 0);
    EXPECT_EQ(count(&AuditFilter::object_id, "object"), 3);
    EXPECT_EQ(count(&AuditFilter::object_id, "another"), 0);
    EXPECT_EQ(count(kNow + 1), 2);
    EXPECT_EQ(count(kNow + 1, kNow + 2), 1);
}

TEST_F(AuditTest, NotesWhatIsRepeatedOnceAnHour) {
    const AuditEntry first = entry("link", "storage.download");
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(Audit(*db_).add_hourly(first));
    EXPECT_EQ(count(), 1);
    AuditEntry other = first;
    other.peer = "10.0.0.2";
    ASSERT_TRUE(Audit(*db_).add_hourly(other));
    other.detail = "another file";
    ASSERT_TRUE(Audit(*db_).add_hourly(other));
    EXPECT_EQ(count(), 3);
    ASSERT_TRUE(Audit(*db_).add_hourly(entry("link", "storage.download", kNow + 3'600'001)));
    EXPECT_EQ(count(), 4);
}

TEST_F(AuditTest, IsNotFilledByRefusals) {
    AuditEntry refused = entry("a", "refused");
    for (int i = 0; i < 300; ++i) {
        refused.request = "DELETE /api/backups/" + std::to_string(i);
        ASSERT_TRUE(Audit(*db_).add_refusal(refused));
    }
    EXPECT_EQ(count(), Audit::kMostRefusals);
    refused.actor = "b";
    ASSERT_TRUE(Audit(*db_).add_refusal(refused));
    refused.actor = "a";
    refused.at += 3'600'001;
    ASSERT_TRUE(Audit(*db_).add_refusal(refused));
    EXPECT_EQ(count(), Audit::kMostRefusals + 2);
}

TEST_F(AuditTest, KnowsWhetherARequestIsTold) {
    Audit audit(*db_);
    EXPECT_EQ(audit.last().value(), 0);
    AuditEntry told = entry("a", "x");
    told.request_id = "r1";
    ASSERT_TRUE(audit.add(told));
    EXPECT_TRUE(audit.has_since(0, "r1").value());
    EXPECT_FALSE(audit.has_since(0, "r2").value());
    EXPECT_FALSE(audit.has_since(audit.last().value(), "r1").value());
}

TEST(PeerAddress, LeavesThePortOut) {
    EXPECT_EQ(peer_address("127.0.0.1:5000"), "127.0.0.1");
    EXPECT_EQ(peer_address("[::1]:80"), "[::1]");
    EXPECT_EQ(peer_address("unix:uid=0"), "unix:uid=0");
}

}  // namespace
}  // namespace backstay::store
