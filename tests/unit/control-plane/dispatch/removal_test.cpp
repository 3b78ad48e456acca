// Removing backups: what stays behind, what a store refuses, and what nobody looks after any more.
#include "control-plane/dispatch/order_removal.h"

#include <gmock/gmock.h>

#include "control-plane/alerts/repository.h"
#include "control-plane/dispatch/care.h"
#include "control-plane/dispatch/prune.h"
#include "control-plane/dispatch/retry_removals.h"
#include "control-plane/live/purge.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::dispatch {
namespace {

using ::testing::HasSubstr;

constexpr TimeMs kDay = 24 * kHour;

class Removal : public ::testing::Test {
protected:
    // A destination that the store knows, or knew.
    std::string destination(const std::string& name, bool is_removed = false) {
        std::string id = world_.add_destination(name);
        if (is_removed) {
            EXPECT_TRUE(store::Destinations(world_.db()).remove(world_.organization_id, id, world_.now));
        }
        return id;
    }
    std::string made(const std::vector<std::string>& destinations, const std::string& failing = "") {
        const std::string id = world_.order_backup(destinations);
        EXPECT_EQ(world_.ask().assignments.size(), 1U);
        world_.send(world_.report(id, 1, 1, ReportKind::accepted));
        world_.testify(id, 1, 1, plan_backup("full", destinations, false), failing);
        auto row = world_.backup(id);
        row.folder = "v1/a/b/" + id;
        EXPECT_TRUE(operations::update_backup(world_.db(), row));
        return id;
    }
    std::string remove(const std::string& id) {
        auto row = world_.backup(id);
        auto left = remove_backup(world_.db(), row, "somebody", world_.now, world_.stir);
        EXPECT_TRUE(left) << left.error().message();
        return left ? *left : "";
    }
    // The deletion that is handed out ends so; its job's id.
    std::string end_deletion(JobOutcome outcome, bool is_transient = false) {
        const auto answer = world_.ask(4);
        EXPECT_EQ(answer.assignments.size(), 1U);
        if (answer.assignments.empty()) return "";
        const auto& assignment = answer.assignments[0];
        EXPECT_EQ(assignment.kind, "delete");
        world_.send(world_.report(assignment.job_id, assignment.fence, 1, ReportKind::accepted));
        Report last = world_.report(assignment.job_id, assignment.fence, 2, ReportKind::finished);
        last.finished.emplace();
        last.finished->outcome = outcome;
        last.finished->transient = is_transient;
        if (outcome == JobOutcome::failed) {
            last.finished->reason = "remote_immutable";
            last.finished->error_message = "locked until 2030";
        }
        world_.send(last);
        return assignment.job_id;
    }
    void retry() {
        const auto done = retry_removals(world_.db(), world_.now, world_.stir);
        EXPECT_TRUE(done) << done.error().message();
    }
    std::vector<alerts::Alert> alerts_of(std::string_view type) {
        auto listed = alerts::Alerts(world_.db()).list({world_.organization_id, "", true, {100, 0}}).value().items;
        std::erase_if(listed, [&](const alerts::Alert& alert) { return alert.type != type; });
        return listed;
    }
    World world_;
};

TEST_F(Removal, NamesNoDestinationThatNothingWasStoredTo) {
    const std::string here = destination("here");
    const std::string gone = destination("gone", true);
    const std::string id = made({here, gone}, gone);
    EXPECT_EQ(remove(id), "") << "the destination that refused has nothing of it";
    end_deletion(JobOutcome::succeeded);
    const std::string other = made({here, gone});
    EXPECT_EQ(remove(other), "'gone' (removed)");
}

TEST_F(Removal, OrdersAgainWhatAStoreRefusedLaterAndLater) {
    const std::string id = made({destination("here")});
    remove(id);
    EXPECT_EQ(world_.backup(id).status, "deleting");
    end_deletion(JobOutcome::failed);
    EXPECT_EQ(world_.backup(id).error_message, "deletion: locked until 2030");
    ASSERT_EQ(alerts_of(alerts::type::kRetentionBlocked).size(), 1U);
    EXPECT_EQ(alerts_of(alerts::type::kRetentionBlocked)[0].reason, "remote_immutable");
    world_.now += kHour - 1;
    retry();
    EXPECT_TRUE(world_.ask(4).assignments.empty());
    world_.now += 1;
    retry();
    EXPECT_EQ(world_.backup(id).error_message, "deletion: locked until 2030") << "told while it is tried again";
    end_deletion(JobOutcome::failed);
    world_.now += 2 * kHour - 1;
    retry();
    EXPECT_TRUE(world_.ask(4).assignments.empty()) << "twice as long";
    world_.now += 1;
    retry();
    end_deletion(JobOutcome::succeeded);
    EXPECT_EQ(world_.backup(id).status, "deleted");
    ASSERT_EQ(alerts_of(alerts::type::kRetentionBlocked).size(), 1U);
    EXPECT_TRUE(alerts_of(alerts::type::kRetentionBlocked)[0].resolved_at);
    EXPECT_EQ(removal_retry_ms(1), kHour);
    EXPECT_EQ(removal_retry_ms(100), kDay);
}

TEST_F(Removal, SaysWhyItWaitsForAnotherAttempt) {
    const std::string id = made({destination("here")});
    remove(id);
    end_deletion(JobOutcome::failed, true);
    EXPECT_EQ(world_.backup(id).status, "deleting");
    EXPECT_THAT(world_.backup(id).error_message.value_or(""), HasSubstr("locked until 2030"));
    retry();
    EXPECT_TRUE(world_.ask(4).assignments.empty()) << "its job is still there";
}

TEST_F(Removal, AFailedBackupGoesAfterThirtyDaysWithWhatItLeft) {
    const std::string here = destination("here");
    const auto fail = [&](bool with_leftovers) {
        const std::string id = world_.order_backup({here});
        EXPECT_EQ(world_.ask().assignments.size(), 1U);
        world_.send(world_.report(id, 1, 1, ReportKind::accepted));
        Report copied = world_.report(id, 1, 2, ReportKind::copy);
        copied.copy = CopyRecord{here, "db", CopyState::uploading, "v1/x/" + id + "/db", "", 0, "", ""};
        Report last = world_.report(id, 1, with_leftovers ? 3 : 2, ReportKind::finished);
        last.finished.emplace();
        last.finished->outcome = JobOutcome::failed;
        if (with_leftovers) world_.send(copied);
        world_.send(last);
        EXPECT_EQ(world_.backup(id).status, "failed");
        return id;
    };
    const std::string bare = fail(false);
    const std::string messy = fail(true);
    world_.now += kFailedKeptMs;
    ASSERT_TRUE(remove_failed_history(world_.db(), world_.now, world_.stir));
    EXPECT_EQ(world_.backup(bare).status, "failed");
    world_.now += 1;
    ASSERT_TRUE(remove_failed_history(world_.db(), world_.now, world_.stir));
    EXPECT_EQ(world_.backup(bare).status, "deleted");
    EXPECT_EQ(world_.backup(messy).status, "deleting");
    end_deletion(JobOutcome::succeeded);
    EXPECT_EQ(world_.backup(messy).status, "deleted");
    world_.now += 400 * kDay;
    live::Purge purge({});
    while (purge.some(world_.db(), world_.now).value()) continue;
    EXPECT_FALSE(operations::find_backup_row(world_.db(), bare).value());
    EXPECT_FALSE(operations::find_backup_row(world_.db(), messy).value());
    EXPECT_FALSE(operations::find_operation(world_.db(), messy).value());
}

TEST_F(Removal, AFailedBackupThatNobodyCanLookAfterGoesAllTheSame) {
    const std::string id = world_.order_backup({destination("here")});
    ASSERT_TRUE(cancel_job(world_.db(), id, world_.now, world_.stir));
    ASSERT_EQ(world_.backup(id).status, "cancelled");
    world_.now += kFailedKeptMs + 1;
    ASSERT_TRUE(world_.db().run("UPDATE environments SET deleted_at = 1", {}));
    ASSERT_TRUE(world_.db().run("UPDATE agents SET deleted_at = 1", {}));
    ASSERT_TRUE(remove_failed_history(world_.db(), world_.now, world_.stir));
    EXPECT_EQ(world_.backup(id).status, "deleted");
}

}  // namespace
}  // namespace backstay::dispatch
