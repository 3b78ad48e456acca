// backstay-agent: the daemon in the foreground.
#include <fmt/format.h>
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "agent/daemon.h"
#include "agent/state/state.h"
#include "common/last_words.h"
#include "common/log.h"
#include "common/version.h"

namespace {

constexpr std::string_view kName = "backstay-agent";
constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

constexpr std::string_view kHelp =
    "usage: backstay-agent --config FILE [--check-config] [--debug]\n"
    "\n"
    "The daemon beside PostgreSQL and Odoo: runs jobs, keeps their evidence, answers on its socket.\n"
    "\n"
    "  --config FILE    its configuration (see /etc/backstay/agent.toml)\n"
    "  --check-config   read the file, say everything that is wrong with it, and leave\n"
    "  --debug          log more\n"
    "  --version        say the version, and leave\n"
    "\n"
    "SIGTERM stops (running jobs get ten seconds), SIGHUP reads the configuration again.\n";

struct Arguments {
    std::string config;
    bool check = false;
    bool debug = false;
    bool help = false;
    bool version = false;
    std::string fault;
};

Arguments parse(int argc, char** argv) {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--config" && i + 1 < argc)
            arguments.config = argv[++i];
        else if (word.starts_with("--config="))
            arguments.config = word.substr(9);
        else if (word == "--check-config")
            arguments.check = true;
        else if (word == "--debug")
            arguments.debug = true;
        else if (word == "--help" || word == "-h")
            arguments.help = true;
        else if (word == "--version")
            arguments.version = true;
        else
            arguments.fault = fmt::format("{} is not understood", word);
    }
    if (arguments.fault.empty() && arguments.config.empty() && !arguments.help && !arguments.version) {
        arguments.fault = "--config FILE is missing";
    }
    return arguments;
}

int complain(const backstay::Error& error) {
    backstay::log::last_words(kName, error);
    // Starting again does not help, and systemd is told so. All else may pass: a disk, a directory of groups.
    return error.reason() == backstay::kStateUnusable ? kUsage : kFailed;
}

backstay::Result<backstay::Daemon::End> serve(const std::string& file, const backstay::AgentConfig& config) {
    const auto daemon = TRY(backstay::Daemon::create(file, config));
    return daemon->run();
}

int run(const Arguments& arguments) {
    auto config = backstay::load_agent_config(arguments.config);
    if (!config) {
        backstay::Error& fault = config.error();
        if (fault.code() == backstay::Errc::not_found) {
            fault.add_hint(
                "it is not set up yet: backstay setup does it; /usr/share/doc/backstay-agent/examples/agent.toml has "
                "every key");
        }
        backstay::log::last_words(kName, fault);
        return kUsage;
    }
    if (arguments.check) {
        fmt::print("{} is good\n", arguments.config);
        return kOk;
    }
    while (true) {
        // Between two daemons nobody else hears it.
        ::signal(SIGHUP, SIG_IGN);
        const auto ended = serve(arguments.config, *config);
        if (!ended) return complain(ended.error());
        if (*ended == backstay::Daemon::End::stopped) return kOk;
        if (auto again = backstay::load_agent_config(arguments.config)) config = std::move(again);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const Arguments arguments = parse(argc, argv);
    if (!arguments.fault.empty()) {
        fmt::print(stderr, "backstay-agent: {}\n{}", arguments.fault, kHelp);
        return kUsage;
    }
    if (arguments.help) return fmt::print("{}", kHelp), kOk;
    if (arguments.version) return fmt::print("backstay-agent {}\n", backstay::kVersion), kOk;
    if (arguments.debug) backstay::log::set_level(backstay::log::Level::debug);
    // A peer that went away is an error of that one write; files are nobody else's; few heaps keep the agent small.
    ::signal(SIGPIPE, SIG_IGN);
    ::umask(0077);
    ::mallopt(M_ARENA_MAX, 2);
    return run(arguments);
}
