// Snapshots and rollbacks from the order to expiry, with a clock moved by hand.
#include <gmock/gmock.h>

#include "control-plane/dispatch/order_snapshot.h"
#include "control-plane/dispatch/retry_removals.h"
#include "control-plane/store/snapshot_settings.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::dispatch {
namespace {

using operations::SnapshotRow;

SnapshotRow row_of(World& world, const std::string& id) {
    return operations::find_snapshot_row(world.db(), id).value().value();
}

std::string order(World& world) {
    SnapshotWish wish;
    wish.performed_by = "someone";
    return order_snapshot(world.db(), world.environment, wish, world.now, world.stir).value().id;
}

// On its host, and in those that it was copied to.
std::int64_t testify_copies(World& world, const std::string& id, std::int64_t seq, std::vector<std::string> places) {
    places.emplace_back(kHostPlace);
    for (const std::string& place : places) {
        for (const std::string& name : plan_snapshot({}).artifacts) {
            Report copied = world.report(id, 1, ++seq, ReportKind::copy);
            copied.copy = CopyRecord{place, name, CopyState::verified, "key/" + name, std::string(64, 'a'), 10, "", ""};
            EXPECT_FALSE(world.send(copied).refused);
        }
    }
    return seq;
}

// A snapshot as its agent made it; a differential when it has a base.
std::string made(World& world, const std::string& base = "", const std::vector<std::string>& copied_to = {}) {
    const std::string id = order(world);
    world.ask(4);
    EXPECT_FALSE(world.send(world.report(id, 1, 1, ReportKind::accepted)).refused);
    OperationPlan plan = plan_snapshot(copied_to);
    std::int64_t seq = testify_copies(world, id, 1, copied_to);
    seq = world.testify_steps(id, 1, seq, plan);
    Report last = world.report(id, 1, ++seq, ReportKind::finished);
    last.finished.emplace();
    last.finished->outcome = JobOutcome::succeeded;
    last.finished->folder = "v1/a/b/c/snapshots/" + id;
    json::Object filestore{{"mode", base.empty() ? "full" : "differential"}};
    if (!base.empty()) filestore["baseSnapshotId"] = base;
    last.finished->manifest = json::Object{{"filestore", filestore}};
    EXPECT_FALSE(world.send(last).refused);
    EXPECT_EQ(row_of(world, id).status, "completed");
    return id;
}

Result<> expire(World& world) { return remove_expired_snapshots(world.db(), world.now, world.stir); }

// Its agent removes whatever it is told to, or says why not; the ids.
std::vector<std::string> removed(World& world, const std::string& refusal = "") {
    std::vector<std::string> ids;
    for (const auto& assignment : world.ask(0).assignments) {
        EXPECT_EQ(assignment.kind, "delete_snapshot");
        ids.emplace_back(assignment.order.at("snapshotId").as_string());
        world.send(world.report(assignment.job_id, assignment.fence, 1, ReportKind::accepted));
        Report last = world.report(assignment.job_id, assignment.fence, 2, ReportKind::finished);
        last.finished.emplace();
        last.finished->outcome = refusal.empty() ? JobOutcome::succeeded : JobOutcome::failed;
        last.finished->error_message = refusal;
        world.send(last);
    }
    return ids;
}

TEST(SnapshotRemoval, IsOrderedAgainWhenTheHostRefused) {
    World world;
    const std::string id = made(world);
    SnapshotRow row = row_of(world, id);
    ASSERT_TRUE(remove_snapshot(world.db(), row, "someone", world.now, world.stir));
    EXPECT_THAT(removed(world, "read-only file system"), ::testing::ElementsAre(id));
    EXPECT_EQ(row_of(world, id).error_message, "deletion: read-only file system");
    world.now += removal_retry_ms(1) - 1;
    ASSERT_TRUE(retry_removals(world.db(), world.now, world.stir));
    EXPECT_THAT(removed(world), ::testing::IsEmpty());
    world.now += 1;
    ASSERT_TRUE(retry_removals(world.db(), world.now, world.stir));
    EXPECT_EQ(row_of(world, id).error_message, "deletion: read-only file system") << "told while it is tried again";
    EXPECT_THAT(removed(world), ::testing::ElementsAre(id));
    EXPECT_EQ(row_of(world, id).status, "deleted");
}

TEST(SnapshotExpiry, RemovesWhatIsOverAndNothingElse) {
    World world;
    const std::string old = made(world);
    world.now += 3 * operations::kDayMs;
    const std::string young = made(world);
    world.now += 4 * operations::kDayMs - 1;
    ASSERT_TRUE(expire(world));
    EXPECT_THAT(removed(world), ::testing::IsEmpty());
    world.now += 1;
    ASSERT_TRUE(expire(world));
    EXPECT_EQ(row_of(world, old).status, "deleting");
    ASSERT_TRUE(expire(world)) << "it is ordered once";
    EXPECT_THAT(removed(world), ::testing::ElementsAre(old));
    EXPECT_TRUE(row_of(world, old).deleted_at.has_value());
    EXPECT_EQ(row_of(world, young).status, "completed");
}

TEST(SnapshotExpiry, LeavesABaseUntilItsLastDifferentialIsGone) {
    World world;
    const std::string base = made(world);
    world.now += 5 * operations::kDayMs;
    const std::string differential = made(world, base);
    EXPECT_EQ(row_of(world, differential).base_id, base);
    world.now += 3 * operations::kDayMs;
    ASSERT_TRUE(expire(world));
    EXPECT_THAT(removed(world), ::testing::IsEmpty());
    world.now += 4 * operations::kDayMs;
    ASSERT_TRUE(expire(world));
    EXPECT_EQ(row_of(world, base).status, "completed") << "while the differential is only marked";
    EXPECT_THAT(removed(world), ::testing::ElementsAre(differential));
    ASSERT_TRUE(expire(world));
    EXPECT_THAT(removed(world), ::testing::ElementsAre(base));
}

TEST(SnapshotExpiry, LeavesWhatIsPinned) {
    World world;
    SnapshotRow row = row_of(world, made(world));
    row.is_pinned = true;
    row.expires_at.reset();
    ASSERT_TRUE(operations::update_snapshot(world.db(), row));
    world.now += 400 * operations::kDayMs;
    ASSERT_TRUE(expire(world));
    EXPECT_THAT(removed(world), ::testing::IsEmpty());
}

TEST(SnapshotExpiry, WaitsWhileASnapshotIsTakenThatMayBuildOnIt) {
    World world;
    const std::string old = made(world);
    world.now += 7 * operations::kDayMs;
    const std::string running = order(world);
    ASSERT_TRUE(expire(world));
    EXPECT_EQ(row_of(world, old).status, "completed");
    ASSERT_TRUE(cancel_job(world.db(), running, world.now, world.stir));
    ASSERT_TRUE(expire(world));
    EXPECT_EQ(row_of(world, old).status, "deleting");
}

TEST(SnapshotExpiry, WaitsForARollbackThatReadsIt) {
    World world;
    const std::string old = made(world);
    operations::RollbackRow rollback;
    rollback.id = new_ordered_uuid();
    rollback.organization_id = world.organization_id;
    rollback.snapshot_id = old;
    rollback.agent_id = world.agent.id;
    rollback.performed_by = "someone";
    ASSERT_TRUE(operations::insert_rollback(world.db(), rollback));
    world.now += 7 * operations::kDayMs;
    ASSERT_TRUE(expire(world));
    EXPECT_EQ(row_of(world, old).status, "completed");
    EXPECT_EQ(operations::rollback_using(world.db(), old).value(), rollback.id);
    rollback.status = "completed";
    ASSERT_TRUE(operations::update_rollback(world.db(), rollback));
    ASSERT_TRUE(expire(world));
    EXPECT_EQ(row_of(world, old).status, "deleting");
}

TEST(SnapshotExpiry, ForgetsWhatNeverBegan) {
    World world;
    const std::string id = order(world);
    ASSERT_TRUE(cancel_job(world.db(), id, world.now, world.stir));
    world.now += 7 * operations::kDayMs;
    ASSERT_TRUE(expire(world));
    EXPECT_EQ(row_of(world, id).status, "deleted");
    EXPECT_THAT(removed(world), ::testing::IsEmpty());
}

class SnapshotCopies : public ::testing::Test {
protected:
    // Settings name it, so that snapshots are copied there from now on.
    std::string destination(const std::string& name) {
        std::string id = world_.add_destination(name);
        auto settings = store::SnapshotSettingsOf(world_.db()).ensure(world_.environment, world_.now);
        EXPECT_TRUE(settings);
        settings->destination_ids = {id};
        EXPECT_TRUE(store::SnapshotSettingsOf(world_.db()).update(*settings));
        return id;
    }
    // Ordered away: the destinations that its agent is told of.
    std::set<std::string> removed_from(const std::string& id) {
        SnapshotRow row = row_of(world_, id);
        EXPECT_TRUE(remove_snapshot(world_.db(), row, "somebody", world_.now, world_.stir));
        std::set<std::string> found;
        for (const auto& assignment : world_.ask(4).assignments) {
            for (const auto& one : assignment.order.at("destinations").as_array()) {
                found.emplace(one.at("id").as_string());
            }
            world_.send(world_.report(assignment.job_id, assignment.fence, 1, ReportKind::accepted));
            Report last = world_.report(assignment.job_id, assignment.fence, 2, ReportKind::finished);
            last.finished.emplace();
            last.finished->outcome = JobOutcome::succeeded;
            world_.send(last);
        }
        EXPECT_EQ(row_of(world_, id).status, "deleted");
        return found;
    }
    World world_;
};

TEST_F(SnapshotCopies, OfABaseAreKnownWhereItsDifferentialsBroughtIt) {
    const std::string base = made(world_);
    EXPECT_EQ(row_of(world_, base).remote_status, "none");
    const std::string before = world_.evidence(base).status;
    const std::string first = destination("first");
    const std::string one = made(world_, base, {first});
    const std::string other = made(world_, base, {first});
    EXPECT_EQ(row_of(world_, base).remote_status, "verified");
    EXPECT_THAT(row_of(world_, base).destination_ids, ::testing::ElementsAre(first));
    EXPECT_EQ(world_.evidence(base).status, before);
    EXPECT_EQ(removed_from(one), std::set<std::string>{first});
    EXPECT_EQ(removed_from(other), std::set<std::string>{first});
    EXPECT_EQ(removed_from(base), std::set<std::string>{first});
}

// The base goes before it: it may be whole there although the differential never arrived.
TEST_F(SnapshotCopies, OfABaseGoFromWhereADifferentialsNeverArrived) {
    const std::string base = made(world_);
    const std::string away = destination("away");
    const std::string differential = made(world_, base);
    EXPECT_EQ(row_of(world_, differential).remote_status, "failed");
    EXPECT_EQ(row_of(world_, base).remote_status, "none");
    removed_from(differential);
    EXPECT_EQ(removed_from(base), std::set<std::string>{away});
}

TEST(SnapshotJobs, GiveUpOnASilentAgentAfterTheirOwnTimeout) {
    World world;
    const std::string id = order(world);
    world.now += 30 * kMinute;
    ASSERT_TRUE(world.sweep());
    EXPECT_EQ(row_of(world, id).status, "pending");
    world.now += kMinute;
    ASSERT_TRUE(world.sweep());
    EXPECT_EQ(row_of(world, id).status, "failed");
    EXPECT_EQ(row_of(world, id).error_message, "the agent stayed away for 31 minutes");
    EXPECT_EQ(world.evidence(id).reason, "agent_offline");
}

TEST(SnapshotJobs, TakeLongerThanTheyMay) {
    World world;
    const std::string id = order(world);
    world.ask(4);
    world.send(world.report(id, 1, 1, ReportKind::accepted));
    for (int minute = 0; minute < 31; ++minute) {
        world.now += kMinute;
        ASSERT_TRUE(world.beat({{id, 1}}));
        Report progress = world.report(id, 1, minute + 2, ReportKind::progress);
        progress.progress.emplace();
        world.send(progress);
    }
    ASSERT_TRUE(world.sweep());
    EXPECT_EQ(row_of(world, id).status, "failed");
    EXPECT_EQ(world.evidence(id).reason, "timeout");
}

TEST(SnapshotJobs, StayWithTheirHolderWhileTheNetworkIsAway) {
    World world;
    ASSERT_TRUE(world.beat({}));
    const std::string id = order(world);
    world.ask(4);
    world.send(world.report(id, 1, 1, ReportKind::accepted));
    world.now += 3 * kMinute;
    ASSERT_TRUE(world.sweep());
    EXPECT_EQ(row_of(world, id).status, "running");
    EXPECT_THAT(world.ask(4).assignments, ::testing::IsEmpty());
    EXPECT_FALSE(world.send(world.report(id, 1, 2, ReportKind::progress)).refused) << "it is back";
}

// A rollback whose agent has begun to take the safety snapshot.
class SafetySnapshot : public ::testing::Test {
protected:
    void SetUp() override {
        RollbackOrder order;
        order.safety_snapshot.emplace();
        order.safety_snapshot->snapshot_id = safety_;
        operations::RollbackRow row;
        row.id = job_;
        row.organization_id = world_.organization_id;
        row.snapshot_id = made(world_);
        row.target_environment_id = world_.environment.id;
        row.agent_id = world_.agent.id;
        row.performed_by = "someone";
        ASSERT_TRUE(operations::insert_rollback(world_.db(), row));
        NewJob job;
        job.kind = "rollback";
        job.agent_id = world_.agent.id;
        job.order = json::encode(order).as_object();
        job.operation.id = job_;
        job.operation.kind = operations::Kind::rollback;
        job.operation.organization_id = world_.organization_id;
        job.operation.environment_id = world_.environment.id;
        job.operation.performed_by = "someone";
        ASSERT_TRUE(enqueue(world_.db(), job, world_.now, world_.stir));
        world_.ask(4);
        world_.send(world_.report(job_, 1, ++seq_, ReportKind::accepted));
        Report begun = world_.report(job_, 1, ++seq_, ReportKind::planned);
        begun.operation_id = safety_;
        begun.plan = plan_snapshot({});
        world_.send(begun);
        ASSERT_EQ(row_of(world_, safety_).status, "running");
    }
    void end(const std::string& operation, JobOutcome outcome) {
        Report last = world_.report(job_, 1, ++seq_, ReportKind::finished);
        last.operation_id = operation;
        last.finished.emplace();
        last.finished->outcome = outcome;
        EXPECT_FALSE(world_.send(last).refused);
    }
    bool is_created() { return operations::find_rollback_row(world_.db(), job_).value()->safety_snapshot_created; }
    World world_;
    const std::string job_ = new_ordered_uuid();
    const std::string safety_ = new_ordered_uuid();
    std::int64_t seq_ = 0;
};

TEST_F(SafetySnapshot, EndsWithARollbackWhoseAgentSaysNoMore) {
    ASSERT_TRUE(cancel_job(world_.db(), job_, world_.now, world_.stir));
    for (int hour = 0; hour < 30; ++hour) {
        world_.now += kHour;
        ASSERT_TRUE(world_.sweep());
    }
    EXPECT_EQ(row_of(world_, safety_).status, "failed");
    EXPECT_EQ(row_of(world_, safety_).error_message, "the rollback that it was for ended first");
    EXPECT_FALSE(is_created());
}

TEST_F(SafetySnapshot, EndsOnceHoweverOftenItIsTold) {
    const OperationPlan plan = plan_snapshot({});
    for (const StepPlan& planned : plan.steps) {
        Report step = world_.report(job_, 1, ++seq_, ReportKind::step);
        step.operation_id = safety_;
        step.step.emplace();
        step.step->name = planned.name;
        step.step->required = planned.required;
        step.step->status = StepStatus::completed;
        if (planned.name == step::kCatalogCommit) step.step->proofs = plan.required_proofs;
        world_.send(step);
    }
    end(safety_, JobOutcome::succeeded);
    EXPECT_EQ(row_of(world_, safety_).status, "completed");
    end(safety_, JobOutcome::interrupted);
    end("", JobOutcome::interrupted);
    EXPECT_EQ(row_of(world_, safety_).status, "completed");
    EXPECT_TRUE(is_created());
}

TEST(SnapshotOrders, GoWithoutADestinationThatIsGone) {
    World world;
    SnapshotOrder snapshot;
    snapshot.snapshot_id = new_ordered_uuid();
    snapshot.destinations.push_back({"gone", "gone", "local", {}});
    NewJob job;
    job.kind = "snapshot";
    job.agent_id = world.agent.id;
    job.order = json::encode(snapshot).as_object();
    job.operation.id = snapshot.snapshot_id;
    job.operation.kind = operations::Kind::snapshot;
    job.operation.organization_id = world.organization_id;
    ASSERT_TRUE(enqueue(world.db(), job, world.now, world.stir));
    const auto assignments = world.ask(4).assignments;
    ASSERT_EQ(assignments.size(), 1U);
    EXPECT_TRUE(assignments[0].order.at("destinations").as_array().empty());
}

}  // namespace
}  // namespace backstay::dispatch
