// CLI11's home in the control plane: it costs many seconds of compile time.
#include "control-plane/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <functional>

#include "common/last_words.h"
#include "control-plane/cli/commands.h"
#include "control-plane/cli/owner.h"
#include "control-plane/serve/daemon.h"

namespace backstay::cli {
namespace {

using Action = std::function<Result<>()>;

// What the chosen command will do, and where its options go; filled while the line is parsed.
struct CommandLine {
    Common common;
    InitArguments init;
    serve::ServeOptions serve;
    TokenArguments token;
    OrganizationArguments organization;
    ProjectArguments project;
    EnvironmentArguments environment;
    DestinationArguments destination;
    EnrollTokenArguments enroll;
    KeyArguments key;
    ScheduleArguments schedule;
    AlertArguments alert;
    DrillArguments drill;
    AuditArguments audit;
    OwnBackupArguments own;
    MoveArguments move;
    bool makes_state = false;  // root stays root: the folder's owner is not known yet
    std::string slug;
    std::string id;
    Action action;
};

CLI::App* command(CLI::App& parent, CommandLine& line, const std::string& name, const std::string& help,
                  Action action) {
    CLI::App* app = parent.add_subcommand(name, help);
    app->add_option("--state", line.common.state_dir, "The state folder, as made by init")->required();
    app->add_flag("--json", line.common.json, "Print one JSON object");
    app->callback([&line, action = std::move(action)] { line.action = action; });
    return app;
}

CLI::App* group(CLI::App& parent, const std::string& name, const std::string& help) {
    CLI::App* app = parent.add_subcommand(name, help);
    app->require_subcommand(1);
    return app;
}

void add_organization(CLI::App* app, std::string& slug) {
    app->add_option("--org", slug, "The organization's slug")->required();
}

void add_server(CLI::App& app, CommandLine& line) {
    CLI::App* init =
        command(app, line, "init", "Make a new installation", [&] { return cli::init(line.common, line.init); });
    init->add_option("--listen", line.init.listen, "HOST:PORT to write into control.toml")->capture_default_str();
    CLI::App* serve = command(app, line, "serve", "Run the control plane", [&] {
        line.serve.state_dir = line.common.state_dir;
        return serve::serve(line.serve);
    });
    init->add_option("--store", line.init.store, "postgresql://… instead of a file in the state folder");
    serve->add_option("--listen", line.serve.listen, "HOST:PORT instead of control.toml's; port 0 is chosen");
    serve->add_option("--store", line.serve.store_url, "Another store: sqlite:PATH or postgresql://…");
    command(app, line, "replicas", "Show the processes that serve a PostgreSQL store",
            [&] { return replica_list(line.common); });
    CLI::App* token = command(app, line, "token", "Print a token (JWT) for a person",
                              [&] { return cli::token(line.common, line.token); });
    add_organization(token, line.token.organization);
    token->add_option("--role", line.token.role, "owner, admin, developer or viewer")->capture_default_str();
    token->add_option("--subject", line.token.subject, "Who: an e-mail address")->capture_default_str();
    token->add_option("--ttl", line.token.ttl_s, "How many seconds it lives")->capture_default_str();
}

void add_organizations(CLI::App& app, CommandLine& line) {
    CLI::App* organizations = group(app, "org", "Organizations");
    CLI::App* create = command(*organizations, line, "create", "Make an organization",
                               [&] { return organization_create(line.common, line.organization); });
    create->add_option("--slug", line.organization.slug, "Its short name in headers and commands")->required();
    create->add_option("--name", line.organization.name, "Its name for people")->required();
    command(*organizations, line, "list", "Show all", [&] { return organization_list(line.common); });

    CLI::App* projects = group(app, "project", "Projects");
    create =
        command(*projects, line, "create", "Make a project", [&] { return project_create(line.common, line.project); });
    add_organization(create, line.project.organization);
    create->add_option("--name", line.project.name, "Its name")->required();
    create->add_option("--description", line.project.description, "What it is");
    add_organization(command(*projects, line, "list", "Show all", [&] { return project_list(line.common, line.slug); }),
                     line.slug);
}

void add_environments(CLI::App& app, CommandLine& line) {
    CLI::App* environments = group(app, "environment", "Environments: one Odoo database each");
    CLI::App* create = command(*environments, line, "create", "Make an environment",
                               [&] { return environment_create(line.common, line.environment); });
    add_organization(create, line.environment.organization);
    create->add_option("--project", line.environment.project, "The project's id")->required();
    create->add_option("--name", line.environment.name, "Its name")->required();
    create->add_option("--type", line.environment.type, "production, staging or development")->required();
    create->add_option("--agent", line.environment.agent, "The id of the agent beside its database")->required();
    create->add_option("--database", line.environment.database, "The database's name")->required();
    create->add_option("--filestore", line.environment.filestore, "Its filestore; found when not given");
    create->add_option("--odoo-conf", line.environment.odoo_conf, "Its odoo.conf; found when not given");
    create->add_option("--cluster", line.environment.cluster, "The agent's cluster, when it has several");
    CLI::App* list = command(*environments, line, "list", "Show a project's",
                             [&] { return environment_list(line.common, line.slug, line.id); });
    add_organization(list, line.slug);
    list->add_option("--project", line.id, "The project's id")->required();
}

void add_destinations(CLI::App& app, CommandLine& line) {
    CLI::App* destinations = group(app, "destination", "Where backups are kept");
    CLI::App* create = command(*destinations, line, "create", "Make a backup destination",
                               [&] { return destination_create(line.common, line.destination); });
    add_organization(create, line.destination.organization);
    create->add_option("--name", line.destination.name, "Its name")->required();
    create->add_option("--type", line.destination.type, "local, s3, s3_compatible or sftp")->required();
    create->add_option("--config", line.destination.config, "Its configuration as JSON")->required();
    create->add_option("--agent", line.destination.agent, "The agent on whose host a local path is");
    create->add_flag("--default", line.destination.is_default, "Used by backups that name none");
    create->add_flag("--encrypt", line.destination.encrypt, "Artifacts are encrypted by the agent");
    create->add_flag("--skip-test", line.destination.skip_test, "Save it without testing the connection");
    add_organization(
        command(*destinations, line, "list", "Show all", [&] { return destination_list(line.common, line.slug); }),
        line.slug);
}

void add_agents_and_keys(CLI::App& app, CommandLine& line) {
    CLI::App* agents = group(app, "agent", "Agents");
    CLI::App* enroll = command(*agents, line, "enroll-token", "Print a one-time token for `backstay enroll`",
                               [&] { return agent_enroll_token(line.common, line.enroll); });
    add_organization(enroll, line.enroll.organization);
    enroll->add_option("--name", line.enroll.name, "The agent's name; its host name when not given");
    enroll->add_option("--ttl", line.enroll.ttl_s, "How many seconds it lives")->capture_default_str();
    add_organization(command(*agents, line, "list", "Show all", [&] { return agent_list(line.common, line.slug); }),
                     line.slug);

    CLI::App* keys = group(app, "key", "API keys");
    CLI::App* create =
        command(*keys, line, "create", "Print a new API key", [&] { return key_create(line.common, line.key); });
    add_organization(create, line.key.organization);
    create->add_option("--mode", line.key.mode, "ro (reads only) or rw")->capture_default_str();
    create->add_option("--name", line.key.name, "What it is for");
    create->add_option("--project", line.key.project, "Limits it to one project");
    add_organization(command(*keys, line, "list", "Show all", [&] { return key_list(line.common, line.slug); }),
                     line.slug);
    CLI::App* revoke = command(*keys, line, "revoke", "End a key at once",
                               [&] { return key_revoke(line.common, line.slug, line.id); });
    add_organization(revoke, line.slug);
    revoke->add_option("--id", line.id, "The key's id")->required();
}

constexpr const char* kNumbers =
    "Numbers as JSON: {\"retainDaily\": 14, \"retainFullWeekly\": null}; null is inherited";

void add_schedules(CLI::App& app, CommandLine& line) {
    CLI::App* schedules = group(app, "schedule", "When environments are backed up by themselves");
    ScheduleArguments& to = line.schedule;
    const auto of_one = [&](const char* name, const char* help, Action action) {
        CLI::App* one = command(*schedules, line, name, help, std::move(action));
        add_organization(one, to.organization);
        one->add_option("--environment", to.environment, "The environment's id")->required();
        return one;
    };
    of_one("show", "Show one", [&] { return schedule_show(line.common, line.schedule); });
    of_one("remove", "End one; backups stay", [&] { return schedule_remove(line.common, line.schedule); });
    CLI::App* set = of_one("set", "Make or change one; what is not given stays",
                           [&] { return schedule_set(line.common, line.schedule); });
    const char* cadence = "none, hourly, every_6_hours, every_12_hours, daily, weekly, monthly, or a cron in quotes";
    set->add_option("--db", to.database, std::string("Of the database: ") + cadence);
    set->add_option("--full", to.full, std::string("With the filestore: ") + cadence);
    set->add_option("--timezone", to.time_zone, "Whose hours they are: Europe/Brussels");
    set->add_option("--destination", to.destinations, "The id of a destination; may be given several times");
    set->add_option("--enabled", to.enabled, "on or off");
    set->add_option("--paused", to.paused, "on or off; a pause holds runs and retention");
    set->add_option("--wal", to.wal, "on or off: asks for a window of WAL");
    set->add_option("--wal-days", to.wal_days, "How many days it is long");
    set->add_option("--retention", to.retention, kNumbers);
    add_organization(
        command(*schedules, line, "list", "Show all", [&] { return schedule_list(line.common, line.slug); }),
        line.slug);
}

void add_retention(CLI::App& app, CommandLine& line) {
    CLI::App* policy = group(app, "retention", "What schedules keep that say nothing themselves");
    add_organization(command(*policy, line, "show", "Show it", [&] { return retention_show(line.common, line.slug); }),
                     line.slug);
    CLI::App* set =
        command(*policy, line, "set", "Change it", [&] { return retention_set(line.common, line.schedule); });
    add_organization(set, line.schedule.organization);
    set->add_option("--retention", line.schedule.retention, kNumbers)->required();
    add_organization(command(*policy, line, "reset", "Back to the built-in numbers",
                             [&] { return retention_reset(line.common, line.slug); }),
                     line.slug);
}

void add_drills(CLI::App& app, CommandLine& line) {
    CLI::App* drills = group(app, "drills", "Restores on trial of an environment's newest backup");
    const auto of_one = [&](const char* name, const char* help, Action action) {
        CLI::App* one = command(*drills, line, name, help, std::move(action));
        add_organization(one, line.drill.organization);
        one->add_option("--environment", line.drill.environment, "The environment's id")->required();
        return one;
    };
    of_one("list", "Show them, newest first", [&] { return drills_list(line.common, line.drill); });
    of_one("run", "Order one now", [&] { return drills_run(line.common, line.drill); });
    of_one("set", "How often they come by themselves", [&] { return drills_set(line.common, line.drill); })
        ->add_option("--every-days", line.drill.every_days, "Days between two; 0: never")
        ->required();
}

void add_alerts(CLI::App& app, CommandLine& line) {
    CLI::App* alerts = group(app, "alert", "What somebody should look at");
    CLI::App* list = command(*alerts, line, "list", "Show those that are not dismissed, newest first",
                             [&] { return alert_list(line.common, line.alert); });
    add_organization(list, line.alert.organization);
    list->add_flag("--all", line.alert.all, "Dismissed ones too");
    const auto of_one = [&](const char* name, const char* help, Action action) {
        CLI::App* one = command(*alerts, line, name, help, std::move(action));
        add_organization(one, line.alert.organization);
        one->add_option("--id", line.alert.id, "The alert's id")->required();
    };
    of_one("read", "Mark one as read", [&] { return alert_read(line.common, line.alert); });
    of_one("dismiss", "Take one off the list", [&] { return alert_dismiss(line.common, line.alert); });
}

void add_audit(CLI::App& app, CommandLine& line) {
    CLI::App* list = command(*group(app, "audit", "Who did what"), line, "list", "Show it, newest first",
                             [&] { return audit_list(line.common, line.audit); });
    add_organization(list, line.audit.organization);
    list->add_option("--actor", line.audit.actor, "Only of this one: an e-mail, api-key:<prefix>, cli, link, system");
    list->add_option("--action", line.audit.action, "Only this action, or group: storage.upload, storage, refused");
    list->add_option("--object", line.audit.object, "Only what was done to the object of this id");
    list->add_option("--since", line.audit.since, "Not before: 2026-01-31T00:00:00Z");
    list->add_option("--until", line.audit.until, "Before then");
    list->add_option("--limit", line.audit.limit, "At most so many")->capture_default_str();
}

void add_own_backup(CLI::App& app, CommandLine& line) {
    OwnBackupArguments& own = line.own;
    CLI::App* save = command(app, line, "backup", "Back up the control plane itself, beside a running server",
                             [&] { return cli::own_backup(line.common, line.own); });
    save->add_option("--output", own.output, "A folder, a new file, or - for standard output")->required();
    save->add_option("--key", own.key_file, "Encrypts it under the key in this file (`backstay key generate`)");
    save->add_flag("--without-keys", own.without_keys, "Leaves out secrets.key and its kin");
    save->add_option("--keep", own.keep, "In a folder: the oldest go, so many stay; 0: all")
        ->check(CLI::Range(0, 10'000));
    CLI::App* restore = command(app, line, "restore", "Put a backup of the control plane into a new state folder",
                                [&] { return cli::own_restore(line.common, line.own); });
    restore->add_option("--from", own.from, "The backup")->required();
    restore->add_option("--key", own.key_file, "The key of an encrypted one");
    restore->add_option("--store", own.store, "postgresql://… of an empty database instead of an SQLite file");
    command(app, line, "release-hold", "After a restore: let retention and expiry go on before three days are over",
            [&] { return release_hold(line.common); });
    restore->preparse_callback([&line](std::size_t) { line.makes_state = true; });
}

void add_store(CLI::App& app, CommandLine& line) {
    CLI::App* move = command(app, line, "migrate-store", "Move the store to PostgreSQL, or back to SQLite",
                             [&] { return migrate_store(line.common, line.move); });
    move->add_option("--to", line.move.to, "postgresql://… or sqlite:PATH")->required();
    move->add_flag("--keep-settings", line.move.keep_settings, "Leave `store` in control.toml as it is");
}

int exit_code(const Error& error) {
    switch (error.code()) {
        case Errc::invalid:
            return 2;
        case Errc::corrupted:
            return 4;
        case Errc::cancelled:
            return 130;
        case Errc::not_found:
        case Errc::conflict:
        case Errc::denied:
        case Errc::unavailable:
        case Errc::timed_out:
        case Errc::exhausted:
        case Errc::io:
            return 1;
    }
    return 1;
}

}  // namespace

int run(int argc, char** argv) {
    CLI::App app("Backstay's control plane", "backstay-control");
    app.set_version_flag("--version", BACKSTAY_VERSION);
    app.require_subcommand(1);
    CommandLine line;
    add_server(app, line);
    add_organizations(app, line);
    add_environments(app, line);
    add_destinations(app, line);
    add_agents_and_keys(app, line);
    add_schedules(app, line);
    add_retention(app, line);
    add_drills(app, line);
    add_alerts(app, line);
    add_audit(app, line);
    add_own_backup(app, line);
    add_store(app, line);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    Result<> done = line.makes_state ? Result<>() : become_owner(line.common.state_dir);
    if (done) done = line.action();
    if (done) return 0;
    log::last_words("backstay-control", done.error());
    return exit_code(done.error());
}

}  // namespace backstay::cli
