// A PostgreSQL server of a test's own (tests/infra/pg.sh): its own folder and socket, trust authentication, gone with
// the object. Making one takes about a second, so share it among the tests of a suite.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "agent/config/config.h"
#include "common/pq/connection.h"
#include "tests/support/temp_dir.h"

namespace backstay::testing {

// Runs `command` in a shell; answers its stdout. A failure ends the test program: it is a fault of the test's set-up.
inline std::string shell(const std::string& command) {
    const std::string whole = "set -euo pipefail; " + command;
    const std::string script = "bash -c '" + [&] {
        std::string quoted;
        for (const char c : whole) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
        return quoted;
    }() + "'";
    FILE* pipe = ::popen(script.c_str(), "r");
    std::string output;
    char buffer[4096];
    while (const std::size_t count = ::fread(buffer, 1, sizeof(buffer), pipe)) output.append(buffer, count);
    const int status = ::pclose(pipe);
    if (status != 0) {
        ::fprintf(stderr, "failed (%d): %s\n%s\n", WEXITSTATUS(status), command.c_str(), output.c_str());
        ::abort();
    }
    return output;
}

class PrivatePostgres {
public:
    PrivatePostgres() {
        // Below /tmp whatever TMPDIR says: a socket's path has 107 bytes at most.
        script_ = find_script();
        std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
        std::istringstream lines(shell(call("up")));
        for (std::string line; std::getline(lines, line);) {
            const std::size_t equals = line.find('=');
            if (equals != std::string::npos) values_[line.substr(0, equals)] = line.substr(equals + 1);
        }
    }
    ~PrivatePostgres() { shell(call("down")); }
    PrivatePostgres(const PrivatePostgres&) = delete;
    PrivatePostgres& operator=(const PrivatePostgres&) = delete;

    const std::string& host() const { return values_.at("PGHOST"); }
    const std::string& port() const { return values_.at("PGPORT"); }
    const std::string& bin() const { return values_.at("PGBIN"); }

    // PGHOST and its kin for `command`.
    std::string run(const std::string& command) const {
        return shell("export PGHOST=" + host() + " PGPORT=" + port() + " PGUSER=postgres; PATH=" + bin() + ":$PATH; " +
                     command);
    }

    ClusterConfig cluster() const {
        ClusterConfig config;
        config.host = host();
        config.port = static_cast<std::uint16_t>(std::stoi(port()));
        config.user = "postgres";
        config.bin_dir = bin();
        return config;
    }

    pq::Connection connect(const std::string& database, const std::string& user = "postgres") const {
        pq::ConnectParameters parameters;
        parameters.host = host();
        parameters.port = static_cast<std::uint16_t>(std::stoi(port()));
        parameters.user = user;
        parameters.database = database;
        parameters.application_name = "odoo";
        return pq::Connection::connect(parameters).value();
    }

    // Runs statements; a fault of the test's own ends it.
    void exec(const std::string& database, const std::string& sql) const {
        auto done = connect(database).exec(sql);
        if (done) return;
        ::fprintf(stderr, "%s: %s\n", sql.c_str(), done.error().message().c_str());
        ::abort();
    }

    // The first cell of the answer; "" when there is none.
    std::string ask(const std::string& database, const std::string& sql) const {
        auto connection = connect(database);
        auto rows = connection.query(sql);
        if (!rows) {
            ::fprintf(stderr, "%s: %s\n", sql.c_str(), rows.error().message().c_str());
            ::abort();
        }
        return rows->empty() ? std::string() : std::string(rows->text(0, 0));
    }

    void crash() { shell(call("crash")); }
    void stop() { shell(call("stop")); }
    void start() { shell(call("start")); }

private:
    // Where this file was compiled says little once a compiler cache has made paths relative; the build folder lies in
    // the project.
    static std::filesystem::path find_script() {
        const std::filesystem::path beside = std::filesystem::path(__FILE__).parent_path().parent_path();
        if (beside.is_absolute()) return beside / "infra" / "pg.sh";
        std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
        while (folder.has_relative_path() && !std::filesystem::exists(folder / "tests" / "infra" / "pg.sh")) {
            folder = folder.parent_path();
        }
        return folder / "tests" / "infra" / "pg.sh";
    }
    std::string call(const std::string& word) const {
        return "BASE=" + folder_.path() + "/pg " + script_.string() + " " + word;
    }

    TempDir folder_;
    std::filesystem::path script_;
    std::map<std::string, std::string> values_;
};

}  // namespace backstay::testing
