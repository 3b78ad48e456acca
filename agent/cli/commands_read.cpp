#include <fmt/format.h>

#include "agent/cli/agent_socket.h"
#include "agent/cli/commands.h"
#include "agent/cli/render.h"
#include "common/text.h"

namespace backstay::cli {
namespace {

int code(ExitCode exit_code) { return static_cast<int>(exit_code); }

// Asks, then prints the agent's own JSON, or what `render` makes of it; `judge` names the exit code.
template <class Answer, class Render, class Judge>
int show(const Output& output, const std::string& target, Render render, Judge judge) {
    AgentSocket agent(output.socket);
    const auto text = agent.call("GET", target);
    if (!text) return report(output, text.error());
    const auto answer = json::decode_text<Answer>(*text, json::kLenient);
    if (!answer) return report(output, answer.error());
    fmt::print("{}", output.json ? *text : printable_lines(render(*answer)));
    return code(judge(*answer));
}

template <class Answer, class Render>
int show(const Output& output, const std::string& target, Render render) {
    return show<Answer>(output, target, render, [](const Answer&) { return ExitCode::ok; });
}

}  // namespace

int report(const Output& output, const Error& error) {
    if (output.json) {
        const local_api::ErrorBody body{std::string(to_string(error.code())), error.message(), error.reason(),
                                        error.hint()};
        fmt::print("{}\n", json::encode_text(body));
    }
    fmt::print(stderr, "backstay: {}\n", printable(error.message()));
    if (!error.hint().empty()) fmt::print(stderr, "  → {}\n", printable(error.hint()));
    if (error.facts().contains(std::string(kUnreachable))) return code(ExitCode::unreachable);
    if (error.code() == Errc::invalid) return code(ExitCode::usage);
    if (error.code() == Errc::not_found) return code(ExitCode::not_found);
    return code(ExitCode::failed);
}

int show_status(const Output& output) {
    return show<local_api::StatusAnswer>(output, "/v1/status", [](const local_api::StatusAnswer& status) {
        return render_status(status, SystemClock().now_ms());
    });
}

int show_why(const Output& output, const std::string& of) {
    return show<local_api::WhyAnswer>(
        output, "/v1/why?of=" + http::percent_encode(of, false),
        [](const local_api::WhyAnswer& answer) { return render_why(answer, SystemClock().now_ms()); },
        [](const local_api::WhyAnswer& answer) {
            return answer.status == "red"     ? ExitCode::failed
                   : answer.status == "amber" ? ExitCode::amber
                                              : ExitCode::ok;
        });
}

int show_jobs(const Output& output, std::size_t limit) {
    return show<local_api::JobList>(output, fmt::format("/v1/jobs?limit={}", limit),
                                    [](const local_api::JobList& list) { return render_jobs(list.jobs); });
}

int show_refused(const Output& output, std::size_t limit) {
    return show<local_api::RefusedReportList>(output, fmt::format("/v1/refused-reports?limit={}", limit),
                                              render_refused);
}

int show_job(const Output& output, const std::string& job) {
    return show<local_api::JobDetail>(output, "/v1/jobs/" + http::percent_encode(job, false), render_job);
}

int show_backups(const Output& output, const std::string& database, std::size_t limit) {
    return show<local_api::BackupList>(
        output, fmt::format("/v1/backups?limit={}&database={}", limit, http::percent_encode(database, false)),
        render_backups);
}

int show_snapshots(const Output& output, const std::string& database, std::size_t limit) {
    return show<local_api::SnapshotList>(
        output, fmt::format("/v1/snapshots?limit={}&database={}", limit, http::percent_encode(database, false)),
        [](const local_api::SnapshotList& list) { return render_snapshots(list, SystemClock().now_ms()); });
}

int show_inventory(const Output& output) {
    Output json = output;
    json.json = true;
    return show<json::Object>(json, "/v1/inventory", [](const json::Object&) { return ""; });
}

int show_metrics(const Output& output) {
    const auto text = AgentSocket(output.socket).call("GET", "/v1/metrics");
    if (!text) return report(output, text.error());
    fmt::print("{}", *text);
    return code(ExitCode::ok);
}

int report_again(const Output& output, const std::string& since) {
    const json::Object body{{"since", since}};
    const auto text = AgentSocket(output.socket).call("POST", "/v1/report-again", json::serialize(json::Value(body)));
    if (!text) return report(output, text.error());
    const auto told = json::decode_text<local_api::ReportAgainAnswer>(*text, json::kLenient);
    if (!told) return report(output, told.error());
    if (output.json) {
        fmt::print("{}", *text);
    } else {
        fmt::print(
            "{} backups and snapshots are told of again, in {} reports; `backstay status` shows what is unsent\n",
            told->jobs, told->reports);
        if (told->waiting > 0) {
            fmt::print("{} are left out, for reports of theirs are unsent: again when `backstay status` shows none\n",
                       told->waiting);
        }
    }
    return code(ExitCode::ok);
}

int show_limits(const Output& output) { return show<local_api::LimitsView>(output, "/v1/limits", render_limits); }

int setup_wal(const Output& output, const local_api::WalSetupRequest& request) {
    json::Object body;
    if (request.cluster) body["cluster"] = json::encode(*request.cluster);
    if (request.apply) body["apply"] = *request.apply;
    AgentSocket agent(output.socket);
    const auto text = agent.call("POST", "/v1/wal-setup", json::serialize(json::Value(body)));
    if (!text) return report(output, text.error());
    const auto answer = json::decode_text<local_api::WalSetupAnswer>(*text, json::kLenient);
    if (!answer) return report(output, answer.error());
    fmt::print("{}", output.json ? *text : printable_lines(render_wal_setup(*answer)));
    return code(answer->ready ? ExitCode::ok : ExitCode::amber);
}

int change_limits(const Output& output, const local_api::LimitsView& change) {
    json::Value body = json::encode(change);
    auto& object = body.as_object();
    for (auto item = object.begin(); item != object.end();) {
        item = item->value().is_null() ? object.erase(item) : item + 1;
    }
    AgentSocket agent(output.socket);
    const auto changed = agent.call("PUT", "/v1/limits", json::serialize(body));
    if (!changed) return report(output, changed.error());
    return show_limits(output);
}

int check(const Output& output, const std::string& database, const std::string& cluster) {
    std::string target = "/v1/check?database=" + http::percent_encode(database, false);
    if (!cluster.empty()) target += "&cluster=" + http::percent_encode(cluster, false);
    return show<local_api::CheckAnswer>(output, target, render_check, [](const local_api::CheckAnswer& answer) {
        ExitCode worst = ExitCode::ok;
        for (const local_api::CheckLine& line : answer.checks) {
            if (line.result == "failed") return ExitCode::failed;
            if (line.result == "warning") worst = ExitCode::amber;
        }
        return worst;
    });
}

}  // namespace backstay::cli
