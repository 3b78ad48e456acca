// backstay doctor: the agent's own check, and what only somebody outside of it can see.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/cli/agent_socket.h"
#include "agent/cli/commands.h"
#include "agent/cli/render.h"
#include "agent/local-api/advice.h"
#include "agent/local-api/check_host.h"
#include "common/process/account.h"

namespace backstay::cli {
namespace {

using local_api::CheckAnswer;
using local_api::CheckLine;
using local_api::CheckList;

int code(ExitCode exit_code) { return static_cast<int>(exit_code); }

// With the rights of the agent's account: root may read what the agent may not.
void act_as_agent(const std::string& user, CheckList& list) {
    list.about("account");
    if (::geteuid() != 0) {
        return list.warn("rights", "not run by root: what is said holds for your account, not for the agent's",
                         "sudo backstay doctor");
    }
    const auto account = account_named(user);
    if (!account) {
        return list.fail("account", fmt::format("there is no account {}, which the agent's service runs as", user),
                         "systemd-sysusers, or name another one with --user");
    }
    if (const auto become = become_account(*account); !become) return list.fail("account", become.error());
    list.ok("account", user);
}

std::optional<AgentConfig> load(const std::string& file, CheckList& list) {
    list.about("configuration");
    auto config = load_agent_config(file);
    if (config) {
        list.ok("file", file);
        return std::move(*config);
    }
    const Error& error = config.error();
    const std::string hint =
        error.code() == Errc::not_found
            ? "backstay setup writes one; /usr/share/doc/backstay-agent/examples/agent.toml has every key"
        : error.code() == Errc::denied ? "the agent's account must be able to read it"
                                       : "mend each line; backstay-agent --check-config says if it is good";
    list.fail("file", error.message(), error.hint().empty() ? hint : error.hint());
    return std::nullopt;
}

// Why no agent answers, as far as its socket tells.
std::string socket_hint(const std::string& socket) {
    struct stat info {};
    if (::stat(socket.c_str(), &info) != 0 && errno == ENOENT) {
        return "it does not run: systemctl enable --now backstay-agent, and journalctl -u backstay-agent says why not";
    }
    if (::access(socket.c_str(), W_OK) != 0) return "your account is not in the group of the socket";
    return "it hangs or was killed: systemctl restart backstay-agent";
}

void add(std::vector<CheckLine>& lines, std::vector<CheckLine> more) {
    lines.insert(lines.end(), more.begin(), more.end());
}

// What only the agent that runs can know: whether its control plane takes its calls.
void add_contact(const local_api::StatusAnswer& status, std::vector<CheckLine>& lines) {
    const local_api::ControlPlaneView& plane = status.control_plane;
    if (plane.url.empty() || !plane.enrolled) return;
    CheckList list;
    list.about("control plane");
    if (plane.connected) {
        list.ok("contact", plane.url);
    } else {
        list.fail("contact", plane.last_error.empty() ? "it was not called yet" : plane.last_error,
                  local_api::contact_hint(plane));
    }
    add(lines, list.take());
}

// The agent looks for itself, confined as it is; without one, this process looks in its place.
std::vector<CheckLine> ask_agent(const std::string& socket, const DoctorOptions& options,
                                 const std::optional<AgentConfig>& config) {
    CheckList list;
    list.about("agent");
    AgentSocket agent(socket);
    const auto answer = agent.get<CheckAnswer>("/v1/check?database=" + http::percent_encode(options.database, false));
    if (answer) {
        list.ok("socket", socket);
    } else {
        list.fail("socket", answer.error().message(), socket_hint(socket));
    }
    std::vector<CheckLine> lines = list.take();
    if (answer) {
        if (const auto status = agent.get<local_api::StatusAnswer>("/v1/status")) add_contact(*status, lines);
        add(lines, answer->checks);
    } else if (config) {
        add(lines, local_api::check_alone(*config, options.database).checks);
    }
    return lines;
}

}  // namespace

std::vector<CheckLine> examine(const std::string& socket, const DoctorOptions& options) {
    CheckList list;
    act_as_agent(options.user, list);
    const auto config = load(options.config, list);
    if (config) {
        list.about("host");
        check_apart(*config, list);
        check_clock(local_api::clock_is_synchronised(), list);
        local_api::check_service("", list);
    }
    std::vector<CheckLine> lines = list.take();
    const bool usual = socket == AgentConfig().socket;
    add(lines, ask_agent(config && usual ? config->socket : socket, options, config));
    return lines;
}

int doctor(const Output& output, const DoctorOptions& options) {
    CheckAnswer found{examine(output.socket, options)};
    const auto with = [&](std::string_view result) {
        return std::count_if(found.checks.begin(), found.checks.end(),
                             [&](const CheckLine& line) { return line.result == result; });
    };
    const auto all = found.checks.size();
    const auto failed = with("failed"), warnings = with("warning");
    if (output.json) {
        fmt::print("{}\n", json::encode_text(found));
    } else {
        std::erase_if(found.checks, [](const CheckLine& line) { return line.result == "ok"; });
        fmt::print("{}{}{} looked at: {} to mend, {} to think about\n", render_check(found),
                   found.checks.empty() ? "" : "\n", all, failed, warnings);
    }
    return code(failed > 0 ? ExitCode::failed : warnings > 0 ? ExitCode::amber : ExitCode::ok);
}

}  // namespace backstay::cli
