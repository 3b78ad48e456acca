#include "agent/setup/host.h"

#include <fmt/format.h>
#include <unistd.h>

#include "agent/postgres/cluster.h"
#include "common/process/subprocess.h"

namespace backstay::setup {
namespace {

constexpr const char* kSuperuser = "postgres";

// Root goes on as that account; the words themselves where we are nobody else.
std::vector<std::string> as(const std::string& account, std::vector<std::string> words) {
    if (::geteuid() != 0 || account == "root") return words;
    std::vector<std::string> all = {"runuser", "-u", account, "--"};
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

}  // namespace

std::vector<std::string> lines_of(const std::string& text, char separator) {
    std::vector<std::string> lines;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(separator, begin), text.size());
        lines.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return lines;
}

Result<std::string> RealHost::run(const std::vector<std::string>& argv) {
    ProcessSpec spec;
    spec.argv = argv;
    // Nothing is read where only root may be.
    spec.working_directory = "/";
    return run_tool(std::move(spec), 360'000);
}

Result<std::string> RealHost::psql(const Login& login, const ClusterConfig& cluster, const std::string& sql) {
    const Tool tool = TRY(find_tool(cluster, "psql", 0));
    std::vector<std::string> words = {
        tool.path,    "--no-psqlrc",   "--no-password",         "--quiet",
        "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", "--username=" + login.user};
    // A name as an option could be taken for more than a name.
    if (login.replication) words.emplace_back("--dbname=replication=true");
    ProcessSpec spec;
    spec.argv = as(login.account, std::move(words));
    spec.environment = tool_environment(cluster);
    spec.environment["PGDATABASE"] = login.database;
    spec.environment["LC_MESSAGES"] = "C";
    // A database's owner can put functions of his own before the system's, and would run them with these rights.
    spec.environment["PGOPTIONS"] = "-c search_path=pg_catalog";
    spec.working_directory = "/";
    return run_tool(std::move(spec), 60'000, 4 << 20, sql);
}

Result<std::string> RealHost::as_superuser(const ClusterConfig& cluster, const std::string& database,
                                           const std::string& sql) {
    if (!cluster.host.starts_with('/')) {
        return Error(Errc::denied, fmt::format("{} is another host: roles are made there", cluster.host))
            .with_hint("docs/operations.md, \"An agent\", says which");
    }
    if (::access(fmt::format("{}/.s.PGSQL.{}", cluster.host, cluster.port).c_str(), F_OK) != 0) {
        return Error(Errc::unavailable, fmt::format("no PostgreSQL listens at {}:{}", cluster.host, cluster.port))
            .with_hint("start it (systemctl start postgresql), or name another one with --cluster");
    }
    ClusterConfig own = cluster;
    own.password_file.clear();
    auto answer = psql({kSuperuser, kSuperuser, database}, own, sql);
    if (answer) return answer;
    return std::move(answer).error().with_hint(
        ::geteuid() != 0
            ? "only root, or PostgreSQL's own account, can look there"
            : fmt::format("sudo -u {} psql -h {} -p {} must work", kSuperuser, cluster.host, cluster.port));
}

Result<> RealHost::log_in(const ClusterConfig& cluster, bool base_backups) {
    const auto answer = psql({account_, cluster.user, cluster.database}, cluster, "SELECT 1;\n");
    if (!answer) {
        return Error(Errc::denied,
                     fmt::format("{} cannot log in as {}: {}", account_, cluster.user, answer.error().message()));
    }
    if (!base_backups) return {};
    const auto replica = psql({account_, cluster.user, cluster.database, true}, cluster, "IDENTIFY_SYSTEM;\n");
    // A server without wal_senders refuses, too, until it is restarted with them.
    if (replica || replica.error().message().find("pg_hba.conf") == std::string::npos) return {};
    return Error(Errc::denied, fmt::format("base backups need a login of {} for replication: {}", cluster.user,
                                           replica.error().message()));
}

bool RealHost::may(const char* test, const std::string& path) {
    return run(as(account_, {"test", test, path})).has_value() && run(as(account_, {"test", "-x", path})).has_value();
}

bool RealHost::may_read(const std::string& path) { return may("-r", path); }
bool RealHost::may_write(const std::string& path) { return may("-w", path); }

void Commands::add(std::vector<std::string> argv) { all_.push_back(std::move(argv)); }

std::string shell_word(const std::string& word) {
    constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:=@,";
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

std::vector<std::string> Commands::told() const {
    std::vector<std::string> lines;
    for (const auto& argv : all_) {
        std::string line;
        for (const std::string& word : argv) line += (line.empty() ? "" : " ") + shell_word(word);
        lines.push_back(std::move(line));
    }
    return lines;
}

Result<> Commands::apply(Host& host) const {
    for (const auto& argv : all_) TRY(host.run(argv));
    return {};
}

}  // namespace backstay::setup
