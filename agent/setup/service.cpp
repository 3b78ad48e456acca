#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>

#include "agent/setup/setup.h"

namespace backstay::setup {
namespace {

constexpr const char* kUnit = "backstay-agent.service";

std::int64_t modified(const std::string& path) {
    struct stat about {};
    return ::stat(path.c_str(), &about) == 0 ? about.st_mtim.tv_sec : 0;
}

// It runs with what was there at its start.
bool is_outdated(const Context& context, const std::string& since) {
    const std::int64_t started = since.starts_with('@') ? std::strtoll(since.c_str() + 1, nullptr, 10) : 0;
    if (started == 0) return false;
    return modified(context.wishes.config) > started ||
           modified(context.places.units + "/backstay-agent.service.d/setup.conf") > started;
}

}  // namespace

std::vector<Step> service(Context& context) {
    Step step{"service", "the agent's service", "runs now, and after a reboot"};
    if (!context.places.systemd) {
        step.left.push_back(fmt::format("no systemd runs here: start the agent yourself: backstay-agent --config {}",
                                        context.wishes.config));
        return {step};
    }
    const auto shown =
        context.host.run({"systemctl", "show", "--timestamp=unix", kUnit, "--property=LoadState",
                          "--property=UnitFileState", "--property=ActiveState", "--property=ActiveEnterTimestamp"});
    if (!shown) return {Step::failed(step.name, step.about, shown.error())};
    std::map<std::string, std::string> state;
    for (const std::string& line : lines_of(*shown)) {
        state[line.substr(0, line.find('='))] = line.substr(std::min(line.find('=') + 1, line.size()));
    }
    if (state["LoadState"] != "loaded") {
        Error error(Errc::not_found, fmt::format("systemd knows no {}: {}", kUnit, state["LoadState"]));
        return {Step::failed(step.name, step.about, std::move(error).with_hint("install the package backstay-agent"))};
    }
    Commands commands;
    bool restarts = false;
    if (state["UnitFileState"] != "enabled") commands.add({"systemctl", "enable", kUnit});
    if (state["ActiveState"] != "active") {
        // A unit that failed too often would not be tried.
        if (state["ActiveState"] == "failed") commands.add({"systemctl", "reset-failed", kUnit});
        commands.add({"systemctl", "start", kUnit});
    } else if (context.restart || is_outdated(context, state["ActiveEnterTimestamp"])) {
        if (context.busy()) {
            step.left.push_back("jobs run: when they are done, systemctl restart backstay-agent, for what was changed");
        } else {
            commands.add({"systemctl", "restart", kUnit});
            restarts = true;
        }
    }
    step.changes = commands.told();
    step.apply = [&context, commands, restarts]() -> Result<> {
        if (restarts && context.busy()) {
            return Error(Errc::conflict, "a job has begun meanwhile").with_hint("run this again when it is done");
        }
        const auto done = commands.apply(context.host);
        if (done) return {};
        return Error(done.error()).with_hint("journalctl -u backstay-agent -n 20 says why; then run this again");
    };
    return {step};
}

}  // namespace backstay::setup
