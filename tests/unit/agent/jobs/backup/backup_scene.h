// A small Odoo on a private PostgreSQL, with files, and a host that backs it up into folders.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "agent/jobs/jobs.h"
#include "common/crypto/digest.h"
#include "common/domain/reasons.h"
#include "common/files/files.h"
#include "tests/support/private_postgres.h"
#include "tests/support/remembering_journal.h"
#include "tests/support/temp_dir.h"

namespace backstay::testing {

inline constexpr const char* kFirst = "11111111-1111-4111-8111-111111111111";
inline constexpr const char* kSecond = "22222222-2222-4222-8222-222222222222";

class BackupScene : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        if (server_) return;
        // One server for all suites of this program; it goes at its end.
        server_ = std::make_unique<PrivatePostgres>();
    }

    void SetUp() override {
        database_ = "odoo_" + std::to_string(++number_);
        filestore_ = folder_.path() + "/filestore";
        std::filesystem::create_directories(filestore_);
        server_->exec("postgres", "CREATE DATABASE " + database_ + " TEMPLATE template0 ENCODING 'UTF8'");
        server_->exec(database_, R"(
CREATE TABLE ir_module_module (id serial PRIMARY KEY, name varchar UNIQUE, state varchar, latest_version varchar);
INSERT INTO ir_module_module (name, state, latest_version) VALUES ('base', 'installed', '17.0.1.3'),
  ('mail', 'installed', '17.0.1.0'), ('sale', 'to upgrade', '17.0.1.2');
CREATE TABLE ir_config_parameter (id serial PRIMARY KEY, key varchar UNIQUE, value text);
INSERT INTO ir_config_parameter (key, value) VALUES ('database.uuid', 'a5f0a2c8-0000-4000-8000-000000000001');
CREATE TABLE ir_attachment (id serial PRIMARY KEY, name varchar, res_model varchar, res_id integer, type varchar,
  store_fname varchar, file_size integer, checksum varchar(40));
CREATE TABLE sale_order (id serial PRIMARY KEY, name text, note text);
INSERT INTO sale_order (name, note) SELECT 'S' || i, E'line\n\t' || repeat(md5(i::text), 4) FROM generate_series(1, 3000) i;
CREATE INDEX ON sale_order (name);
CREATE TABLE empty_one (id integer);)");
        for (int i = 0; i < 300; ++i)
            attach(std::string(static_cast<std::size_t>(i) * 13 + 1, 'x') + std::to_string(i));
        config_.state_dir = folder_.path() + "/state";
        config_.local_roots = {folder_.path()};
        config_.clusters = {server_->cluster()};
        config_.limits.nice = 0;
        config_.limits.idle_io = false;
        order_.backup_id = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
        order_.scope = "full";
        order_.trigger = "manual";
        order_.created_at = {1'767'323'045'000};
        order_.environment.organization_id = "org";
        order_.environment.project_id = "project";
        order_.environment.environment_id = "env";
        order_.environment.name = "Production";
        order_.environment.type = "production";
        order_.environment.database = database_;
        order_.environment.filestore = filestore_;
        order_.destinations = {local(kFirst, "one")};
        std::filesystem::create_directories(folder_.path() + "/one");
        std::filesystem::create_directories(folder_.path() + "/two");
    }

    void TearDown() override { server_->exec("postgres", "DROP DATABASE IF EXISTS " + database_ + " WITH (FORCE)"); }

    DestinationOrder local(const std::string& id, const std::string& name) const {
        DestinationOrder destination;
        destination.id = id;
        destination.name = name;
        destination.type = "local";
        destination.config["path"] = folder_.path() + "/" + name;
        destination.config["minFreeBytes"] = 0;
        return destination;
    }

    // Stores a file and its row as Odoo does; answers store_fname.
    std::string attach(const std::string& content) {
        const std::string sha1 = digest_hex(DigestKind::sha1, as_bytes(content));
        const std::string name = sha1.substr(0, 2) + "/" + sha1;
        std::filesystem::create_directories(filestore_ + "/" + sha1.substr(0, 2));
        std::ofstream(filestore_ + "/" + name, std::ios::binary) << content;
        rows_ += (rows_.empty() ? "" : ", ") + ("('file', 'sale.order', 7, 'binary', '" + name + "', " +
                                                std::to_string(content.size()) + ", '" + sha1 + "')");
        return name;
    }

    Result<BackupOutcome> back_up() {
        if (!rows_.empty()) {
            server_->exec(database_,
                          "INSERT INTO ir_attachment (name, res_model, res_id, type, store_fname, file_size, "
                          "checksum) VALUES " +
                              rows_);
            rows_.clear();
        }
        journal_ = std::make_unique<RememberingJournal>();
        journal_->on_copy = on_copy_;
        journal_->on_record = on_record_;
        meter_ = std::make_unique<ProgressMeter>(clock_, "backup", order_.backup_id, "env");
        Steps steps(*journal_, *meter_, clock_, stop_.get_token());
        return run_backup(order_, host_, steps);
    }

    // Runs `change` when the step begins.
    void when_begins(std::string_view step, const std::function<void()>& change) {
        on_record_ = [step, change](const StepRecord& record) {
            if (record.name == step && record.status == StepStatus::running) change();
        };
    }

    RecoveryEvidence verdict() const { return journal_->verdict(); }
    std::string reason() const { return verdict().reason; }

    std::string stored(const std::string& place, const std::string& file = "") const {
        return folder_.path() + "/" + place + "/v1/org/project/env/backups/2026/01/02/" + order_.backup_id +
               (file.empty() ? "" : "/" + file);
    }
    // Regular files anywhere below a destination.
    std::vector<std::string> files_in(const std::string& place) const {
        std::vector<std::string> files;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path() + "/" + place)) {
            if (entry.is_regular_file()) files.push_back(entry.path().string());
        }
        return files;
    }
    bool scratch_is_empty() const {
        const std::string scratch = config_.state_dir + "/scratch";
        return !std::filesystem::exists(scratch) || std::filesystem::is_empty(scratch);
    }

    static std::unique_ptr<PrivatePostgres> server_;
    static int number_;
    TempDir folder_;
    std::string database_;
    std::string filestore_;
    std::string rows_;
    AgentConfig config_;
    SystemClock clock_;
    std::atomic<std::uint64_t> rate_ = 0;
    JobHost host_{config_, "agent-1", "0.1", clock_, rate_};
    BackupOrder order_;
    // Called with each record of the next backups, while they run.
    std::function<void(const StepRecord&)> on_record_;
    std::stop_source stop_;
    std::function<void(const CopyRecord&)> on_copy_;
    std::unique_ptr<RememberingJournal> journal_;
    std::unique_ptr<ProgressMeter> meter_;
};

}  // namespace backstay::testing
