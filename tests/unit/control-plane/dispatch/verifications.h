// A world in which agents look at backups: sweeps that order it, and what an agent may find.
#pragma once

#include <gmock/gmock.h>

#include <algorithm>

#include "common/domain/reasons.h"
#include "control-plane/alerts/repository.h"
#include "control-plane/dispatch/drills.h"
#include "control-plane/dispatch/order_removal.h"
#include "control-plane/dispatch/order_verification.h"
#include "control-plane/operations/verification.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::dispatch {

using ::testing::Contains;
using ::testing::HasSubstr;
inline constexpr TimeMs kDay = 24 * kHour;

class Verifications : public ::testing::Test {
protected:
    Verifications() {
        auto transaction = sql::Transaction::begin(world_.db()).value();
        for (const char* id : {"d1", "d2"}) {
            store::DestinationRow row;
            row.id = row.name = id;
            row.organization_id = world_.organization_id;
            row.type = "s3_compatible";
            EXPECT_TRUE(store::Destinations(world_.db()).create(transaction, row));
        }
        EXPECT_TRUE(transaction.commit());
    }
    std::string made(const std::vector<std::string>& destinations = {"d1"}) {
        const std::string id = world_.order_backup(destinations);
        EXPECT_EQ(world_.ask(4).assignments.size(), 1U);
        world_.send(world_.report(id, 1, 1, ReportKind::accepted));
        world_.testify(id, 1, 1, plan_backup("full", destinations, false));
        return id;
    }
    // The agent is here; what is due is ordered. The verifications that wait or run now.
    std::vector<Job> sweep(bool here = true) {
        if (here) {
            EXPECT_TRUE(world_.beat({}));
        }
        auto transaction = sql::Transaction::begin(world_.db()).value();
        const auto drilled = drills_due(world_.db(), world_.now, world_.stir);
        EXPECT_TRUE(drilled) << drilled.error().message();
        const auto done = verify_due(world_.db(), world_.now, world_.stir);
        EXPECT_TRUE(done) << done.error().message();
        EXPECT_TRUE(transaction.commit());
        auto jobs = unfinished_jobs(world_.db()).value();
        std::erase_if(jobs, [](const Job& job) { return job.kind != "verify"; });
        return jobs;
    }
    void pass(TimeMs span) { world_.now += span; }

    Job handed_out() {
        EXPECT_EQ(world_.ask(4).assignments.size(), 1U);
        auto jobs = unfinished_jobs(world_.db()).value();
        EXPECT_FALSE(jobs.empty());
        world_.send(world_.report(jobs.front().id, jobs.front().fence, 1, ReportKind::accepted));
        return jobs.front();
    }
    void tell(const Job& job, std::int64_t& seq, std::string_view name, StepStatus status, std::string_view why = "") {
        Report step = world_.report(job.id, job.fence, ++seq, ReportKind::step);
        step.step.emplace();
        step.step->name = name;
        step.step->status = status;
        step.step->reason = why;
        step.step->summary = status == StepStatus::failed ? "not what it was" : "as it was";
        step.step->proofs = plan_verification(true).required_proofs;
        world_.send(step);
    }
    // The agent does it; one step may fail.
    void looked_at(const Job& job, std::string_view failing = "", std::string_view why = "", bool drill = false) {
        std::int64_t seq = 1;
        Report last = world_.report(job.id, job.fence, 0, ReportKind::finished);
        last.finished.emplace();
        last.finished->outcome = JobOutcome::succeeded;
        for (const StepPlan& planned : plan_verification(drill).steps) {
            const bool fails = planned.name == failing;
            tell(job, seq, planned.name, fails ? StepStatus::failed : StepStatus::completed, fails ? why : "");
            if (!fails) continue;
            last.finished->outcome = JobOutcome::failed;
            last.finished->reason = why;
            last.finished->error_message = "not what it was";
            break;
        }
        last.seq = ++seq;
        EXPECT_FALSE(world_.send(last).refused);
    }
    void looked_at_damaged(const Job& job, const std::string& destination_id) {
        Report copied = world_.report(job.id, job.fence, 2, ReportKind::copy);
        copied.copy = CopyRecord{destination_id, "db", CopyState::corrupt, "", "", 0, "other bytes", "remote_corrupt"};
        world_.send(copied);
        std::int64_t seq = 2;
        tell(job, seq, step::kVerifyArtifacts, StepStatus::failed, reason::kRemoteCorrupt);
        Report last = world_.report(job.id, job.fence, ++seq, ReportKind::finished);
        last.finished.emplace();
        last.finished->outcome = JobOutcome::failed;
        last.finished->reason = reason::kRemoteCorrupt;
        EXPECT_FALSE(world_.send(last).refused);
    }
    std::optional<alerts::Alert> alarm(std::string_view type = alerts::type::kVerificationFailed) {
        const auto page = alerts::Alerts(world_.db()).list({world_.organization_id, "", true, {100, 0}}).value();
        for (const alerts::Alert& alert : page.items) {
            if (alert.type == type && !alert.resolved_at) return alert;
        }
        return std::nullopt;
    }
    World world_;
};

}  // namespace backstay::dispatch
