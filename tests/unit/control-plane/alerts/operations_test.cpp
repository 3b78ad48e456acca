// Alerts that ended operations raise and end, through the real store and the reports of an agent.
#include <gmock/gmock.h>

#include "control-plane/alerts/destination_silence.h"
#include "control-plane/alerts/repository.h"
#include "control-plane/alerts/rules.h"
#include "control-plane/operations/lifecycle.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::dispatch {
namespace {

using alerts::Alert;
using alerts::Severity;
namespace type = alerts::type;

class OperationAlerts : public ::testing::Test {
protected:
    std::vector<Alert> all() {
        return alerts::Alerts(world_.db()).list({world_.organization_id, "", true, {100, 0}}).value().items;
    }
    std::optional<Alert> of(std::string_view type) {
        for (Alert& alert : all()) {
            if (alert.type == type) return alert;
        }
        return std::nullopt;
    }
    std::string begun(const std::vector<std::string>& destinations = {"d1"}) {
        world_.now += 60'000;
        const std::string id = world_.order_backup(destinations);
        EXPECT_EQ(world_.ask().assignments.size(), 1U);
        world_.send(world_.report(id, 1, 1, ReportKind::accepted));
        return id;
    }
    std::string failed(const std::string& reason = "disk_space_low") {
        const std::string id = begun();
        Report last = world_.report(id, 1, 2, ReportKind::finished);
        last.finished.emplace();
        last.finished->outcome = JobOutcome::failed;
        last.finished->reason = reason;
        last.finished->error_message = "no space";
        world_.send(last);
        return id;
    }
    std::string made(const std::vector<std::string>& destinations = {"d1"}, const std::string& failing = "") {
        const std::string id = begun(destinations);
        world_.testify(id, 1, 1, plan_backup("full", destinations, false), failing);
        return id;
    }
    World world_;
};

TEST_F(OperationAlerts, RaisesAFailedBackupMergesTheNextAndEndsWithASuccess) {
    const std::string first = failed();
    ASSERT_EQ(all().size(), 1U);
    EXPECT_EQ(of(type::kBackupFailed)->severity, Severity::critical);
    EXPECT_EQ(of(type::kBackupFailed)->message, "no space");
    EXPECT_EQ(of(type::kBackupFailed)->reason, "disk_space_low");
    EXPECT_EQ(of(type::kBackupFailed)->about.backup_id, first);
    const std::string second = failed();
    ASSERT_EQ(all().size(), 1U);
    EXPECT_EQ(of(type::kBackupFailed)->occurrences, 2);
    EXPECT_EQ(of(type::kBackupFailed)->about.backup_id, second);
    made();
    ASSERT_EQ(all().size(), 1U);
    EXPECT_EQ(of(type::kBackupFailed)->resolved_at, world_.now);
}

TEST_F(OperationAlerts, TellsWhatADestinationRefusedAndThatOneCopyIsLeft) {
    const std::string id = made({"d1", "d2"}, "d2");
    ASSERT_EQ(world_.backup(id).status, "partial");
    EXPECT_EQ(of(type::kBackupPartial)->about.backup_id, id);
    ASSERT_TRUE(of(type::kRemoteCopyFailed));
    EXPECT_EQ(of(type::kRemoteCopyFailed)->severity, Severity::warning);
    EXPECT_EQ(of(type::kRemoteCopyFailed)->message, "refused");
    made({"d1", "d2"});
    EXPECT_TRUE(of(type::kBackupPartial)->resolved_at);
    EXPECT_TRUE(of(type::kRemoteCopyFailed)->resolved_at);
}

TEST_F(OperationAlerts, SaysNothingOfAFailureThatIsReportedBehindANewerSuccess) {
    const std::string late = world_.order_backup();
    world_.ask();
    world_.send(world_.report(late, 1, 1, ReportKind::accepted));
    world_.now += 1000;
    operations::BackupRow newer = world_.backup(late);
    newer.id = new_ordered_uuid();
    newer.created_at = world_.now;
    newer.status = "completed";
    ASSERT_TRUE(operations::insert_backup(world_.db(), newer));
    Report last = world_.report(late, 1, 2, ReportKind::finished);
    last.finished.emplace();
    last.finished->outcome = JobOutcome::failed;
    world_.send(last);
    EXPECT_EQ(world_.backup(late).status, "failed");
    EXPECT_TRUE(all().empty());
}

TEST_F(OperationAlerts, RollsBackWithWhatItTellsOf) {
    const std::string id = begun();
    auto operation = operations::find_operation(world_.db(), id).value().value();
    {
        auto transaction = sql::Transaction::begin(world_.db()).value();
        ASSERT_TRUE(operations::fail(world_.db(), operation, "timeout", "too long", world_.now));
        ASSERT_EQ(all().size(), 1U);
    }
    EXPECT_TRUE(all().empty());
}

TEST_F(OperationAlerts, TellsADestinationThatIsSilentForLongUntilSomebodyGetsThrough) {
    store::DestinationRow row;
    row.organization_id = world_.organization_id;
    row.id = new_uuid();
    row.name = "bucket";
    row.type = "s3";
    row.created_at = row.updated_at = world_.now;
    {
        auto transaction = sql::Transaction::begin(world_.db());
        ASSERT_TRUE(transaction);
        ASSERT_TRUE(store::Destinations(world_.db()).create(*transaction, row));
        ASSERT_TRUE(transaction->commit());
    }
    alerts::DestinationSilences silences(world_.db());
    ASSERT_TRUE(silences.begin(row.id, "refused", world_.now));
    const TimeMs since = world_.now;
    world_.now += alerts::kUnreachableMs - 1;
    ASSERT_TRUE(silences.begin(row.id, "no route", world_.now));
    ASSERT_TRUE(silences.tell(world_.now));
    EXPECT_TRUE(all().empty());
    world_.now = since + alerts::kUnreachableMs;
    ASSERT_TRUE(silences.tell(world_.now));
    ASSERT_TRUE(silences.tell(world_.now + 5000));
    ASSERT_EQ(all().size(), 1U);
    EXPECT_EQ(all()[0].about.destination_id, row.id);
    EXPECT_EQ(all()[0].occurrences, 1);
    ASSERT_TRUE(silences.end(row.id, world_.now));
    EXPECT_TRUE(all()[0].resolved_at);
    ASSERT_TRUE(silences.tell(world_.now + alerts::kUnreachableMs));
    EXPECT_EQ(all().size(), 1U);
}

}  // namespace
}  // namespace backstay::dispatch
