// A small Odoo-shaped database with a filestore, its backup made by hand with the tools that anybody has, and orders to
// restore it. One server serves all tests of a program.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "agent/jobs/jobs.h"
#include "agent/odoo/instance.h"
#include "agent/postgres/contents.h"
#include "agent/postgres/facts.h"
#include "common/crypto/digest.h"
#include "common/domain/manifest.h"
#include "common/ids.h"
#include "tests/support/private_postgres.h"
#include "tests/support/remembering_journal.h"

namespace backstay::testing {

inline constexpr const char* kSchema = R"(
CREATE EXTENSION pg_trgm; CREATE EXTENSION unaccent;
CREATE TABLE ir_module_module (id serial PRIMARY KEY, name varchar UNIQUE, state varchar, latest_version varchar);
CREATE TABLE ir_config_parameter (id serial PRIMARY KEY, key varchar UNIQUE NOT NULL, value text NOT NULL);
CREATE TABLE ir_model_data (id serial PRIMARY KEY, module varchar, name varchar, model varchar, res_id int);
CREATE TABLE ir_cron (id serial PRIMARY KEY, name varchar, active boolean);
CREATE TABLE ir_mail_server (id serial PRIMARY KEY, name varchar, smtp_host varchar, smtp_port int,
  smtp_encryption varchar, smtp_authentication varchar, active boolean);
CREATE TABLE payment_provider (id serial PRIMARY KEY, state varchar NOT NULL);
CREATE TABLE ir_attachment (id serial PRIMARY KEY, name varchar, store_fname varchar, file_size int, checksum varchar,
  res_model varchar, res_id int, url varchar, type varchar, db_datas bytea);
CREATE TABLE res_partner (id serial PRIMARY KEY, name varchar NOT NULL CHECK (name <> ''), parent_id int REFERENCES
  res_partner);
INSERT INTO ir_module_module (name, state, latest_version) VALUES ('base', 'installed', '17.0.1.3'),
  ('mail', 'installed', '17.0.1.15'), ('sale', 'uninstalled', NULL);
INSERT INTO ir_config_parameter (key, value) VALUES ('database.uuid', 'c0ffee00-0000-4000-8000-000000000001'),
  ('database.secret', 'source secret'), ('database.create_date', '2020-01-01 00:00:00');
INSERT INTO ir_cron (name, active) VALUES ('Vacuum', true), ('Send mails', true), ('Sleeping', false);
INSERT INTO ir_model_data (module, name, model, res_id) VALUES ('base', 'autovacuum_job', 'ir.cron', 1);
INSERT INTO ir_mail_server (name, smtp_host, active) VALUES ('Real', 'mail.example.com', true);
INSERT INTO payment_provider (state) VALUES ('enabled'), ('disabled');
INSERT INTO res_partner (name) SELECT 'Partner ' || i FROM generate_series(1, 500) i;
UPDATE res_partner SET parent_id = id - 1 WHERE id > 1;
)";

class Sample {
public:
    PrivatePostgres postgres;
    TempDir folder;
    AgentConfig config;
    SystemClock clock;
    std::atomic<std::uint64_t> rate{0};

    Sample() {
        std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
        config.state_dir = folder.path() + "/state";
        config.local_roots = {folder.path()};
        config.clusters = {postgres.cluster()};
        postgres.exec("postgres",
                      "CREATE ROLE odoo LOGIN CREATEDB; CREATE ROLE odoo_staging LOGIN CREATEDB;"
                      "CREATE ROLE reporting");
        make_source("source");
    }

    JobHost host() { return {config, "agent-1", "0.1.0", clock, rate}; }
    std::string destination_folder() const { return folder.path() + "/destination"; }
    std::string filestore(const std::string& database) const { return folder.path() + "/filestore/" + database; }

    // An Odoo database with files; `partners` more rows tell databases apart.
    void make_source(const std::string& database, const std::string& owner = "odoo", int more = 0) {
        postgres.exec("postgres", fmt::format("CREATE DATABASE \"{}\" OWNER {} TEMPLATE template0 LC_COLLATE 'C'",
                                              database, owner));
        auto as_owner = postgres.connect(database, owner);
        auto made = as_owner.exec(kSchema);
        EXPECT_TRUE(made) << made.error().message();
        postgres.exec(database, "ALTER FUNCTION unaccent(text) IMMUTABLE");
        made = as_owner.exec(
            "CREATE INDEX partner_name ON res_partner USING gin (unaccent(name) gin_trgm_ops);"
            "GRANT SELECT ON res_partner TO reporting;"
            "GRANT SELECT (id) ON ir_cron TO reporting;"
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reporting");
        EXPECT_TRUE(made) << made.error().message();
        for (int i = 0; i < 40; ++i) add_file(database, fmt::format("content {} of {}", i, more));
        for (int i = 0; i < more; ++i) postgres.exec(database, "INSERT INTO res_partner (name) VALUES ('More')");
        shell(fmt::format("mkdir -p {0}/checklist/ab; touch {0}/checklist/ab/abcd", filestore(database)));
    }

    // Answers the store_fname.
    std::string add_file(const std::string& database, const std::string& content) {
        const std::string sha1 = digest_hex(DigestKind::sha1, as_bytes(content));
        const std::string name = sha1.substr(0, 2) + "/" + sha1;
        const std::string path = filestore(database) + "/" + name;
        std::filesystem::create_directories(std::filesystem::path(path).parent_path());
        std::ofstream(path) << content;
        postgres.exec(database, fmt::format("INSERT INTO ir_attachment (name, store_fname, file_size, checksum, type)"
                                            " VALUES ('f', '{}', {}, '{}', 'binary')",
                                            name, content.size(), sha1));
        return name;
    }

    // Backs `database` up with pg_dump, tar and zstd. Answers the folder in the destination.
    std::string back_up(const std::string& database, bool directory_format = false) {
        Manifest manifest;
        manifest.backup_id = new_uuid();
        manifest.scope = "full";
        manifest.trigger = "manual";
        manifest.dump_format = directory_format ? "directory" : "custom";
        const std::string key = "v1/local/agent-1/" + database + "/backups/2026/01/01/" + manifest.backup_id;
        const std::string at = destination_folder() + "/" + key;
        shell("mkdir -p " + at);
        if (directory_format) {
            const std::string dump = folder.path() + "/dump-" + manifest.backup_id;
            postgres.run(
                fmt::format("pg_dump -Fd -j2 -Z0 -f {0} {1}; tar -C {0} -cf - . | zstd -q > {2}/database.tar.zst", dump,
                            database, at));
        } else {
            postgres.run(fmt::format("pg_dump -Fc -Z0 {} | zstd -q > {}/database.dump.zst", database, at));
        }
        shell(fmt::format("tar --format=pax -C {} --exclude=./checklist -cf - . | zstd -q > {}/filestore.tar.zst",
                          filestore(database), at));
        describe(database, at, manifest);
        std::ofstream(at + "/manifest.json") << write_manifest(manifest);
        manifests[key] = manifest;
        return key;
    }

    DestinationOrder destination(const std::string& path) const {
        DestinationOrder order;
        order.id = "d-" + std::filesystem::path(path).filename().string();
        order.name = order.id;
        order.type = "local";
        order.config = {{"path", path}, {"minFreeBytes", 0}};
        return order;
    }

    RestoreOrder order(const std::string& key, const std::string& target) const {
        RestoreOrder order;
        order.restore_id = new_uuid();
        order.backup_id = manifests.at(key).backup_id;
        order.folder = key;
        order.destinations = {destination(destination_folder())};
        order.target.database = target;
        order.target.name = target;
        order.target.type = "staging";
        order.target.filestore = filestore(target);
        order.target_type = "other";
        order.scope = "all";
        return order;
    }

    // Names of databases and of folders of filestores that a restore may have left.
    std::string leftovers(const std::string& database) const {
        std::string found = postgres.ask(
            "postgres",
            fmt::format("SELECT string_agg(datname, ' ') FROM pg_database WHERE datname LIKE '{}\\_\\_%'", database));
        for (const auto& entry : std::filesystem::directory_iterator(folder.path() + "/filestore")) {
            const std::string name = entry.path().filename().string();
            if (name.starts_with(database + "__")) found += " folder:" + name;
        }
        std::error_code absent;
        for (const auto& entry : std::filesystem::directory_iterator(config.state_dir + "/scratch", absent)) {
            found += " scratch:" + entry.path().filename().string();
        }
        return found;
    }

    // What tells one database with its filestore from another.
    std::string fingerprint(const std::string& database) const {
        return postgres.ask(database,
                            "SELECT (SELECT count(*) FROM res_partner) || ':' || (SELECT md5(string_agg("
                            "store_fname, ' ' ORDER BY id)) FROM ir_attachment)") +
               ":" +
               shell(fmt::format("cd {} && find . -path ./checklist -prune -o -type f -exec sha1sum {{}} + | sort"
                                 " | sha1sum",
                                 filestore(database)));
    }

    std::map<std::string, Manifest> manifests;

private:
    void describe(const std::string& database, const std::string& at, Manifest& manifest) {
        auto connection = postgres.connect(database);
        manifest.contents = count_contents(connection).value();
        manifest.postgres = postgres::read_facts(connection).value();
        const auto instance = odoo::read_instance(connection).value();
        manifest.odoo = odoo::odoo_manifest(*instance, database, connection.server_version_num());
        manifest.database_uuid = instance->uuid;
        ManifestFilestore filestore_facts;
        filestore_facts.file_count = 40;
        filestore_facts.size_bytes = 1000;
        manifest.filestore = filestore_facts;
        for (const auto& [name, path] : std::map<std::string, std::string>{
                 {"db", manifest.dump_format == "directory" ? "database.tar.zst" : "database.dump.zst"},
                 {"filestore", "filestore.tar.zst"}}) {
            std::stringstream text;
            text << std::ifstream(at + "/" + path).rdbuf();
            ManifestArtifact artifact;
            artifact.name = name;
            artifact.path = path;
            artifact.bytes = text.str().size();
            artifact.uncompressed_bytes = artifact.bytes * 4;
            artifact.sha256 = digest_hex(DigestKind::sha256, as_bytes(text.str()));
            manifest.artifacts.push_back(artifact);
        }
    }
};

// Runs an order with a journal that remembers.
struct RestoreRun {
    RememberingJournal journal;
    Result<RestoreOutcome> outcome = Error(Errc::invalid, "not run");

    RestoreRun(
        Sample& sample, const RestoreOrder& order, std::stop_token stop = {},
        const SafetyBackupRunner& safety = [](const BackupOrder&) -> Result<BackupOutcome> {
            return BackupOutcome{};
        }) {
        ProgressMeter progress(sample.clock, "restore", order.restore_id, "");
        Steps steps(journal, progress, sample.clock, std::move(stop));
        const JobHost host = sample.host();
        outcome = run_restore(order, host, steps, safety);
    }

    std::string complaint() const {
        std::string text = outcome ? "" : outcome.error().message() + " [" + outcome.error().reason() + "] ";
        if (!outcome && outcome.error().facts().contains("stderr")) text += outcome.error().facts().at("stderr");
        for (const std::string& why : journal.verdict().why_not_green) text += "\n  " + why;
        return text;
    }
};

}  // namespace backstay::testing
