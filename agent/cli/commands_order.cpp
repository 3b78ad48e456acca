#include <fmt/format.h>

#include "agent/cli/agent_socket.h"
#include "agent/cli/bar.h"
#include "agent/cli/commands.h"
#include "agent/cli/render.h"
#include "common/text.h"

namespace backstay::cli {
namespace {

int code(ExitCode exit_code) { return static_cast<int>(exit_code); }

int code_of(const local_api::JobView& job) {
    if (job.status == "completed") return code(ExitCode::ok);
    if (job.status == "partial") return code(ExitCode::amber);
    return code(ExitCode::failed);
}

// Follows the job to its end, then tells how it ended.
int follow(const Output& output, AgentSocket& agent, const std::string& job_id) {
    {
        Bar bar(output.json ? stderr : stdout);
        const auto watched = agent.watch(job_id, [&](const Progress& progress) { bar.show(progress); });
        if (!watched) return report(output, watched.error());
    }
    const auto text = agent.call("GET", "/v1/jobs/" + job_id);
    if (!text) return report(output, text.error());
    const auto detail = json::decode_text<local_api::JobDetail>(*text, json::kLenient);
    if (!detail) return report(output, detail.error());
    fmt::print("{}", output.json ? *text : printable_lines(render_job(*detail)));
    return code_of(detail->job);
}

}  // namespace

int order(const Output& output, const std::string& method, const std::string& target, const std::string& body,
          bool wait) {
    AgentSocket agent(output.socket);
    const auto text = agent.call(method, target, body);
    if (!text) return report(output, text.error());
    const auto accepted = json::decode_text<local_api::Accepted>(*text, json::kLenient);
    if (!accepted) return report(output, accepted.error());
    if (wait) return follow(output, agent, accepted->job_id);
    if (output.json) {
        fmt::print("{}", *text);
    } else {
        fmt::print("job {} is queued; `backstay watch {}` shows it\n", accepted->job_id, shorten(accepted->job_id));
    }
    return code(ExitCode::ok);
}

int watch(const Output& output, const std::string& job) {
    AgentSocket agent(output.socket);
    const auto detail = agent.get<local_api::JobDetail>("/v1/jobs/" + http::percent_encode(job, false));
    if (!detail) return report(output, detail.error());
    return follow(output, agent, detail->job.job_id);
}

int cancel(const Output& output, const std::string& job) {
    AgentSocket agent(output.socket);
    const auto text = agent.call("POST", fmt::format("/v1/jobs/{}/cancel", http::percent_encode(job, false)));
    if (!text) return report(output, text.error());
    fmt::print("{}", output.json ? *text : "the job is being stopped\n");
    return code(ExitCode::ok);
}

}  // namespace backstay::cli
