#include "agent/setup/setup.h"

#include <fmt/format.h>

#include "common/process/account.h"

namespace backstay::setup {
namespace {

class Runner {
public:
    Runner(Context& context, Dialogue& dialogue, bool show_only)
        : context_(context), dialogue_(dialogue), show_only_(show_only) {}

    // What became of it.
    std::string take(const Step& step) {
        Outcome outcome{step.name, step.about, "", step.changes, step.left, step.problem, step.hint};
        if (!step.problem.empty()) {
            outcome.state = "failed";
        } else if (step.changes.empty()) {
            outcome.state = step.left.empty() ? "good" : "left";
        } else if (show_only_) {
            outcome.state = "planned";
        } else if (!dialogue_.agrees(step)) {
            outcome.state = "declined";
        } else {
            const auto done = step.apply();
            outcome.state = done ? "changed" : "failed";
            if (!done) outcome.problem = done.error().message();
            if (!done) outcome.hint = done.error().hint();
        }
        const bool taken = outcome.state == "changed" || outcome.state == "planned";
        context_.restart = context_.restart || (taken && step.restarts);
        dialogue_.told(outcome);
        outcomes_.push_back(std::move(outcome));
        return outcomes_.back().state;
    }

    std::vector<Outcome> outcomes() { return std::move(outcomes_); }

private:
    Context& context_;
    Dialogue& dialogue_;
    bool show_only_;
    std::vector<Outcome> outcomes_;
};

// Before anything is changed. A server that does not answer is told by its own step.
Result<Role> role_of(Context& context, Dialogue& dialogue) {
    if (context.wishes.role) return *context.wishes.role;
    const auto present = present_role(context);
    if (!present) return Role::backup;
    if (*present) return **present;
    return dialogue.choose_role();
}

bool is_undone(const std::string& state) { return state == "failed" || state == "declined"; }

std::vector<Step> unserved(const Context& context) {
    std::vector<Step> steps;
    for (const WalConfig& wal : context.config.wal) {
        Step step{"wal", "WAL archive of PostgreSQL " + wal.cluster, ""};
        step.left.push_back(
            "PostgreSQL is not told to hand its WAL over before the agent can take it: when the steps "
            "before are done, run this again");
        steps.push_back(std::move(step));
    }
    return steps;
}

}  // namespace

Step Step::failed(std::string name, std::string about, const Error& error) {
    Step step{std::move(name), std::move(about), ""};
    step.problem = error.message();
    step.hint = error.hint();
    return step;
}

Result<std::vector<Outcome>> run(Context& context, Dialogue& dialogue, bool show_only) {
    if (!account_named(context.wishes.account)) {
        return Error(Errc::not_found,
                     fmt::format("there is no account {}, which the agent runs as", context.wishes.account))
            .with_hint("the package backstay-agent makes it; by hand: systemd-sysusers with its .sysusers file");
    }
    Runner runner(context, dialogue, show_only);
    const Step file = configuration(context);
    if (!file.problem.empty()) {
        runner.take(file);
        return runner.outcomes();
    }
    context.role = TRY(role_of(context, dialogue));
    if (is_undone(runner.take(file))) return runner.outcomes();
    bool served = true;  // the agent can take WAL
    for (const auto stage : {folders, roles, confinement, enrolment, service}) {
        for (const Step& step : stage(context)) {
            const std::string state = runner.take(step);
            const bool waits = step.name == "service" && state == "left" && context.places.systemd;
            served = served && !waits && (step.name == "enrolment" || !is_undone(state));
        }
    }
    // PostgreSQL keeps what nobody takes, until its disk is full.
    for (const Step& step : served ? archiving(context) : unserved(context)) runner.take(step);
    return runner.outcomes();
}

}  // namespace backstay::setup
