// Reports that come together leave what they leave one by one.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::dispatch {
namespace {

// What an agent says of a backup up to its last word, in its order.
std::vector<Report> told(const World& world, const std::string& id) {
    std::vector<Report> out;
    const auto say = [&](ReportKind kind) -> Report& {
        out.push_back(world.report(id, 1, static_cast<std::int64_t>(out.size()) + 1, kind));
        return out.back();
    };
    const OperationPlan plan = plan_backup("full", {"d1"}, false);
    say(ReportKind::accepted);
    say(ReportKind::planned).plan = plan;
    for (const StepPlan& planned : plan.steps) {
        for (const StepStatus status : {StepStatus::running, StepStatus::completed}) {
            StepRecord& step = say(ReportKind::step).step.emplace();
            step.name = planned.name;
            step.required = planned.required;
            step.status = status;
            if (status == StepStatus::completed && planned.name == step::kCatalogCommit)
                step.proofs = plan.required_proofs;
            Progress& progress = say(ReportKind::progress).progress.emplace();
            progress.step = planned.name;
            progress.percent = static_cast<double>(out.size());
        }
    }
    for (const std::string& name : plan.artifacts) {
        say(ReportKind::copy).copy =
            CopyRecord{"d1", name, CopyState::verified, "folder/" + name, std::string(64, 'a'), 10, "", ""};
    }
    JobFinish& last = say(ReportKind::finished).finished.emplace();
    last.outcome = JobOutcome::succeeded;
    last.folder = "v1/a/b/c";
    return out;
}

control_plane::ReportAnswer send_all(World& world, const std::vector<Report>& reports) {
    auto transaction = sql::Transaction::begin(world.db()).value();
    const auto answer = take_reports(world.db(), world.agent, {"one", reports}, world.now, world.stir);
    EXPECT_TRUE(answer) << answer.error().message();
    EXPECT_TRUE(transaction.commit());
    return answer ? *answer : control_plane::ReportAnswer{};
}

// Everything that the store holds of the operation, without its id.
std::string left(World& world, const std::string& id) {
    const auto operation = operations::find_operation(world.db(), id).value().value();
    const auto job = world.job(id);
    std::string out = fmt::format("{} {} {} job {} {} {}\n", operation.status, operation.evidence, operation.event_id,
                                  static_cast<int>(job.state), job.seq, job.outcome);
    const auto steps = operations::steps_of(world.db(), id).value();
    const auto copies = operations::copies_of(world.db(), id).value();
    const auto events = operations::events_after(world.db(), id, 0).value();
    for (const auto& step : steps) out += fmt::format("step {} {}\n", step.sort_order, json::encode_text(step.record));
    for (const auto& copy : copies) out += fmt::format("copy {}\n", json::encode_text(copy));
    for (const auto& event : events) out += fmt::format("event {} {}\n", event.id, event.payload);
    const operations::BackupRow backup = world.backup(id);
    out += fmt::format("backup {} {} {}\n", backup.status, backup.folder, backup.size_bytes);
    for (auto at = out.find(id); at != std::string::npos; at = out.find(id, at)) out.replace(at, id.size(), "ID");
    return out;
}

std::string begun_backup(World& world) {
    const std::string id = world.order_backup();
    EXPECT_EQ(world.ask().assignments.size(), 1U);
    return id;
}

}  // namespace

TEST(ReportsTogether, LeaveWhatTheyLeaveOneByOne) {
    World world;
    const std::string one_by_one = begun_backup(world);
    for (const Report& report : told(world, one_by_one))
        EXPECT_TRUE(send_all(world, {report}).acks[0].rejected.empty());
    const std::string expected = left(world, one_by_one);
    ASSERT_EQ(world.backup(one_by_one).status, "completed");
    const std::string together = begun_backup(world);
    send_all(world, told(world, together));
    EXPECT_EQ(left(world, together), expected);
}

TEST(ReportsTogether, WithOneThatCannotBeReadLeaveTheSameWithoutIt) {
    World world;
    const std::string whole = begun_backup(world);
    send_all(world, told(world, whole));
    const std::string id = begun_backup(world);
    auto transaction = sql::Transaction::begin(world.db()).value();
    const auto answer = take_reports(world.db(), world.agent, {"one", told(world, id)}, world.now, world.stir,
                                     {{3, "progress: what?"}});
    ASSERT_TRUE(answer);
    ASSERT_TRUE(transaction.commit());
    ASSERT_EQ(answer->acks[0].rejected.size(), 1U);
    EXPECT_EQ(answer->acks[0].rejected[0].seq, 4);
    EXPECT_EQ(world.backup(id).status, "completed");
    const auto events = operations::events_after(world.db(), id, 0).value();
    EXPECT_EQ(events.size() + 1, operations::events_after(world.db(), whole, 0).value().size());
}

TEST(ReportsTogether, BehindAHoleAreNotTaken) {
    World world;
    const std::string id = begun_backup(world);
    std::vector<Report> reports = told(world, id);
    reports.erase(reports.begin() + 5);
    const auto answer = send_all(world, reports);
    EXPECT_EQ(answer.acks[0].seq, 5);
    EXPECT_EQ(world.job(id).seq, 5);
    EXPECT_EQ(world.backup(id).status, "running");
}

// More than one statement's worth of events, and more than are kept.
TEST(ReportsTogether, KeepTheNewestEventsOfMany) {
    World world;
    const std::string id = begun_backup(world);
    world.send(world.report(id, 1, 1, ReportKind::accepted));
    std::vector<Report> reports;
    for (int i = 0; i < 100; ++i) {
        reports.push_back(world.report(id, 1, i + 2, ReportKind::progress));
        reports.back().progress.emplace().percent = i;
    }
    EXPECT_EQ(send_all(world, reports).acks[0].seq, 101);
    const auto events = operations::events_after(world.db(), id, 0).value();
    ASSERT_EQ(events.size(), 100U);
    for (std::size_t i = 0; i < events.size(); ++i)
        EXPECT_EQ(events[i].id, static_cast<std::int64_t>(i) + 3) << "without a gap";
}

}  // namespace backstay::dispatch
