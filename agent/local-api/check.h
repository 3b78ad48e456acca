// `backstay check`: what would fail, found before it fails. Reads, connects and probes destinations with a small
// object; changes nothing else. Blocks for as long as the slowest of them takes.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/local-api/messages.h"

namespace backstay::local_api {

// Collects lines; the subject stays until it is changed.
class CheckList {
public:
    void about(std::string subject) { subject_ = std::move(subject); }
    void ok(std::string name, std::string message) { add(std::move(name), "ok", std::move(message), ""); }
    void warn(std::string name, std::string message, std::string hint = "") {
        add(std::move(name), "warning", std::move(message), std::move(hint));
    }
    void fail(std::string name, std::string message, std::string hint = "") {
        add(std::move(name), "failed", std::move(message), std::move(hint));
    }
    void fail(std::string name, const Error& error) { fail(std::move(name), error.message(), error.hint()); }
    std::vector<CheckLine> take() { return std::move(lines_); }

private:
    void add(std::string name, std::string result, std::string message, std::string hint) {
        lines_.push_back({subject_, std::move(name), std::move(result), std::move(message), std::move(hint)});
    }
    std::string subject_;
    std::vector<CheckLine> lines_;
};

// `database` empty: every Odoo database of every cluster, or all databases where there is no Odoo.
CheckAnswer run_check(const AgentConfig& config, const std::string& database, const std::optional<std::string>& cluster,
                      const std::stop_token& stop);

// The same where no agent runs, which would have found the clusters that the configuration leaves out.
CheckAnswer check_alone(AgentConfig config, const std::string& database);

// Tools, connection, rights, Odoo, filestore and scratch space of one database.
void check_database(const AgentConfig& config, const ClusterConfig& cluster, const std::string& database,
                    const std::stop_token& stop, CheckList& list);

}  // namespace backstay::local_api
