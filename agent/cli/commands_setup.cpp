// backstay setup: the questions, the answers, and at the end what was done, what is left, and the first check.
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "agent/cli/agent_socket.h"
#include "agent/cli/commands.h"
#include "agent/cli/render.h"
#include "common/files/files.h"
#include "common/text.h"

namespace backstay::cli {
namespace {

using setup::Outcome;
using setup::Role;
using setup::Step;

int code(ExitCode exit_code) { return static_cast<int>(exit_code); }

// nullopt: nobody answers any more.
std::optional<std::string> answer_to(const std::string& question) {
    fmt::print("{} ", question);
    std::fflush(stdout);
    std::string line;
    if (!std::getline(std::cin, line)) {
        fmt::print("\n");
        return std::nullopt;
    }
    return line;
}

// What is typed is not shown. Keys send no signals meanwhile: they would leave a terminal behind that shows nothing.
std::optional<std::string> secret_answer_to(const std::string& question) {
    termios before{};
    const bool terminal = ::tcgetattr(STDIN_FILENO, &before) == 0;
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
    if (terminal) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    auto answer = answer_to(question);
    if (terminal) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fmt::print("\n");
    constexpr char kInterrupt = '\x03';
    if (answer && answer->find(kInterrupt) != std::string::npos) return std::nullopt;
    return answer;
}

bool is_yes(const std::string& question, bool otherwise) {
    while (const auto answer = answer_to(question)) {
        if (answer->empty()) return otherwise;
        if (*answer == "y" || *answer == "yes") return true;
        if (*answer == "n" || *answer == "no") return false;
        fmt::print("yes or no?\n");
    }
    return false;
}

void print_lines(const char* before, const std::string& text) {
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        fmt::print("{}{}\n", before, printable(text.substr(begin, end - begin)));
        begin = end + 1;
    }
}

class Told : public setup::Dialogue {
public:
    Told(const SetupOptions& options, bool quiet) : options_(options), quiet_(quiet) {}

    bool agrees(const Step& step) override {
        if (options_.yes) return true;
        fmt::print("\n{}: {}\n", printable(step.about), step.why);
        for (const std::string& change : step.changes) print_lines("    ", change);
        return is_yes("Do this? [Y/n]", true);
    }

    Result<Role> choose_role() override {
        if (options_.show) {
            if (!quiet_) fmt::print("shown as for --role backup; --role restore needs more\n");
            return Role::backup;
        }
        if (options_.yes) {
            return Error(Errc::invalid, "what may this host do? --role backup or --role restore is missing")
                .with_hint("backup: reads everything; restore: a superuser in PostgreSQL, and writes Odoo's files");
        }
        fmt::print(
            "\nBackups need an agent that may read everything. Restores, rollbacks and drills on this host need a\n"
            "superuser in PostgreSQL, and a service that may write and give away Odoo's files.\n");
        while (const auto answer = answer_to("Which role, backup or restore? [backup]")) {
            if (answer->empty() || *answer == "backup") return Role::backup;
            if (*answer == "restore") return Role::restore;
        }
        return Error(Errc::cancelled, "nobody answered");
    }

    void told(const Outcome& outcome) override {
        if (quiet_) return;
        fmt::print("{:<9} {}\n", outcome.state, printable(outcome.about));
        const bool asked = !options_.yes && !options_.show;
        if (!asked || outcome.state == "good") {
            for (const std::string& change : outcome.changes) print_lines("    ", change);
        }
        print_lines("    ", outcome.problem);
        if (!outcome.hint.empty()) fmt::print("    → {}\n", printable(outcome.hint));
    }

private:
    const SetupOptions& options_;
    bool quiet_;
};

std::string program_for_hooks() {
    std::vector<char> path(4096);
    const ssize_t count = ::readlink("/proc/self/exe", path.data(), path.size());
    const std::string program(path.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
    const std::string folder = program.substr(0, program.rfind('/'));
    const std::string beside = folder + "/backstay";
    // As installed this is <prefix>/lib/backstay/backstay-cli.
    const std::size_t prefix = folder.rfind("/lib/backstay");
    if (::access(beside.c_str(), X_OK) == 0 || prefix == std::string::npos) return beside;
    return folder.substr(0, prefix) + "/bin/backstay";
}

// Images that are prepared from outside, and tests, have their system below a folder of their own.
std::string system_root() {
    const char* root = std::getenv("BACKSTAY_SYSTEM_ROOT");
    return root != nullptr ? root : "";
}

setup::Places places() {
    const std::string root = system_root();
    setup::Places places;
    places.units = root + places.units;
    places.clusters.debian = root + places.clusters.debian;
    places.clusters.sockets = root + places.clusters.sockets;
    places.systemd = ::access((root + "/run/systemd/system").c_str(), F_OK) == 0;
    return places;
}

bool jobs_run(const std::string& socket) {
    const auto status = AgentSocket(socket).get<local_api::StatusAnswer>("/v1/status");
    return status && !status->active.empty();
}

// Nobody chose a destination yet: there is none, or the one of the package.
bool is_undecided(const AgentConfig& config) {
    if (config.destinations.size() != 1) return config.destinations.empty();
    const json::Value* path = config.destinations.front().config.if_contains("path");
    return path != nullptr && path->is_string() && path->get_string() == "/var/backups/backstay";
}

// What nobody said and no step can find out.
Result<> ask_wishes(SetupOptions& options) {
    setup::Wishes& wishes = options.wishes;
    const AgentConfig now = load_agent_config(wishes.config).value_or(AgentConfig());
    const auto question = [](const char* text, std::string& wish) -> Result<> {
        const auto answer = answer_to(text);
        if (!answer) return Error(Errc::cancelled, "nobody answered");
        wish = *answer;
        return {};
    };
    if (wishes.destination.empty() && is_undecided(now)) {
        TRY(question("Folder for backups on this host (empty: as configured, which is /var/backups/backstay at first):",
                     wishes.destination));
    }
    if (wishes.url.empty() && now.control_plane_url.empty()) {
        TRY(question("URL of the control plane (empty: this host works alone):", wishes.url));
    }
    if (!wishes.url.empty() && wishes.url != now.control_plane_url && wishes.token.empty()) {
        const auto token = secret_answer_to("One-time token of the control plane (is not shown):");
        if (!token) return Error(Errc::cancelled, "nobody answered");
        wishes.token = *token;
    }
    if (!options.wal && now.wal.empty()) {
        wishes.wal =
            is_yes("Archive PostgreSQL's WAL, so that any moment of the last days can be had back? [y/N]", false);
    }
    return {};
}

Result<> complete(SetupOptions& options, bool json) {
    setup::Wishes& wishes = options.wishes;
    if (!options.show && ::geteuid() != 0 && system_root().empty()) {
        return Error(Errc::denied, "setup changes PostgreSQL, files and services of the system: only root can")
            .with_hint("sudo backstay setup; backstay setup --show tells what it would change");
    }
    if (options.role == "backup") wishes.role = Role::backup;
    if (options.role == "restore") wishes.role = Role::restore;
    if (!options.token_file.empty()) wishes.token = TRY(read_secret_file(options.token_file));
    wishes.wal = options.wal.value_or(false);
    wishes.hook = program_for_hooks();
    if (options.yes || options.show) return {};
    if (json || ::isatty(STDIN_FILENO) == 0) {
        return Error(Errc::invalid, "nobody can be asked here: --yes does it all, --show tells what that is");
    }
    return ask_wishes(options);
}

struct Report {
    std::vector<Outcome> steps;
    std::vector<local_api::CheckLine> checks;  // what is not well
    std::vector<std::string> left;
    std::string next;
};
BOOST_DESCRIBE_STRUCT(Report, (), (steps, checks, left, next))

bool any(const std::vector<Outcome>& steps, std::string_view state) {
    return std::any_of(steps.begin(), steps.end(), [&](const Outcome& one) { return one.state == state; });
}

ExitCode exit_of(const Report& report, bool show) {
    if (show) {
        const bool quiet = !any(report.steps, "planned") && !any(report.steps, "failed") && report.left.empty();
        return quiet ? ExitCode::ok : ExitCode::amber;
    }
    const bool ill = std::any_of(report.checks.begin(), report.checks.end(),
                                 [](const auto& line) { return line.result == "failed"; });
    if (ill || any(report.steps, "failed")) return ExitCode::failed;
    return any(report.steps, "declined") || !report.left.empty() ? ExitCode::amber : ExitCode::ok;
}

void print(const Report& report, bool show) {
    std::string changed;
    for (const Outcome& step : report.steps) {
        if (step.state == "changed") changed += fmt::format("  {}\n", printable(step.about));
    }
    const bool well = !any(report.steps, "failed") && !any(report.steps, "declined");
    const char* none = well ? "Nothing had to be changed.\n" : "Nothing was changed.\n";
    if (!show) fmt::print("\n{}{}", changed.empty() ? none : "Changed:\n", changed);
    if (!report.checks.empty()) fmt::print("\n{}", render_check({report.checks}));
    if (!report.left.empty()) fmt::print("\nLeft to do:\n");
    for (const std::string& one : report.left) fmt::print("  {}\n", printable(one));
    if (!show && any(report.steps, "failed"))
        fmt::print("\nMend what failed and run this again: it goes on from there.\n");
    if (!report.next.empty()) fmt::print("\nNext: {}\n", printable(report.next));
}

}  // namespace

int set_up(const Output& output, const SetupOptions& given) {
    SetupOptions options = given;
    if (const auto ready = complete(options, output.json); !ready) return report(output, ready.error());
    setup::RealHost host(options.wishes.account);
    setup::Context context{options.wishes, places(), host};
    context.busy = [&] { return jobs_run(context.config.socket); };
    Told dialogue(options, output.json);
    auto steps = setup::run(context, dialogue, options.show);
    if (!steps) return report(output, steps.error());
    Report result{std::move(*steps), {}, {}, ""};
    for (const Outcome& step : result.steps) result.left.insert(result.left.end(), step.left.begin(), step.left.end());
    if (!options.show && result.steps.size() > 1) {
        const auto databases = setup::odoo_databases(context);
        result.next =
            fmt::format("backstay backup {}",
                        databases.found.empty() ? "DATABASE" : setup::shell_word(databases.found.front().name));
        // Last: as root it goes on as the agent's account.
        result.checks = examine(output.socket, {options.wishes.config, options.wishes.account, ""});
        // Until PostgreSQL is restarted the check can but say again that it does not archive.
        const bool waits = std::any_of(result.steps.begin(), result.steps.end(),
                                       [](const Outcome& step) { return step.name == "wal" && !step.left.empty(); });
        std::erase_if(result.checks, [&](const auto& line) {
            return line.result == "ok" || (waits && line.subject.starts_with("WAL of "));
        });
    }
    const ExitCode end = exit_of(result, options.show);
    if (end == ExitCode::failed) result.next.clear();
    if (output.json) {
        fmt::print("{}\n", json::encode_text(result));
    } else {
        print(result, options.show);
    }
    return code(end);
}

}  // namespace backstay::cli
