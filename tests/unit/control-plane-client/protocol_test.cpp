// Every message of the protocol, byte for byte, both ways: golden/ is what older and newer programs really send.
#include "control-plane-client/protocol.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace backstay::control_plane {
namespace {

constexpr TimeMs kNoon = 1'767'355'200'123;  // 2026-01-02T12:00:00.123Z

std::string golden(const std::string& name) {
    std::ifstream file("tests/unit/control-plane-client/golden/" + name + ".json");
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

template <class Message>
void holds(const std::string& name, const Message& message) {
    const std::string text = json::serialize_pretty(json::encode(message));
    EXPECT_EQ(text, golden(name)) << name;
    const auto read = json::decode_text<Message>(golden(name), json::kLenient);
    ASSERT_TRUE(read) << name << ": " << read.error().message();
    EXPECT_EQ(json::serialize_pretty(json::encode(*read)), golden(name)) << name;
}

Inventory inventory() {
    Inventory found;
    found.hostname = "erp1";
    ClusterInfo cluster;
    cluster.name = "main";
    cluster.host = "/var/run/postgresql";
    cluster.server_version = "15.18";
    cluster.server_version_num = 150018;
    cluster.system_id = "7301234567890123456";
    DatabaseInfo database;
    database.name = "shop";
    database.owner = "odoo";
    database.size_bytes = 171'000'000;
    database.is_odoo = true;
    database.odoo_version = "17.0";
    database.base_version = "17.0.1.3";
    database.database_uuid = "0d0f5f1e-6f3f-11ef-8d7f-0242ac120002";
    database.is_neutralized = false;
    database.installed_modules = 154;
    database.filestore = "/var/lib/odoo/filestore/shop";
    database.filestore_bytes = 450'000'000;
    database.odoo_conf = "/etc/odoo/odoo.conf";
    cluster.databases = {database};
    found.clusters = {cluster};
    found.disks = {{"/var/lib/backstay", "state", 1'000'000, 2'000'000}};
    return found;
}

Report report(ReportKind kind, std::int64_t seq) {
    Report event;
    event.job_id = "11111111-1111-4111-8111-111111111111";
    event.operation_id = "22222222-2222-4222-8222-222222222222";
    event.fence = 3;
    event.seq = seq;
    event.at = {kNoon};
    event.kind = kind;
    return event;
}

Report finished() {
    Report event = report(ReportKind::finished, 8);
    JobFinish finish;
    finish.outcome = JobOutcome::succeeded;
    finish.notes = {"stop_instance: not managed by the agent"};
    finish.folder = "v1/local/agent/shop/backups/2026/01/02/22222222-2222-4222-8222-222222222222";
    finish.size_bytes = 30'000'000;
    finish.database_bytes = 171'000'000;
    finish.filestore_bytes = 459'000'000;
    finish.manifest = json::Object{{"format", 1}};
    event.finished = finish;
    return event;
}

ReportBatch every_kind() {
    ReportBatch batch;
    batch.instance_id = "33333333-3333-4333-8333-333333333333";
    Report declared = report(ReportKind::declared, 1);
    declared.declared = JobDeclaration{"backup", json::Object{{"backupId", "x"}}, "socket"};
    Report rejected = report(ReportKind::rejected, 3);
    rejected.reason = "preflight_failed";
    rejected.message = "this agent does not know the kind \"dance\"";
    Report planned = report(ReportKind::planned, 4);
    planned.plan = OperationPlan{Operation::backup, {{"preflight", true, 1}}, {"db:dumped"}, {"d1"}, {"db"}};
    Report step = report(ReportKind::step, 5);
    step.step =
        StepRecord{"preflight", true, StepStatus::completed,         Timestamp{kNoon},     Timestamp{kNoon + 5}, 5,
                   1,           "",   {{"server_version", "15.18"}}, {"preflight:passed"}, "all there",          ""};
    Report copy = report(ReportKind::copy, 6);
    copy.copy = CopyRecord{"d1", "db", CopyState::verified, "v1/x/database.dump.zst", std::string(64, 'a'), 12, "", ""};
    Report progress = report(ReportKind::progress, 7);
    progress.progress = Progress{"backup",  "22222222-2222-4222-8222-222222222222",
                                 "shop",    "running",
                                 "db_dump", "running",
                                 2,         9,
                                 37.5,      100,
                                 300,       50,
                                 "dumping", {kNoon},
                                 false,     std::nullopt};
    batch.reports = {declared, report(ReportKind::accepted, 2), rejected, planned, step, copy, progress, finished()};
    return batch;
}

ClusterWal cluster_wal() {
    ClusterWal wal;
    wal.cluster = "main";
    wal.system_id = "7301234567890123456";
    wal.archive = "v1/local/clusters/7301234567890123456";
    wal.destination_ids = {"d1"};
    wal.archiving = {true, "ok", Timestamp{kNoon}, "000000010000000000000007", 0, 12, 0, 33'554'432, 86'400, 60, 14};
    wal.base_backups = {{"55555555-5555-4555-8555-555555555555", {kNoon - 7'200'000}}};
    wal.earliest_recoverable = Timestamp{kNoon - 7'200'000};
    wal.latest_recoverable = Timestamp{kNoon - 60'000};
    wal.wal_ranges = {{{kNoon - 7'200'000}, {kNoon - 3'600'000}}, {{kNoon - 1'800'000}, {kNoon - 60'000}}};
    wal.gaps = {{{kNoon - 3'600'000}, {kNoon - 1'800'000}}};
    return wal;
}

TEST(Protocol, WritesAndReadsEnrolmentAsTheGoldenFilesSay) {
    holds("enroll_request", EnrollRequest{"one-time", "erp1", "0.1.0", 1});
    holds("enroll_answer", EnrollAnswer{"a1", "o1", "erp1", "secret"});
}

ScheduleBook schedule_book() {
    ScheduledEnvironment shop;
    shop.environment.organization_id = "22222222-2222-4222-8222-222222222222";
    shop.environment.environment_id = "55555555-5555-4555-8555-555555555555";
    shop.environment.name = "prod";
    shop.environment.type = "production";
    shop.environment.database = "shop";
    shop.time_zone = "Europe/Brussels";
    shop.db_cron = "17 * * * *";
    shop.destinations = {{"66666666-6666-4666-8666-666666666666", "disk", "local", json::Object{{"path", "/backups"}}}};
    return {"0123456789abcdef", {shop}, {{"main", 14, 1}}};
}

TEST(Protocol, WritesAndReadsHeartbeatsAsTheGoldenFilesSay) {
    const HeldJob job{"11111111-1111-4111-8111-111111111111", 3};
    holds("heartbeat", Heartbeat{"33333333-3333-4333-8333-333333333333",
                                 "0.1.0",
                                 1,
                                 {kNoon},
                                 inventory(),
                                 {job},
                                 std::vector<ClusterWal>{cluster_wal()},
                                 "0123456789abcdef",
                                 {{job.job_id, "db", {kNoon}}}});
    holds("heartbeat_unchanged",
          Heartbeat{"33333333-3333-4333-8333-333333333333", "0.1.0", 1, {kNoon}, {}, {}, {}, {}, {}});
    holds("heartbeat_answer",
          HeartbeatAnswer{{kNoon}, 20'000, true, {job.job_id}, {job}, schedule_book(), Timestamp{kNoon}});
}

TEST(Protocol, WritesAndReadsAssignmentsAsTheGoldenFilesSay) {
    holds("assignments_request", AssignmentsRequest{"33333333-3333-4333-8333-333333333333", 25'000, 1, 1});
    AssignmentsAnswer answer;
    answer.assignments = {
        {"11111111-1111-4111-8111-111111111111", 3, 1, "verify", 120'000, json::Object{{"drill", true}}}};
    answer.cancel = {"44444444-4444-4444-8444-444444444444"};
    StorageRequest request;
    request.request_id = "55555555-5555-4555-8555-555555555555";
    request.action = "list";
    request.destination = {"66666666-6666-4666-8666-666666666666", "here", "local",
                           json::Object{{"path", "/srv/backups"}}};
    request.prefix = "v1/";
    request.one_level = true;
    answer.storage = {request};
    holds("assignments_answer", answer);
    StorageAnswer listed;
    listed.objects = {{"v1/a", 12, {kNoon}, "tag"}};
    listed.folders = {"v1/b/"};
    listed.next = "v1/b/";
    holds("storage_answer", listed);
    StorageAnswer failed;
    failed.failure = {"not_found", "remote_missing", "read 'v1/a': no such file"};
    holds("storage_failure", failed);
}

TEST(Protocol, WritesAndReadsReportsAsTheGoldenFilesSay) {
    holds("reports", every_kind());
    holds("report_answer", ReportAnswer{{{"11111111-1111-4111-8111-111111111111",
                                          3,
                                          8,
                                          false,
                                          "",
                                          {{7, "not_understood", "step.status: unknown word"}}}}});
}

TEST(Protocol, IgnoresWhatANewerProgramAdds) {
    const auto answer = json::decode_text<HeartbeatAnswer>(
        R"({"serverTime":"2026-01-02T12:00:00Z","intervalMs":5000,"mood":"good"})", json::kLenient);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->interval_ms, 5000);
    EXPECT_FALSE(answer->inventory_wanted);
}

}  // namespace
}  // namespace backstay::control_plane
