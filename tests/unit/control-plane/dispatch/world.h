// A store with one organization, project, environment, destination and agent, and an agent that reports in order.
#pragma once

#include <gtest/gtest.h>

#include "common/domain/orders.h"
#include "common/ids.h"
#include "common/json/json.h"
#include "control-plane/dispatch/desk.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/dispatch/reports.h"
#include "control-plane/operations/history.h"
#include "control-plane/store/destinations.h"
#include "control-plane/store/environments.h"
#include "control-plane/store/organizations.h"
#include "control-plane/store/projects.h"
#include "control-plane/store/store.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_store.h"

namespace backstay::dispatch {

using control_plane::JobFinish;
using control_plane::JobOutcome;
using control_plane::Report;
using control_plane::ReportKind;

class World {
public:
    World() : db_(open()) {
        store::Organizations organizations(db_);
        organization_id = organizations.create("acme", "Acme", now).value().id;
        const std::string project = store::Projects(db_).create(organization_id, "shop", "", now).value().id;
        store::Agent wanted;
        wanted.organization_id = organization_id;
        wanted.name = wanted.hostname = "db1";
        agent = store::Agents(db_).create(wanted, "hash", now).value();
        store::Environment production;
        production.organization_id = organization_id;
        production.project_id = project;
        production.name = "prod";
        production.type = "production";
        production.agent_id = agent.id;
        production.database = "shop";
        environment = store::Environments(db_).create(production, now).value();
    }

    sql::Database& db() { return db_; }
    std::string path() const { return testing::test_store(folder_.path(), "store.db"); }

    // Adds `row`, with all filled in that is this world's; its id.
    std::string add_backup(operations::BackupRow row) {
        row.id = new_uuid();
        row.organization_id = organization_id;
        row.environment_id = environment.id;
        row.agent_id = agent.id;
        row.performed_by = "test";
        EXPECT_TRUE(operations::insert_backup(db_, row));
        return row.id;
    }

    // A destination that the store knows; its id.
    std::string add_destination(const std::string& name) {
        store::DestinationRow row;
        row.id = new_uuid();
        row.organization_id = organization_id;
        row.name = name;
        row.type = "s3";
        row.created_at = row.updated_at = now;
        auto transaction = sql::Transaction::begin(db_);
        EXPECT_TRUE(transaction);
        EXPECT_TRUE(store::Destinations(db_).create(*transaction, row));
        EXPECT_TRUE(transaction->commit());
        return row.id;
    }

    // A queued full backup to `destinations`; its id.
    std::string order_backup(const std::vector<std::string>& destinations = {"d1"}) {
        const std::string id = new_ordered_uuid();
        BackupOrder order;
        order.backup_id = id;
        order.scope = "full";
        order.trigger = "manual";
        order.created_at = {now};
        order.environment = store::to_order(environment);
        for (const std::string& name : destinations) {
            order.destinations.push_back({name, name, "local", {{"path", "/secret"}}});
        }
        operations::BackupRow row;
        row.id = id;
        row.organization_id = organization_id;
        row.project_id = environment.project_id;
        row.environment_id = environment.id;
        row.agent_id = agent.id;
        row.scope = "full";
        row.trigger_kind = "manual";
        row.created_at = now;
        row.performed_by = "someone";
        EXPECT_TRUE(operations::insert_backup(db_, row));
        NewJob job;
        job.kind = "backup";
        job.agent_id = agent.id;
        job.order = json::encode(order).as_object();
        job.operation.id = id;
        job.operation.kind = operations::Kind::backup;
        job.operation.organization_id = organization_id;
        job.operation.environment_id = environment.id;
        job.operation.backup_id = id;
        job.operation.plan = plan_backup("full", destinations, false);
        job.operation.performed_by = "someone";
        EXPECT_TRUE(enqueue(db_, job, now, stir));
        return id;
    }

    control_plane::AssignmentsAnswer ask(std::int32_t slots = 1, const std::string& instance = "one") {
        auto answer = next_assignments(
            db_, agent, {instance, 0, slots},
            [this](sql::Database&, std::string_view, std::string_view id) -> Result<std::optional<DestinationOrder>> {
                if (id == "gone") return std::optional<DestinationOrder>();
                if (opening_fails) return *opening_fails;
                return std::optional<DestinationOrder>({std::string(id), "d", "local", {{"path", "/backups"}}});
            },
            now, stir);
        EXPECT_TRUE(answer) << answer.error().message();
        return answer ? *answer : control_plane::AssignmentsAnswer{};
    }

    Result<control_plane::HeartbeatAnswer> beat(const std::vector<control_plane::HeldJob>& jobs,
                                                const std::string& instance = "one") {
        control_plane::Heartbeat heartbeat;
        heartbeat.instance_id = instance;
        heartbeat.agent_version = "1";
        heartbeat.sent_at = {now};
        heartbeat.jobs = jobs;
        return take_heartbeat(db_, agent, heartbeat, now, stir);
    }

    control_plane::ReportAck send(const Report& report) {
        auto transaction = sql::Transaction::begin(db_).value();
        auto answer = take_reports(db_, agent, {"one", {report}}, now, stir);
        EXPECT_TRUE(answer) << answer.error().message();
        EXPECT_TRUE(transaction.commit());
        return answer ? answer->acks.at(0) : control_plane::ReportAck{};
    }

    Report report(const std::string& job, std::int64_t fence, std::int64_t seq, ReportKind kind) const {
        Report out;
        out.job_id = job;
        out.fence = fence;
        out.seq = seq;
        out.at = {now};
        out.kind = kind;
        return out;
    }

    // Every step of the plan completed with its proofs, every copy verified, then `finished`.
    std::int64_t testify(const std::string& job, std::int64_t fence, std::int64_t seq, const OperationPlan& plan,
                         const std::string& failing_destination = "") {
        for (const std::string& destination : plan.destination_ids) {
            for (const std::string& name : plan.artifacts) {
                Report copied = report(job, fence, ++seq, ReportKind::copy);
                const bool fails = destination == failing_destination;
                copied.copy = CopyRecord{destination,
                                         name,
                                         fails ? CopyState::failed : CopyState::verified,
                                         fails ? "" : "folder/" + name,
                                         fails ? "" : std::string(64, 'a'),
                                         10,
                                         fails ? "refused" : "",
                                         ""};
                EXPECT_FALSE(send(copied).refused);
            }
        }
        seq = testify_steps(job, fence, seq, plan, failing_destination);
        Report last = report(job, fence, ++seq, ReportKind::finished);
        last.finished.emplace();
        last.finished->outcome = JobOutcome::succeeded;
        last.finished->folder = "v1/a/b/c";
        last.finished->size_bytes = 77;
        EXPECT_FALSE(send(last).refused);
        return seq;
    }

    std::int64_t testify_steps(const std::string& job, std::int64_t fence, std::int64_t seq, const OperationPlan& plan,
                               const std::string& failing_destination = "") {
        for (const StepPlan& planned : plan.steps) {
            Report step = report(job, fence, ++seq, ReportKind::step);
            step.step.emplace();
            step.step->name = planned.name;
            step.step->required = planned.required;
            step.step->status = StepStatus::completed;
            step.step->summary = "done";
            if (planned.name == "remote_upload:" + failing_destination) step.step->status = StepStatus::failed;
            if (planned.name == step::kCatalogCommit) step.step->proofs = plan.required_proofs;
            EXPECT_FALSE(send(step).refused);
        }
        return seq;
    }

    Result<> sweep() {
        for (const SweptJob& job : TRY(jobs_to_sweep(db_, now))) TRY(sweep_job(db_, job.id, now, stir));
        return {};
    }
    Job job(const std::string& id) { return find_job(db_, id).value().value(); }
    operations::BackupRow backup(const std::string& id) { return operations::find_backup_row(db_, id).value().value(); }
    RecoveryEvidence evidence(const std::string& id) {
        const auto operation = operations::find_operation(db_, id).value().value();
        return json::decode_text<RecoveryEvidence>(operation.evidence, json::kLenient).value();
    }

    TimeMs now = 1'800'000'000'000;
    std::optional<Error> opening_fails;  // what ask() finds instead of a destination's configuration
    Stir stir;
    std::string organization_id;
    store::Agent agent;
    store::Environment environment;

private:
    sql::Database open() {
        EXPECT_TRUE(store::prepare_store(path()));
        return store::open_store(path()).value();
    }
    testing::TempDir folder_;
    sql::Database db_;
};

}  // namespace backstay::dispatch
