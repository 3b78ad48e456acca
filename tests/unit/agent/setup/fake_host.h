// A host that exists in memory: a PostgreSQL with one role of ours and one Odoo database, and a service.
#pragma once

#include <pwd.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/setup/host.h"

namespace backstay::setup {

struct FakeRole {
    bool super = false, replication = false, reads = false, monitors = false, switches = false, inserts = false;
};

class FakeHost final : public Host {
public:
    std::optional<FakeRole> role;
    bool answers = true;  // PostgreSQL does
    std::string hba = "peer";
    bool reads_files = true;
    std::string settings = "wal_level|t|f|replica\narchive_mode|t|f|on\narchive_command|f|f|\narchive_timeout|f|f|0\n";
    std::string written;
    std::string enabled = "disabled", active = "inactive";
    std::string since;
    int restarts = 0;
    std::string sql_said;  // all that changed something

    Result<std::string> run(const std::vector<std::string>& argv) override {
        if (argv[0] == "install") std::filesystem::create_directories(argv.back());
        if (argv[0] != "systemctl") return std::string();
        if (argv[1] == "show") {
            return "LoadState=loaded\nUnitFileState=" + enabled + "\nActiveState=" + active +
                   "\nActiveEnterTimestamp=" + since + "\n";
        }
        if (argv[1] == "enable") enabled = "enabled";
        if (argv[1] == "start") active = "active";
        if (argv[1] == "restart") ++restarts;
        return std::string();
    }

    Result<std::string> as_superuser(const ClusterConfig&, const std::string&, const std::string& sql) override {
        if (!answers) return Error(Errc::unavailable, "nobody listens").with_hint("start it");
        if (sql.starts_with("SELECT current_setting('server_version_num')")) return state();
        if (sql.starts_with("SELECT datname")) return std::string("shop\n");
        if (sql.starts_with("SELECT coalesce(has_table")) {
            return std::string(role && !role->super && role->inserts ? "t|t\n" : "f|t\n");
        }
        if (sql.starts_with("SELECT name, restart")) return settings;
        if (sql.starts_with("SELECT name, setting FROM pg_file_settings")) return written;
        if (sql.starts_with("SHOW hba_file")) return std::string("/etc/postgresql/pg_hba.conf\n");
        sql_said += sql;
        change(sql);
        return std::string();
    }

    Result<> log_in(const ClusterConfig&, bool base_backups) override {
        if (hba == "peer" || (hba == "no replication" && !base_backups)) return {};
        return Error(Errc::denied, "Peer authentication failed");
    }
    bool may_read(const std::string&) override { return reads_files; }
    bool may_write(const std::string&) override { return true; }

    static std::string account() { return ::getpwuid(::geteuid())->pw_name; }

private:
    std::string state() const {
        if (!role) return "150000|f|||||f|f|f\n";
        const auto flag = [&](bool own) { return own || role->super ? "|t" : "|f"; };
        return std::string("150000|t|t") + (role->super ? "|t" : "|f") + (role->replication ? "|t" : "|f") + "|f" +
               flag(role->reads) + flag(role->monitors) + flag(role->switches) + "\n";
    }
    void change(const std::string& sql) {
        const auto has = [&](const char* words) { return sql.find(words) != std::string::npos; };
        if (has("CREATE ROLE")) role.emplace();
        if (!role) return;
        if (has("SUPERUSER")) role->super = !has("NOSUPERUSER");
        role->replication = role->replication || has("REPLICATION");
        role->reads = role->reads || has("pg_read_all_data");
        role->monitors = role->monitors || has("pg_monitor");
        role->switches = role->switches || has("pg_switch_wal");
        role->inserts = role->inserts || has("GRANT INSERT");
    }
};

}  // namespace backstay::setup
