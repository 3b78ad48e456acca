#include "control-plane/alerts/repository.h"

#include <gmock/gmock.h>

#include "tests/unit/control-plane/store_fixture.h"

namespace backstay::alerts {
namespace {

class AlertsTest : public testing::StoreTest {
protected:
    Alerts alerts() { return Alerts(*db_); }
    static Finding finding(const std::string& subject = "s", bool is_event = true,
                           Severity severity = Severity::warning) {
        Finding out;
        out.type = type::kBackupFailed;
        out.subject = subject;
        out.is_event = is_event;
        out.severity = severity;
        out.title = "title";
        out.message = "message";
        out.about.backup_id = "b1";
        return out;
    }
    store::Listing<Alert> listed(bool include_dismissed = false) {
        return alerts().list({acme_, "", include_dismissed, {50, 0}}).value();
    }
    std::optional<Change> raise(const Finding& what, TimeMs now = kNow) {
        auto raised = alerts().raise(acme_, what, now);
        EXPECT_TRUE(raised) << raised.error().message();
        return *raised;
    }
    void resolve(const std::string& subject = "s", TimeMs now = kNow) {
        EXPECT_TRUE(alerts().resolve(acme_, {std::string(type::kBackupFailed), subject, std::nullopt}, now));
    }
    Alert only() { return listed(true).items.at(0); }
};

TEST_F(AlertsTest, MergesEventsOfOneSubjectWhileTheyAreOpen) {
    EXPECT_EQ(raise(finding()), Change::raised);
    Finding again = finding();
    again.about.backup_id = "b2";
    EXPECT_EQ(raise(again, kNow + 5), Change::repeated);
    EXPECT_EQ(raise(finding("other"), kNow + 6), Change::raised);
    ASSERT_EQ(listed().total, 2);
    const Alert alert = listed().items.at(1);
    EXPECT_EQ(alert.occurrences, 2);
    EXPECT_EQ(alert.first_occurred_at, kNow);
    EXPECT_EQ(alert.last_occurred_at, kNow + 5);
    EXPECT_EQ(alert.about.backup_id, "b2");
    EXPECT_EQ(alert.url, "/api/backups/b2");
}

TEST_F(AlertsTest, OpensANewOneAfterTheLastWasResolved) {
    raise(finding());
    resolve("s", kNow + 1);
    EXPECT_EQ(raise(finding(), kNow + 2), Change::raised);
    const auto all = listed();
    ASSERT_EQ(all.total, 2) << "a resolved alert stays until it is dismissed";
    EXPECT_FALSE(all.items[0].resolved_at);
    EXPECT_EQ(all.items[1].resolved_at, kNow + 1);
}

TEST_F(AlertsTest, AConditionThatGoesOnIsNoNewsUnlessItBecomesWorse) {
    EXPECT_EQ(raise(finding("s", false)), Change::raised);
    ASSERT_TRUE(alerts().dismiss(acme_, only().id, "me", kNow));
    EXPECT_EQ(raise(finding("s", false), kNow + 1), std::nullopt);
    EXPECT_EQ(listed().total, 0) << "dismissed stays dismissed";
    EXPECT_EQ(raise(finding("s", false, Severity::critical), kNow + 2), Change::worsened);
    ASSERT_EQ(listed().total, 1);
    EXPECT_EQ(only().severity, Severity::critical);
    EXPECT_EQ(only().occurrences, 1);
    EXPECT_FALSE(only().read_at);
    EXPECT_EQ(raise(finding("s", false, Severity::warning), kNow + 3), std::nullopt) << "better is not well";
}

TEST_F(AlertsTest, AConditionThatFlapsIsOneAlert) {
    raise(finding("s", false, Severity::critical));
    ASSERT_TRUE(alerts().dismiss(acme_, only().id, "me", kNow));
    resolve("s", kNow + 1);
    EXPECT_EQ(raise(finding("s", false), kNow + kReopenMs), Change::repeated);
    ASSERT_EQ(listed(true).total, 1);
    EXPECT_EQ(only().occurrences, 2);
    EXPECT_EQ(only().severity, Severity::warning) << "as it is this time";
    EXPECT_FALSE(only().resolved_at);
    EXPECT_FALSE(only().dismissed_at);
    EXPECT_EQ(only().first_occurred_at, kNow);
    EXPECT_EQ(only().last_occurred_at, kNow + kReopenMs);
    resolve("s", kNow + kReopenMs);
    EXPECT_EQ(raise(finding("s", false), kNow + 2 * kReopenMs), Change::raised) << "an hour later it is another one";
    EXPECT_EQ(listed(true).total, 2);
}

TEST_F(AlertsTest, AnEventBringsADismissedAlertBack) {
    raise(finding());
    ASSERT_TRUE(alerts().dismiss(acme_, only().id, "me", kNow));
    EXPECT_EQ(raise(finding(), kNow + 1), Change::repeated);
    ASSERT_EQ(listed().total, 1);
    EXPECT_FALSE(only().dismissed_at);
    EXPECT_FALSE(only().dismissed_by);
    EXPECT_FALSE(only().read_at);
}

TEST_F(AlertsTest, CountsWhatIsUnreadAndUndismissed) {
    raise(finding("a"));
    raise(finding("b"));
    raise(finding("c"));
    const auto rows = listed().items;
    ASSERT_TRUE(alerts().mark_read(acme_, rows[0].id, "me", kNow));
    ASSERT_TRUE(alerts().dismiss(acme_, rows[1].id, "me", kNow + 7));
    const Counts counts = alerts().count(acme_).value();
    EXPECT_EQ(counts.undismissed, 2);
    EXPECT_EQ(counts.unread, 1);
    EXPECT_EQ(alerts().count(other_).value().undismissed, 0);
    EXPECT_EQ(listed().total, 2);
    EXPECT_EQ(listed(true).total, 3);
    const Alert dismissed = alerts().find(acme_, rows[1].id).value().value();
    EXPECT_EQ(dismissed.read_at, kNow + 7) << "dismissing also marks read";
    ASSERT_TRUE(alerts().dismiss(acme_, rows[1].id, "you", kNow + 8));
    EXPECT_EQ(alerts().find(acme_, rows[1].id).value()->dismissed_by, "me") << "the first one counts";
}

TEST_F(AlertsTest, KnowsNothingOfOtherOrganizations) {
    raise(finding());
    const std::string id = only().id;
    EXPECT_FALSE(alerts().find(other_, id).value());
    ASSERT_TRUE(alerts().dismiss(other_, id, "thief", kNow));
    EXPECT_FALSE(only().dismissed_at);
}

TEST_F(AlertsTest, ShowsAProjectOnlyWhatConcernsIt) {
    Finding of_project = finding("a");
    of_project.about.project_id = "p1";
    raise(of_project);
    raise(finding("b"));
    EXPECT_EQ(alerts().list({acme_, "p1", false, {50, 0}}).value().total, 1);
    EXPECT_EQ(alerts().list({acme_, "p2", false, {50, 0}}).value().total, 0);
    EXPECT_EQ(alerts().count(acme_, "p1").value().undismissed, 1);
}

TEST_F(AlertsTest, ResolvesWithABackupOnlyWhatSpeaksOfIt) {
    raise(finding());
    ASSERT_TRUE(alerts().resolve(acme_, {std::string(type::kBackupFailed), "s", "b9"}, kNow));
    EXPECT_FALSE(only().resolved_at);
    ASSERT_TRUE(alerts().resolve(acme_, {std::string(type::kBackupFailed), "s", "b1"}, kNow));
    EXPECT_TRUE(only().resolved_at);
}

TEST_F(AlertsTest, PagesNewestFirst) {
    for (int i = 0; i < 5; ++i) raise(finding(std::to_string(i)), kNow + i);
    const auto page = alerts().list({acme_, "", false, {2, 1}}).value();
    EXPECT_EQ(page.total, 5);
    ASSERT_EQ(page.items.size(), 2U);
    EXPECT_EQ(page.items[0].subject, "3");
    EXPECT_EQ(page.items[1].subject, "2");
}

}  // namespace
}  // namespace backstay::alerts
