#include <sys/stat.h>

#include "agent/jobs/restore/swap.h"
#include "common/domain/reasons.h"
#include "tests/unit/agent/jobs/restore/sample.h"

namespace backstay {
namespace {

using testing::PrivatePostgres;
using testing::RestoreRun;
using testing::Sample;

class Restore : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        sample_ = std::make_unique<Sample>();
        backup_ = sample_->back_up("source");
    }
    static void TearDownTestSuite() { sample_.reset(); }

    // A target of the test's own, different from the source.
    static std::string make_target(const std::string& name) {
        sample_->make_source(name, "odoo_staging", 3);
        return sample_->fingerprint(name);
    }

    static std::unique_ptr<Sample> sample_;
    static std::string backup_;
};

std::unique_ptr<Sample> Restore::sample_;
std::string Restore::backup_;

TEST_F(Restore, MakesADatabaseThatWasNotThere) {
    RestoreRun run(*sample_, sample_->order(backup_, "fresh"));
    ASSERT_TRUE(run.outcome) << run.complaint();
    EXPECT_EQ(sample_->fingerprint("fresh"), sample_->fingerprint("source"));
    EXPECT_EQ(run.journal.verdict().status, "green") << run.complaint();
    EXPECT_EQ(sample_->leftovers("fresh"), "");
    EXPECT_EQ(run.outcome->previous_database, "");
    EXPECT_EQ(sample_->postgres.ask("fresh", "SELECT count(*) FROM pg_indexes WHERE indexname = 'partner_name'"), "1");
    EXPECT_FALSE(std::filesystem::exists(sample_->filestore("fresh") + "/checklist"));
}

TEST_F(Restore, ReplacesATargetAndKeepsThePreviousPair) {
    const std::string before = make_target("replaced");
    sample_->postgres.exec("postgres",
                           "ALTER DATABASE replaced SET work_mem = '7MB';"
                           "ALTER DATABASE replaced CONNECTION LIMIT 33;"
                           "GRANT CONNECT ON DATABASE replaced TO reporting");
    RestoreRun run(*sample_, sample_->order(backup_, "replaced"));
    ASSERT_TRUE(run.outcome) << run.complaint();
    EXPECT_EQ(run.journal.verdict().status, "green") << run.complaint();
    EXPECT_EQ(sample_->fingerprint("replaced"), sample_->fingerprint("source"));
    EXPECT_NE(run.outcome->previous_database, "");
    EXPECT_TRUE(std::filesystem::is_directory(sample_->folder.path() + "/filestore/" + run.outcome->previous_database));
    // Settings of the database stay, its objects belong to its owner, rights are granted again.
    EXPECT_EQ(sample_->postgres.ask("replaced", "SHOW work_mem"), "7MB");
    EXPECT_EQ(sample_->postgres.ask("replaced", "SELECT datconnlimit FROM pg_database WHERE datname = 'replaced'"),
              "33");
    EXPECT_EQ(sample_->postgres.ask("replaced",
                                    "SELECT string_agg(DISTINCT tableowner, ' ') FROM pg_tables WHERE "
                                    "schemaname = 'public'"),
              "odoo_staging");
    EXPECT_EQ(sample_->postgres.ask("replaced", "SELECT has_table_privilege('reporting', 'res_partner', 'SELECT')"),
              "t");
    EXPECT_EQ(sample_->postgres.ask("replaced", "SELECT has_column_privilege('reporting', 'ir_cron', 'id', 'SELECT')"),
              "t");
    EXPECT_EQ(sample_->postgres.ask("replaced", "SELECT has_database_privilege('reporting', 'replaced', 'CONNECT')"),
              "t");
    EXPECT_EQ(sample_->postgres.ask("replaced",
                                    "SELECT count(*) FROM pg_default_acl WHERE defaclrole = "
                                    "'odoo_staging'::regrole"),
              "1");

    // The instant way back, and then the end of what was kept.
    testing::RestoreRun* finished = &run;
    RememberingJournal journal;
    ProgressMeter progress(sample_->clock, "restore", "undo", "");
    Steps steps(journal, progress, sample_->clock, {});
    const auto undone = undo_restore("r", finished->journal.notes(), sample_->host(), steps);
    ASSERT_TRUE(undone) << undone.error().message();
    EXPECT_EQ(journal.verdict().status, "green");
    EXPECT_EQ(sample_->fingerprint("replaced"), before);
    ASSERT_TRUE(previous_kept_until(run.journal.notes()).has_value());
    ASSERT_TRUE(drop_previous(run.journal.notes(), sample_->host()));
    EXPECT_EQ(sample_->leftovers("replaced"), "");
    EXPECT_EQ(sample_->fingerprint("replaced"), before);
}

TEST_F(Restore, ReadsADumpOfTheDirectoryFormat) {
    const std::string backup = sample_->back_up("source", true);
    RestoreRun run(*sample_, sample_->order(backup, "from_directory"));
    ASSERT_TRUE(run.outcome) << run.complaint();
    EXPECT_EQ(sample_->fingerprint("from_directory"), sample_->fingerprint("source"));
}

TEST_F(Restore, NeutralizesByTheBuiltInListAndRenewsTheUuid) {
    RestoreOrder order = sample_->order(backup_, "neutral");
    order.neutralize = true;
    order.new_uuid = true;
    RestoreRun run(*sample_, order);
    ASSERT_TRUE(run.outcome) << run.complaint();
    EXPECT_EQ(run.journal.verdict().status, "green") << run.complaint();
    const auto ask = [](const std::string& sql) { return sample_->postgres.ask("neutral", sql); };
    EXPECT_EQ(ask("SELECT string_agg(name, ',') FROM ir_cron WHERE active"), "Vacuum");
    EXPECT_EQ(ask("SELECT string_agg(smtp_host, ',') FROM ir_mail_server WHERE active"), "invalid");
    EXPECT_EQ(ask("SELECT count(*) FROM payment_provider WHERE state = 'enabled'"), "0");
    EXPECT_NE(ask("SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'"),
              "c0ffee00-0000-4000-8000-000000000001");
    EXPECT_NE(ask("SELECT value FROM ir_config_parameter WHERE key = 'database.secret'"), "source secret");
    EXPECT_NE(run.journal.find(step::kNeutralize)->summary.find("built-in list"), std::string::npos);
}

TEST_F(Restore, NeutralizesByTheHostsOwnSqlAndAssertsTheResult) {
    const std::string addons = sample_->folder.path() + "/addons";
    testing::shell("mkdir -p " + addons + "/base/data " + addons + "/mail/data");
    std::ofstream(addons + "/base/data/neutralize.sql")
        << "UPDATE ir_cron SET active = false WHERE id <> 1;\n"
           "UPDATE ir_mail_server SET active = false;\n"
           "INSERT INTO ir_config_parameter (key, value) VALUES ('database.is_neutralized', 'true');\n";
    std::ofstream(addons + "/mail/data/neutralize.sql") << "SELECT 1;\n";
    const std::string own = sample_->folder.path() + "/own.sql";
    std::ofstream(own) << "UPDATE payment_provider SET state = 'disabled';\n";
    OdooConfig odoo;
    odoo.addons_paths = {addons};
    RestoreOrder order = sample_->order(backup_, "by_addons");
    order.neutralize = true;
    sample_->config.odoo = {odoo};
    RestoreRun lacking(*sample_, order);
    ASSERT_FALSE(lacking.outcome);
    EXPECT_EQ(lacking.outcome.error().reason(), reason::kNeutralizeFailed) << lacking.complaint();
    EXPECT_EQ(sample_->leftovers("by_addons"), "");
    sample_->config.odoo[0].neutralize_sql = {own};
    RestoreRun run(*sample_, order);
    sample_->config.odoo.clear();
    ASSERT_TRUE(run.outcome) << run.complaint();
    EXPECT_EQ(run.journal.find(step::kNeutralize)->facts.at("modules"), "base mail");
}

TEST_F(Restore, RestoresFilesAloneWithoutLosingNewerOnes) {
    make_target("files");
    const std::string newer = sample_->add_file("files", "written after the backup");
    const std::string lost =
        sample_->postgres.ask("files", "SELECT store_fname FROM ir_attachment ORDER BY id LIMIT 1");
    const std::string backup = sample_->back_up("files");
    std::filesystem::remove(sample_->filestore("files") + "/" + lost);
    const std::string newest = sample_->add_file("files", "written after the second backup");
    RestoreOrder order = sample_->order(backup, "files");
    order.scope = "filestore";
    RestoreRun run(*sample_, order);
    ASSERT_TRUE(run.outcome) << run.complaint();
    EXPECT_EQ(run.journal.verdict().status, "green") << run.complaint();
    for (const std::string& name : {newer, lost, newest}) {
        EXPECT_TRUE(std::filesystem::exists(sample_->filestore("files") + "/" + name)) << name;
    }
}

TEST_F(Restore, RestoresTheDatabaseAloneAndLeavesTheFiles) {
    make_target("rows");
    const std::string files = testing::shell("ls -i -R " + sample_->filestore("rows"));
    RestoreOrder order = sample_->order(backup_, "rows");
    order.scope = "db";
    RestoreRun run(*sample_, order);
    ASSERT_TRUE(run.outcome) << run.complaint();
    EXPECT_EQ(sample_->postgres.ask("rows", "SELECT count(*) FROM res_partner"), "500");
    EXPECT_EQ(testing::shell("ls -i -R " + sample_->filestore("rows")), files);
}

TEST_F(Restore, MakesTheSafetyBackupFirstAndStopsWhenItFails) {
    const std::string before = make_target("safe");
    RestoreOrder order = sample_->order(backup_, "safe");
    order.safety_backup = BackupOrder{};
    order.safety_backup->backup_id = new_uuid();
    RestoreRun failing(*sample_, order, {}, [](const BackupOrder&) -> Result<BackupOutcome> {
        return Error(Errc::exhausted, "the destination is full").with_reason(reason::kDestinationFull);
    });
    ASSERT_FALSE(failing.outcome);
    EXPECT_EQ(failing.outcome.error().reason(), reason::kSafetyCopyFailed);
    EXPECT_EQ(sample_->fingerprint("safe"), before);
    EXPECT_EQ(sample_->leftovers("safe"), "");
    RestoreRun run(*sample_, order);
    ASSERT_TRUE(run.outcome) << run.complaint();
    EXPECT_EQ(run.outcome->safety_backup_id, order.safety_backup->backup_id);
    EXPECT_EQ(run.journal.verdict().status, "green") << run.complaint();
}

TEST_F(Restore, StopsAndStartsTheServiceAndGoesBackWhenItIsNotHealthy) {
    const std::string before = make_target("served");
    const std::string log = sample_->folder.path() + "/service.log";
    OdooConfig odoo;
    odoo.database = "served";
    odoo.stop_command = {"/bin/sh", "-c", "echo stop >> " + log};
    odoo.start_command = {"/bin/sh", "-c", "echo start >> " + log};
    sample_->config.odoo = {odoo};
    RestoreRun run(*sample_, sample_->order(backup_, "served"));
    ASSERT_TRUE(run.outcome) << run.complaint();
    EXPECT_EQ(testing::shell("cat " + log), "stop\nstart\n");
    EXPECT_EQ(run.journal.verdict().status, "green") << run.complaint();
    ASSERT_TRUE(drop_previous(run.journal.notes(), sample_->host()));
    const std::string restored = sample_->fingerprint("served");

    sample_->config.odoo[0].start_command = {"/bin/sh", "-c", "echo start >> " + log + "; test -e " + log + ".ok"};
    sample_->postgres.exec("served", "INSERT INTO res_partner (name) VALUES ('since')");
    const std::string since = sample_->fingerprint("served");
    RestoreRun failing(*sample_, sample_->order(backup_, "served"));
    sample_->config.odoo.clear();
    ASSERT_FALSE(failing.outcome);
    EXPECT_EQ(failing.outcome.error().facts().at("reverted"), "true") << failing.complaint();
    EXPECT_EQ(sample_->fingerprint("served"), since);
    EXPECT_NE(since, restored);
    EXPECT_NE(since, before);
    EXPECT_EQ(sample_->leftovers("served"), "");
}

TEST_F(Restore, IsNotGreenWhenProductionGetsANeutralizedCopy) {
    const std::string other = sample_->folder.path() + "/neutral-store";
    testing::shell(fmt::format("cp -r {} {}", sample_->destination_folder(), other));
    Manifest manifest = sample_->manifests.at(backup_);
    manifest.is_neutralized = true;
    std::ofstream(other + "/" + backup_ + "/manifest.json") << write_manifest(manifest);
    RestoreOrder order = sample_->order(backup_, "live");
    order.destinations = {sample_->destination(other)};
    order.target.type = "production";
    RestoreRun run(*sample_, order);
    ASSERT_TRUE(run.outcome) << run.complaint();
    const RecoveryEvidence verdict = run.journal.verdict();
    EXPECT_EQ(verdict.status, "amber");
    ASSERT_EQ(verdict.why_not_green.size(), 1U) << run.complaint();
    EXPECT_TRUE(verdict.why_not_green[0].starts_with("source_neutralized: ")) << verdict.why_not_green[0];
}

TEST_F(Restore, EndsSessionsThatAreOpenOnTheTarget) {
    make_target("busy");
    auto session = sample_->postgres.connect("busy", "odoo_staging");
    RestoreRun run(*sample_, sample_->order(backup_, "busy"));
    ASSERT_TRUE(run.outcome) << run.complaint();
    EXPECT_FALSE(session.query("SELECT 1"));
    EXPECT_EQ(sample_->postgres.ask("busy", "SELECT count(*) FROM res_partner"), "500");
}

TEST_F(Restore, IsInvisibleToOdooUntilItIsInPlace) {
    make_target("hidden");
    // What Odoo itself asks for its list of databases, as its own role, when the new pair is complete.
    const std::string seen = sample_->folder.path() + "/seen";
    const std::string sql =
        "SELECT datname FROM pg_database WHERE datdba = (SELECT usesysid FROM pg_user WHERE usename = current_user) "
        "AND NOT datistemplate AND datallowconn AND datname LIKE 'hidden%'";
    const std::string all = "SELECT count(*) FROM pg_database WHERE datname LIKE 'hidden%'";
    const PrivatePostgres& server = sample_->postgres;
    const std::string psql =
        fmt::format("{}/psql -X -h {} -p {} -d hidden -At -c", server.bin(), server.host(), server.port());
    OdooConfig odoo;
    odoo.database = "hidden";
    odoo.stop_command = {
        "/bin/sh", "-c",
        fmt::format("{0} \"{1}\" -U odoo_staging > {3}; {0} \"{2}\" -U odoo_staging >> {3}", psql, sql, all, seen)};
    odoo.start_command = {"/bin/true"};
    sample_->config.odoo = {odoo};
    RestoreRun run(*sample_, sample_->order(backup_, "hidden"));
    sample_->config.odoo.clear();
    ASSERT_TRUE(run.outcome) << run.complaint();
    EXPECT_EQ(testing::shell("cat " + seen), "hidden\n2\n");
}

}  // namespace
}  // namespace backstay
