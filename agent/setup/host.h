// What setup does to a host beyond files of its own: programs, and SQL with the rights of PostgreSQL's own account.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "common/result.h"

namespace backstay::setup {

class Host {
public:
    virtual ~Host() = default;
    // Its stdout. Errors have the program's last line.
    virtual Result<std::string> run(const std::vector<std::string>& argv) = 0;
    // Statement by statement, each a transaction of its own; rows are lines of fields with '|' between them.
    virtual Result<std::string> as_superuser(const ClusterConfig& cluster, const std::string& database,
                                             const std::string& sql) = 0;
    // The agent's account reaches the server in its own role; for base backups, too.
    virtual Result<> log_in(const ClusterConfig& cluster, bool base_backups) = 0;
    // The agent's account, without what its service gets beyond it.
    virtual bool may_read(const std::string& path) = 0;
    virtual bool may_write(const std::string& path) = 0;
};

// This host. Root becomes `postgres` for SQL and `account` to try its rights; anybody else stays who they are.
class RealHost final : public Host {
public:
    explicit RealHost(std::string account) : account_(std::move(account)) {}
    Result<std::string> run(const std::vector<std::string>& argv) override;
    Result<std::string> as_superuser(const ClusterConfig& cluster, const std::string& database,
                                     const std::string& sql) override;
    Result<> log_in(const ClusterConfig& cluster, bool base_backups) override;
    bool may_read(const std::string& path) override;
    bool may_write(const std::string& path) override;

private:
    struct Login {
        std::string account, user, database;
        bool replication = false;
    };
    Result<std::string> psql(const Login& login, const ClusterConfig& cluster, const std::string& sql);
    bool may(const char* test, const std::string& path);
    std::string account_;
};

// Commands of a step: told as one would type them, run one after the other.
class Commands {
public:
    void add(std::vector<std::string> argv);
    bool empty() const { return all_.empty(); }
    std::vector<std::string> told() const;
    Result<> apply(Host& host) const;

private:
    std::vector<std::vector<std::string>> all_;
};

// As a shell takes it.
std::string shell_word(const std::string& word);

std::vector<std::string> lines_of(const std::string& text, char separator = '\n');

}  // namespace backstay::setup
