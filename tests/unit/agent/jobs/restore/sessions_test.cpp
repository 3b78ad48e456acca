// Sessions that stand in the way of a swap: of roles that may be ended, of the server itself, of superusers.
#include <signal.h>

#include <thread>

#include "agent/jobs/restore/swap.h"
#include "common/domain/reasons.h"
#include "tests/unit/agent/jobs/restore/sample.h"

namespace backstay {
namespace {

using restore::SwapRecord;
using testing::RestoreRun;
using testing::Sample;

// Polls until `sql` answers `wanted`.
bool comes_true(const Sample& sample, const std::string& sql, const std::string& wanted) {
    const std::int64_t deadline = steady_ms() + 30'000;
    while (steady_ms() < deadline) {
        if (sample.postgres.ask("postgres", sql) == wanted) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
}

class Sessions : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        sample_ = std::make_unique<Sample>();
        backup_ = sample_->back_up("source");
        // What a host without superuser rights gives the agent.
        sample_->postgres.exec("postgres", "CREATE ROLE keeper LOGIN CREATEDB; GRANT odoo_staging TO keeper");
    }
    static void TearDownTestSuite() { sample_.reset(); }

    // `name` in use and another beside it, both the keeper's to swap.
    static SwapRecord two_databases(const std::string& name) {
        for (const std::string& database : {name, name + "_side"}) {
            sample_->postgres.exec("postgres", fmt::format("CREATE DATABASE {} OWNER odoo_staging", database));
        }
        SwapRecord record;
        record.cluster = "main";
        record.database = name;
        record.side_database = name + "_side";
        record.previous_database = name + "_previous";
        record.owner = "odoo_staging";
        return record;
    }
    static Result<> swap(SwapRecord& record) {
        auto cluster = sample_->postgres.connect("postgres", "keeper");
        TRY(restore::identify(record, cluster));
        return restore::swap_in(record, cluster, [](const std::string&, const std::string&) { return Result<>(); });
    }
    static std::string allows(const std::string& database) {
        return sample_->postgres.ask(
            "postgres", fmt::format("SELECT datallowconn FROM pg_database WHERE datname = '{}'", database));
    }

    static std::unique_ptr<Sample> sample_;
    static std::string backup_;
};

std::unique_ptr<Sample> Sessions::sample_;
std::string Sessions::backup_;

TEST_F(Sessions, OfOdooAreEndedWithoutSuperuserRights) {
    SwapRecord record = two_databases("plain");
    auto session = sample_->postgres.connect("plain", "odoo_staging");
    const auto swapped = swap(record);
    ASSERT_TRUE(swapped) << swapped.error().message();
    EXPECT_FALSE(session.query("SELECT 1"));
    EXPECT_EQ(allows("plain"), "t");
}

TEST_F(Sessions, OfTheServerGiveWay) {
    SwapRecord record = two_databases("vacuumed");
    sample_->postgres.exec("vacuumed",
                           "CREATE TABLE big AS SELECT i, repeat('x', 200) AS x FROM generate_series(1, 60000) i;"
                           "ALTER TABLE big SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0,"
                           "autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)");
    sample_->postgres.exec("vacuumed", "DELETE FROM big WHERE i % 2 = 0");
    sample_->postgres.exec("postgres", "ALTER SYSTEM SET autovacuum_naptime = 1");
    sample_->postgres.exec("postgres", "SELECT pg_reload_conf()");
    ASSERT_TRUE(comes_true(*sample_,
                           "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND "
                           "datname = 'vacuumed'",
                           "t"));
    const auto swapped = swap(record);
    sample_->postgres.exec("postgres", "ALTER SYSTEM RESET autovacuum_naptime");
    sample_->postgres.exec("postgres", "SELECT pg_reload_conf()");
    ASSERT_TRUE(swapped) << swapped.error().message();
}

TEST_F(Sessions, OfASuperuserAreNamedWhenTheAgentIsNone) {
    SwapRecord record = two_databases("watched");
    auto session = sample_->postgres.connect("watched", "postgres");
    const auto swapped = swap(record);
    ASSERT_FALSE(swapped);
    EXPECT_EQ(swapped.error().reason(), reason::kTargetLocked);
    EXPECT_NE(swapped.error().message().find("superuser"), std::string::npos) << swapped.error().message();
    EXPECT_NE(swapped.error().message().find("postgres"), std::string::npos) << swapped.error().message();
    EXPECT_TRUE(session.query("SELECT 1"));
    EXPECT_EQ(allows("watched"), "t") << "Odoo can connect again";
}

TEST_F(Sessions, ThatDoNotEndLetARestoreBeCancelled) {
    sample_->make_source("held", "odoo_staging", 3);
    const std::string before = sample_->fingerprint("held");
    const std::string running = sample_->folder.path() + "/held.running";
    testing::shell("touch " + running);
    OdooConfig odoo;
    odoo.database = "held";
    odoo.stop_command = {"/bin/rm", running};
    odoo.start_command = {"/bin/sh", "-c", "touch " + running};
    sample_->config.odoo = {odoo};
    // A superuser's session whose process is held: no request to end reaches it.
    auto session = sample_->postgres.connect("held", "postgres");
    const pid_t backend = session.backend_pid();
    ASSERT_EQ(::kill(backend, SIGSTOP), 0);
    std::stop_source stop;
    std::optional<RestoreRun> run;
    std::thread restoring([&] { run.emplace(*sample_, sample_->order(backup_, "held"), stop.get_token()); });
    const std::string allowed = "SELECT datallowconn FROM pg_database WHERE datname = 'held'";
    EXPECT_TRUE(comes_true(*sample_, allowed, "f")) << "it waits in swap_in";
    EXPECT_FALSE(std::filesystem::exists(running));
    stop.request_stop();
    // Dropping the new database waits for every process of the server, so the held one goes on once the old is back.
    EXPECT_TRUE(comes_true(*sample_, allowed, "t"));
    EXPECT_EQ(::kill(backend, SIGCONT), 0);
    restoring.join();
    sample_->config.odoo.clear();
    ASSERT_FALSE(run->outcome);
    EXPECT_EQ(run->outcome.error().code(), Errc::cancelled) << run->complaint();
    EXPECT_EQ(run->outcome.error().facts().at("reverted"), "true") << run->complaint();
    EXPECT_EQ(allows("held"), "t");
    EXPECT_TRUE(std::filesystem::exists(running)) << "Odoo runs again";
    EXPECT_EQ(sample_->fingerprint("held"), before);
    EXPECT_EQ(sample_->leftovers("held"), "");
    EXPECT_TRUE(run->journal.notes().empty());
}

}  // namespace
}  // namespace backstay
