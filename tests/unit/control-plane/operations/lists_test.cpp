// Lists of a million rows: their totals are kept, not counted, and stay true through every kind of change; a page costs
// what stands on it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <regex>

#include "common/ids.h"
#include "common/sql/postgres_driver.h"
#include "common/sql/sqlite_driver.h"
#include "control-plane/alerts/repository.h"
#include "control-plane/operations/history.h"
#include "control-plane/operations/listing.h"
#include "control-plane/operations/public_listing.h"
#include "control-plane/operations/snapshots.h"
#include "tests/unit/control-plane/store_fixture.h"

namespace backstay::operations {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

// What each table of counts holds, beside what its rows say.
struct Pair {
    const char* kept;
    const char* counted;
};
constexpr Pair kPairs[] = {
    {"SELECT organization_id, project_id, environment_id, scope, trigger_kind, status, is_verified, number FROM "
     "backup_counts",
     "SELECT organization_id, COALESCE(project_id, ''), COALESCE(environment_id, ''), scope, trigger_kind, status, "
     "CASE "
     "WHEN verified_at IS NULL THEN 0 ELSE 1 END, COUNT(*) FROM backups WHERE deleted_at IS NULL GROUP BY 1, 2, 3, 4, "
     "5, 6, 7"},
    {"SELECT organization_id, project_id, environment_id, trigger_kind, status, number FROM snapshot_counts",
     "SELECT organization_id, COALESCE(project_id, ''), COALESCE(environment_id, ''), trigger_kind, status, COUNT(*) "
     "FROM snapshots WHERE deleted_at IS NULL GROUP BY 1, 2, 3, 4, 5"},
    {"SELECT organization_id, environment_id, kind, number FROM operation_counts",
     "SELECT organization_id, COALESCE(environment_id, ''), kind, COUNT(*) FROM operations GROUP BY 1, 2, 3"},
    {"SELECT organization_id, action, number FROM audit_counts",
     "SELECT organization_id, action, COUNT(*) FROM audit GROUP BY 1, 2"},
    {"SELECT organization_id, project_id, is_read, is_dismissed, number FROM alert_counts",
     "SELECT organization_id, COALESCE(project_id, ''), CASE WHEN read_at IS NULL THEN 0 ELSE 1 END, CASE WHEN "
     "dismissed_at IS NULL THEN 0 ELSE 1 END, COUNT(*) FROM alerts GROUP BY 1, 2, 3, 4"},
};

std::vector<std::string> rows_of(sql::Database& db, const std::string& sql) {
    auto rows = db.query(sql).value();
    std::vector<std::string> found;
    while (rows.step().value()) {
        std::string text;
        for (int i = 0; i < rows.columns(); ++i) text += rows.text(i) + "|";
        found.push_back(std::move(text));
    }
    std::ranges::sort(found);
    return found;
}

void expect_true_counts(sql::Database& db, const std::string& after) {
    for (const Pair& pair : kPairs) {
        EXPECT_EQ(rows_of(db, std::string(pair.kept) + " WHERE number <> 0"), rows_of(db, pair.counted)) << after;
    }
}

class Lists : public testing::StoreTest {
protected:
    BackupRow backup(const std::string& organization, std::optional<std::string> environment,
                     const std::string& status = "pending", const std::string& trigger = "manual") {
        BackupRow row;
        row.id = new_uuid();
        row.organization_id = organization;
        if (environment) row.project_id = "project";
        row.environment_id = std::move(environment);
        row.agent_id = "agent";
        row.scope = "db";
        row.trigger_kind = trigger;
        row.status = status;
        row.created_at = kNow;
        row.performed_by = "tester";
        EXPECT_TRUE(insert_backup(*db_, row));
        return row;
    }
    SnapshotRow snapshot(const std::string& environment, const std::string& status,
                         const std::string& trigger = "pre_deploy") {
        SnapshotRow row;
        row.id = new_uuid();
        row.organization_id = acme_;
        row.project_id = "project";
        row.environment_id = environment;
        row.agent_id = "agent";
        row.trigger_kind = trigger;
        row.status = status;
        row.created_at = kNow;
        EXPECT_TRUE(insert_snapshot(*db_, row));
        return row;
    }
    std::string operation(const std::string& organization, std::optional<std::string> environment, Kind kind) {
        OperationRow row;
        row.id = new_uuid();
        row.kind = kind;
        row.organization_id = organization;
        row.environment_id = std::move(environment);
        row.created_at = kNow;
        EXPECT_TRUE(insert_operation(*db_, row));
        return row.id;
    }
    void run(const std::string& sql) {
        const auto done = db_->run(sql);
        ASSERT_TRUE(done) << sql << ": " << done.error().message();
        expect_true_counts(*db_, sql);
    }
};

TEST_F(Lists, CountEveryChangeOfBackupsAndSnapshots) {
    std::vector<BackupRow> rows;
    for (const std::string& organization : {acme_, other_}) {
        for (const char* environment : {"one", "two"}) rows.push_back(backup(organization, environment));
        rows.push_back(backup(organization, std::nullopt));
    }
    expect_true_counts(*db_, "inserts");
    for (const char* status : {"running", "running", "completed"}) {
        rows.front().status = status;
        ASSERT_TRUE(update_backup(*db_, rows.front()));
        expect_true_counts(*db_, status);
    }
    rows.front().verified_at = kNow;
    ASSERT_TRUE(update_backup(*db_, rows.front()));
    expect_true_counts(*db_, "verified");
    rows.front().verified_at = kNow + 1;
    ASSERT_TRUE(update_backup(*db_, rows.front()));
    expect_true_counts(*db_, "verified again");
    SnapshotRow taken = snapshot("one", "pending");
    snapshot("two", "completed", "manual");
    taken.status = "completed";
    ASSERT_TRUE(update_snapshot(*db_, taken));
    expect_true_counts(*db_, "snapshots");
    for (const std::string table : {"backups", "snapshots"}) {
        run("UPDATE " + table + " SET status = 'deleting'");
        run("UPDATE " + table + " SET environment_id = 'three', project_id = NULL WHERE environment_id = 'one'");
        run("UPDATE " + table + " SET status = 'deleted', deleted_at = 5 WHERE environment_id = 'three'");
        run("UPDATE " + table + " SET deleted_at = 6 WHERE environment_id = 'three'");
        run("UPDATE " + table + " SET status = 'failed' WHERE environment_id = 'three'");
        run("UPDATE " + table + " SET deleted_at = NULL WHERE environment_id = 'three'");
        run("UPDATE " + table + " SET deleted_at = 7 WHERE environment_id = 'three'");
        run("DELETE FROM " + table + " WHERE environment_id = 'three'");
        run("DELETE FROM " + table);
    }
}

TEST_F(Lists, CountEveryChangeOfOperationsAlertsAndTheAuditTrail) {
    const std::string first = operation(acme_, "one", Kind::backup);
    operation(acme_, "one", Kind::backup);
    operation(acme_, std::nullopt, Kind::destination_test);
    operation(other_, "two", Kind::restore);
    expect_true_counts(*db_, "operations");
    run("DELETE FROM operations WHERE id = '" + first + "'");
    run("DELETE FROM operations");

    store::AuditEntry entry;
    entry.organization_id = acme_;
    for (const char* action : {"a.b", "a.b", "a.c", "d"}) {
        entry.action = action;
        entry.at += 10;
        ASSERT_TRUE(store::Audit(*db_).add(entry));
    }
    expect_true_counts(*db_, "audit");
    ASSERT_TRUE(store::Audit(*db_).forget(30, 100));
    expect_true_counts(*db_, "forgotten");

    alerts::Alerts alerts(*db_);
    alerts::Finding finding;
    finding.type = alerts::type::kBackupFailed;
    finding.is_event = true;
    for (const char* subject : {"a", "b", "c"}) {
        finding.subject = subject;
        ASSERT_TRUE(alerts.raise(acme_, finding, kNow));
    }
    expect_true_counts(*db_, "raised");
    const std::string id = alerts.list({acme_, "", false, {}}).value().items.front().id;
    ASSERT_TRUE(alerts.mark_read(acme_, id, "me", kNow));
    expect_true_counts(*db_, "read");
    ASSERT_TRUE(alerts.dismiss(acme_, id, "me", kNow));
    expect_true_counts(*db_, "dismissed");
    EXPECT_EQ(alerts.list({acme_, "", false, {}})->total, 2);
    EXPECT_EQ(alerts.count(acme_, "")->undismissed, 2);
    for (const char* subject : {"a", "b", "c"}) {
        finding.subject = subject;
        finding.about.project_id = "project";
        ASSERT_TRUE(alerts.raise(acme_, finding, kNow + 1));
    }
    expect_true_counts(*db_, "raised again");
    EXPECT_EQ(alerts.list({acme_, "project", false, {}})->total, 3);
    run("DELETE FROM alerts");
}

TEST_F(Lists, CountNothingThatIsRolledBack) {
    backup(acme_, "one");
    {
        auto transaction = sql::Transaction::begin(*db_);
        backup(acme_, "one");
        operation(acme_, "one", Kind::backup);
    }
    expect_true_counts(*db_, "rolled back");
    EXPECT_EQ(list_backups(*db_, {acme_, "one", {}, {}, {}, 20, 0})->total, 1);
}

TEST_F(Lists, SayAsManyAsTheyHave) {
    for (const char* status : {"pending", "completed", "partial", "partial", "failed", "deleting"}) {
        for (const char* trigger : {"manual", "scheduled", "pre_restore"}) backup(acme_, "one", status, trigger);
        snapshot("one", status);
        snapshot("one", status, "manual");
        backup(acme_, "two", status);
        backup(other_, "one", status);
    }
    run("UPDATE backups SET verified_at = 5 WHERE status = 'completed'");
    run("UPDATE snapshots SET database_file = 'f' WHERE status = 'partial' AND trigger_kind = 'pre_deploy'");
    run("UPDATE backups SET scope = 'base' WHERE status = 'failed' AND trigger_kind = 'scheduled'");
    run("INSERT INTO copies SELECT id, 'd', 'db', 'verified', '', '', 0, '', '', 1 FROM backups WHERE status = "
        "'partial' "
        "AND trigger_kind = 'manual'");
    std::int64_t seen = 0;
    for (const std::optional<std::string>& status :
         {std::optional<std::string>(), std::optional<std::string>("completed"), std::optional<std::string>("failed"),
          std::optional<std::string>("pending"), std::optional<std::string>("cancelled")}) {
        for (const std::optional<std::string>& type :
             {std::optional<std::string>(), std::optional<std::string>("manual"),
              std::optional<std::string>("scheduled"), std::optional<std::string>("pre_deploy")}) {
            for (const std::optional<bool> verified :
                 {std::optional<bool>(), std::optional(true), std::optional(false)}) {
                const auto page = list_public(*db_, {acme_, "one", status, type, verified, 100, 0}).value();
                EXPECT_EQ(page.total, static_cast<std::int64_t>(page.rows.size()))
                    << status.value_or("-") << " " << type.value_or("-");
                seen += page.total;
            }
        }
        const auto page = list_backups(*db_, {acme_, {}, "project", status, {}, 100, 0}).value();
        EXPECT_EQ(page.total, static_cast<std::int64_t>(page.rows.size()));
        const auto taken = list_snapshots(*db_, {acme_, "one", {}, status, {}, 100, 0}).value();
        EXPECT_EQ(taken.total, static_cast<std::int64_t>(taken.rows.size()));
        seen += page.total + taken.total;
    }
    EXPECT_GT(seen, 100);
    EXPECT_TRUE(list_backups(*db_, {acme_, "one", {}, {}, {}, 20, 1000})->rows.empty());
}

TEST(ListCounts, AreFilledFromWhatAnOlderStoreHolds) {
    const testing::TempDir folder;
    const std::string path = testing::test_store(folder.path());
    {
        auto old = sql::Database::open(path).value();
        auto transaction = sql::Transaction::begin(old).value();
        ASSERT_TRUE(store::make_schema(transaction, 19));
        for (const char* sql :
             {"INSERT INTO organizations VALUES ('o', 'o', 'O', 1, 1, NULL)",
              "INSERT INTO audit (organization_id, at, actor, action, object_id) VALUES ('o', 1, 'a', 'x', ''), ('o', "
              "2, "
              "'a', 'x', ''), ('p', 2, 'a', 'y', '')",
              "INSERT INTO backups (id, organization_id, environment_id, agent_id, scope, trigger_kind, status, "
              "created_at, deleted_at, performed_by) VALUES ('1', 'o', 'e', 'a', 'db', 'manual', 'failed', 1, NULL, "
              "''), "
              "('2', 'o', NULL, 'a', 'db', 'manual', 'failed', 1, NULL, ''), ('3', 'o', 'e', 'a', 'db', 'manual', "
              "'deleted', 1, 2, '')",
              "INSERT INTO snapshots (id, organization_id, agent_id, trigger_kind, status, failure_policy, created_at, "
              "performed_by) VALUES ('4', 'o', 'a', 'manual', 'failed', 'warn', 1, '')",
              "INSERT INTO operations (id, kind, organization_id, job_id, plan, phase, status, performed_by, "
              "created_at) "
              "VALUES ('1', 'backup', 'o', '', '{}', 'ended', 'failed', '', 1)",
              "INSERT INTO alerts (id, organization_id, type, subject, severity, title, message, reason, occurrences, "
              "first_occurred_at, last_occurred_at, read_at, created_at) VALUES ('5', 'o', 't', 's', 'info', '', '', "
              "'', "
              "1, 1, 1, 2, 1)"}) {
            const auto done = old.run(sql);
            ASSERT_TRUE(done) << sql << ": " << done.error().message();
        }
        ASSERT_TRUE(transaction.commit());
    }
    ASSERT_TRUE(store::prepare_store(path));
    auto db = store::open_store(path).value();
    expect_true_counts(db, "the migration");
    EXPECT_EQ(list_backups(db, {"o", {}, {}, {}, {}, 20, 0})->total, 2);
}

// Explains each question before it is asked.
class Explaining final : public sql::Driver {
public:
    Explaining(std::unique_ptr<sql::Driver> driver, std::vector<std::string>& plans)
        : driver_(std::move(driver)), plans_(plans) {}
    sql::Dialect dialect() const override { return driver_->dialect(); }
    Result<std::unique_ptr<sql::Cursor>> query(std::string_view sql, std::span<const sql::Value> values) override {
        const bool sqlite = dialect() == sql::Dialect::sqlite;
        const std::string explain = sqlite ? "EXPLAIN QUERY PLAN " : "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) ";
        auto rows = TRY(driver_->query(explain + std::string(sql), values));
        std::string plan;
        while (TRY(rows->step())) {
            // SQLite: a step's number, that of the step it belongs to, and what it does.
            plan += sqlite ? fmt::format("in {}: {}\n", rows->integer(1), rows->text(3)) : rows->text(0) + "\n";
        }
        plans_.push_back(std::string(sql) + "\n" + plan);
        return driver_->query(sql, values);
    }
    Result<std::int64_t> run(std::string_view sql, std::span<const sql::Value> values) override {
        return driver_->run(sql, values);
    }
    Result<> run_script(const std::string& sql) override { return driver_->run_script(sql); }
    bool in_transaction() const override { return driver_->in_transaction(); }
    bool transaction_failed() const override { return driver_->transaction_failed(); }
    Result<> begin(std::string_view partition) override { return driver_->begin(partition); }
    Result<> begin_snapshot() override { return driver_->begin_snapshot(); }
    Result<> commit() override { return driver_->commit(); }
    Result<> roll_back() override { return driver_->roll_back(); }
    Result<bool> hold(std::string_view duty) override { return driver_->hold(duty); }
    Result<std::unique_ptr<sql::Inflow>> inflow(const std::string& table,
                                                std::span<const std::string> columns) override {
        return driver_->inflow(table, columns);
    }
    Result<> let_go(std::string_view duty) override { return driver_->let_go(duty); }

private:
    std::unique_ptr<sql::Driver> driver_;
    std::vector<std::string>& plans_;
};

constexpr int kRows = 20'000;
constexpr int kReadMost = 400;  // by any step of a plan: a page, and counts of some environments

// Why a plan does more than its page asks for; empty: it does not.
std::string fault_of_sqlite(const std::string& plan) {
    static const std::regex whole("SCAN (backups|snapshots|operations|audit|alerts)");
    // In 0 it is the page itself that is sorted.
    static const std::regex sorted("in ([1-9][0-9]*): SEARCH .*\n(in \\1: .*\n)*in \\1: USE TEMP B-TREE");
    if (std::regex_search(plan, whole)) return "it walks a whole table";
    return std::regex_search(plan, sorted) ? "it sorts more than the page" : "";
}

std::string fault_of_postgres(const std::string& plan) {
    static const std::regex read("rows=([0-9.]+) loops=([0-9]+)|Removed by Filter: ([0-9]+)");
    for (std::sregex_iterator at(plan.begin(), plan.end(), read), end; at != end; ++at) {
        const double rows = (*at)[3].matched ? std::stod((*at)[3]) : std::stod((*at)[1]) * std::stod((*at)[2]);
        if (rows > kReadMost) return "a step reads " + at->str();
    }
    return "";
}

class Plans : public Lists {
protected:
    void SetUp() override {
        Lists::SetUp();
        const std::string first =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " + std::to_string(kRows) + ") ";
        const std::string id = "'id' || i, '" + acme_ + "', ";
        const std::string environment = "CASE WHEN i % 2 = 0 THEN 'one' ELSE 'two' END";
        for (const std::string& sql :
             {"INSERT INTO backups (id, organization_id, project_id, environment_id, agent_id, scope, trigger_kind, "
              "status, created_at, performed_by) " +
                  first + "SELECT " + id + "'project', " + environment +
                  ", 'a', 'db', 'manual', CASE WHEN i = 77 THEN 'failed' ELSE 'completed' END, i, '' FROM n",
              "INSERT INTO operations (id, organization_id, environment_id, kind, job_id, plan, phase, status, "
              "performed_by, created_at) " +
                  first + "SELECT " + id + environment +
                  ", CASE WHEN i = 77 THEN 'undo' ELSE 'backup' END, '', '{}', 'ended', 'failed', '', i FROM n",
              "INSERT INTO audit (organization_id, at, actor, action, object_id) " + first + "SELECT '" + acme_ +
                  "', i, 'a', CASE WHEN i = 77 THEN 'x.rare' WHEN i = 78 THEN 'x.other' ELSE 'often' END, 'o' || i "
                  "FROM n",
              "INSERT INTO alerts (id, organization_id, type, subject, severity, title, message, reason, occurrences, "
              "first_occurred_at, last_occurred_at, resolved_at, dismissed_at, created_at) " +
                  first + "SELECT " + id +
                  "'t', 's', 'info', '', '', '', 1, i, i, i, CASE WHEN i = 77 THEN NULL ELSE i END, i FROM n"}) {
            const auto done = db_->run(sql);
            ASSERT_TRUE(done) << done.error().message();
        }
        ASSERT_TRUE(db_->run_script(testing::on_postgres() ? "VACUUM ANALYZE" : ""));
        auto driver = testing::on_postgres() ? sql::open_postgres(path_, {}) : sql::open_sqlite(path_, {});
        ASSERT_TRUE(driver) << driver.error().message();
        explained_.emplace(std::make_unique<Explaining>(std::move(*driver), plans_));
    }
    // What a list asked for its page and its total, held against that; and it stays on its index.
    void expect_lean(const std::string& what, const std::string& index, std::int64_t total, std::int64_t expected) {
        EXPECT_EQ(total, expected) << what;
        EXPECT_THAT(plans_, Contains(HasSubstr(" " + index + " "))) << what;
        for (const std::string& plan : plans_) {
            EXPECT_EQ(testing::on_postgres() ? fault_of_postgres(plan) : fault_of_sqlite(plan), "") << what << plan;
        }
        plans_.clear();
    }
    std::int64_t audit_total(const std::string& action, const std::string& object) {
        store::AuditFilter filter = trail_of(acme_);
        filter.action = action;
        filter.object_id = object;
        return store::Audit(*explained_).list(filter, {50, 0}).value().total;
    }

    std::vector<std::string> plans_;
    std::optional<sql::Database> explained_;
};

TEST_F(Plans, OfListsReadNoMoreThanTheirPage) {
    sql::Database& db = *explained_;
    const auto backups = [&](BackupFilter filter) {
        filter.organization_id = acme_;
        filter.limit = 50;
        return list_backups(db, filter).value().total;
    };
    const auto operations = [&](OperationFilter filter) {
        filter.organization_id = acme_;
        return list_operations(db, filter).value().total;
    };
    expect_lean("an environment's", "backups_listed", backups({"", "one", {}, {}, {}, 0, 0}), kRows / 2);
    expect_lean("a project's", "backups_of_project", backups({"", {}, "project", {}, {}, 0, 0}), kRows);
    expect_lean("a project's that failed", "backups_of_project_by_status",
                backups({"", {}, "project", "failed", {}, 0, 0}), 1);
    expect_lean("operations", "operations_of_organization", operations({}), kRows);
    expect_lean("an environment's operations", "operations_of_environment", operations({"", "one", {}, {}, {}}),
                kRows / 2);
    expect_lean("operations of a kind", "operations_of_kind", operations({"", {}, {}, "backup", {}}), kRows - 1);
    expect_lean("operations of a rare kind", "operations_of_kind", operations({"", {}, {}, "undo", {}}), 1);
    // PostgreSQL knows that nearly all of it is of one organization and one action: it may walk the key.
    const bool knows = testing::on_postgres();
    expect_lean("the trail", knows ? "audit" : "audit_organization", audit_total("", ""), kRows);
    expect_lean("of an action", knows ? "audit" : "audit_of_action", audit_total("often", ""), kRows - 2);
    expect_lean("of a rare one", "audit_of_action", audit_total("x.rare", ""), 1);
    expect_lean("of a group", "audit_of_action", audit_total("x", ""), 2);
    expect_lean("of an object", "audit_of_object", audit_total("", "o500"), 1);
    expect_lean("alerts", "alerts_listed", alerts::Alerts(db).list({acme_, "", true, {}})->total, kRows);
    expect_lean("alerts to look at", "alerts_active", alerts::Alerts(db).list({acme_, "", false, {}})->total, 1);
    expect_lean("how many", "alert_counts", alerts::Alerts(db).count(acme_, "")->undismissed, 1);
    expect_lean("the public API's", "backups_listed", list_public(db, {acme_, "one", {}, {}, {}, 20, 0})->total,
                kRows / 2);
}

TEST_F(Plans, OfDeepPagesPassOverTheIndexOnly) {
    BackupFilter filter{acme_, "one", {}, {}, {}, 50, 5000};
    const auto page = list_backups(*explained_, filter).value();
    EXPECT_EQ(page.rows.size(), 50U);
    EXPECT_EQ(page.rows.front().created_at, kRows - 2 * 5000);
    EXPECT_THAT(plans_, Contains(testing::on_postgres() ? HasSubstr("Index Only Scan") : HasSubstr("COVERING INDEX")));
}

}  // namespace
}  // namespace backstay::operations
