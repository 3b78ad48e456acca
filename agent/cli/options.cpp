// CLI11's home in the agent: it costs half a minute of compile time, so that nothing else is in here.
#include "agent/cli/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <any>
#include <cstdlib>
#include <deque>
#include <functional>

#include "agent/cli/commands.h"
#include "common/http/message.h"
#include "common/version.h"

namespace backstay::cli {
namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done · 1 failed · 2 wrong usage · 3 done in part, or warnings · 4 no agent answers · 5 no such job "
    "or "
    "backup.\nThe socket is --socket, else $BACKSTAY_SOCKET, else /run/backstay/agent.sock.";

struct Chosen {
    Output output;
    std::function<int()> run;
    std::deque<std::any> values;
};

std::string default_socket() {
    const char* named = std::getenv("BACKSTAY_SOCKET");
    return named != nullptr && *named != '\0' ? named : "/run/backstay/agent.sock";
}

// A request's members that were given; the others stay away.
template <class Message>
std::string body_of(const Message& message) {
    json::Value value = json::encode(message);
    auto& object = value.as_object();
    for (auto item = object.begin(); item != object.end();) {
        item = item->value().is_null() ? object.erase(item) : item + 1;
    }
    return json::serialize(value);
}

// Two flags of which neither need be given: CLI11 would read an optional's absence as false.
void add_choice(CLI::App& command, const char* yes, const char* no, std::optional<bool>& choice, const char* help) {
    command.add_flag_callback(
        yes, [&choice] { choice = true; }, help);
    command.add_flag_callback(no, [&choice] { choice = false; });
}

void add_wait(CLI::App& command, bool& wait) {
    command.add_flag("--wait,!--no-wait", wait, "follow it to its end (default), or return at once");
}

// Where it goes, and what becomes of what is there: of restores and rollbacks.
template <class Request>
void add_target(CLI::App& command, Request& request, std::optional<std::int64_t>& keep_hours) {
    command.add_option("--cluster", request.cluster);
    command.add_option("--filestore", request.filestore, "the target's folder; else found");
    add_choice(command, "--neutralize", "--no-neutralize", request.neutralize, "default: only into another database");
    add_choice(command, "--new-uuid", "--keep-uuid", request.new_uuid, "default: only into another database");
    command.add_option("--keep-hours", keep_hours, "how long the previous pair is kept (default 24)")
        ->check(CLI::Range(0, 2160));
}

// Values of the commands live as long as the parser, at addresses that it keeps.
template <class T>
T& kept(Chosen& chosen) {
    return std::any_cast<T&>(chosen.values.emplace_back(T{}));
}

void add_report_again(CLI::App& app, Chosen& chosen) {
    auto& since = kept<std::string>(chosen);
    CLI::App* again =
        app.add_subcommand("report-again", "tell a control plane that was restored what it does not know");
    again->add_option("--since", since, "the moment of its backup: 2026-01-02T03:04:05Z")->required();
    again->callback([&] { chosen.run = [&] { return report_again(chosen.output, since); }; });
}

void add_reading(CLI::App& app, Chosen& chosen) {
    CLI::App* status = app.add_subcommand("status", "the agent, what runs, the last backup of each database");
    status->callback([&] { chosen.run = [&] { return show_status(chosen.output); }; });

    auto& of = kept<std::string>(chosen);
    CLI::App* why = app.add_subcommand("why", "why this host is not all green, what to do, and what happens by itself");
    why->add_option("DATABASE|JOB", of, "of this one only");
    why->callback([&] { chosen.run = [&] { return show_why(chosen.output, of); }; });

    auto& live = kept<TopOptions>(chosen);
    CLI::App* top =
        app.add_subcommand("top", "a live view: health, what runs, WAL, backups, destinations, what is next");
    top->add_option("--interval", live.interval_s, "seconds between two looks")
        ->check(CLI::Range(0.2, 3600.0))
        ->capture_default_str();
    top->add_flag("--once", live.once, "one frame, as where the output is no terminal");
    top->callback([&] { chosen.run = [&] { return cli::top(chosen.output, live); }; });

    auto& limit = kept<std::size_t>(chosen);
    limit = 20;
    CLI::App* jobs = app.add_subcommand("jobs", "jobs, newest first");
    jobs->add_option("--limit", limit, "how many")->check(CLI::Range(1, 1000));
    jobs->callback([&] { chosen.run = [&] { return show_jobs(chosen.output, limit); }; });

    CLI::App* refused = app.add_subcommand("refused", "reports that the control plane did not take, and why");
    refused->add_option("--limit", limit, "how many")->check(CLI::Range(1, 1000));
    refused->callback([&] { chosen.run = [&] { return show_refused(chosen.output, limit); }; });

    auto& id = kept<std::string>(chosen);
    CLI::App* job = app.add_subcommand("job", "one job: steps, copies, and why it is green or not");
    job->add_option("JOB", id, "its id, or the beginning")->required();
    job->callback([&] { chosen.run = [&] { return show_job(chosen.output, id); }; });

    auto& followed = kept<std::string>(chosen);
    CLI::App* watched = app.add_subcommand("watch", "follow a job to its end");
    watched->add_option("JOB", followed)->required();
    watched->callback([&] { chosen.run = [&] { return watch(chosen.output, followed); }; });

    auto& database = kept<std::string>(chosen);
    CLI::App* backups = app.add_subcommand("backups", "backups that this agent made");
    backups->add_option("DATABASE", database, "of this database only");
    backups->add_option("--limit", limit)->check(CLI::Range(1, 1000));
    backups->callback([&] { chosen.run = [&] { return show_backups(chosen.output, database, limit); }; });

    CLI::App* inventory =
        app.add_subcommand("inventory", "servers, databases and Odoo instances of this host, as JSON");
    inventory->callback([&] { chosen.run = [&] { return show_inventory(chosen.output); }; });

    CLI::App* metrics = app.add_subcommand("metrics", "figures for Prometheus");
    metrics->callback([&] { chosen.run = [&] { return show_metrics(chosen.output); }; });

    auto& checked = kept<std::pair<std::string, std::string>>(chosen);
    CLI::App* checks = app.add_subcommand("check", "what would fail, before it fails");
    checks->add_option("DATABASE", checked.first, "this one only; else every Odoo");
    checks->add_option("--cluster", checked.second);
    checks->callback([&] { chosen.run = [&] { return check(chosen.output, checked.first, checked.second); }; });
}

void add_backup(CLI::App& app, Chosen& chosen) {
    auto& request = kept<local_api::BackupRequest>(chosen);
    auto& wait = kept<bool>(chosen);
    wait = true;
    CLI::App* command = app.add_subcommand("backup", "back up a database, its filestore and configuration");
    command->add_option("DATABASE", request.database)->required();
    command->add_option("--type", request.type, "full (default) or db")->check(CLI::IsMember({"full", "db"}));
    command->add_option("--to", request.destinations, "destination ids; else all of the configuration");
    command->add_option("--cluster", request.cluster);
    command->add_option("--label", request.label);
    command->add_option("--trigger", request.trigger, "manual (default), pre_deploy, pre_upgrade …");
    add_wait(*command, wait);
    command->callback(
        [&] { chosen.run = [&] { return order(chosen.output, "POST", "/v1/backups", body_of(request), wait); }; });
}

void add_alone(CLI::App& command, AloneOptions& alone) {
    command.add_option("--from", alone.from,
                       "with no agent running, from this destination: a folder, a file of JSON, or one of --config");
    command.add_option("--config", alone.config, "of the agent, for work without it");
    command.add_option("--key", alone.key, "the encryption key's file, for work without an agent");
}

AloneOptions alone_of(AloneOptions alone, const local_api::RestoreRequest& request) {
    alone.backup = request.backup;
    alone.database = request.database;
    alone.cluster = request.cluster;
    alone.filestore = request.filestore;
    alone.scope = request.scope;
    alone.neutralize = request.neutralize;
    alone.new_uuid = request.new_uuid;
    alone.keep_previous_ms = request.keep_previous_ms;
    alone.of = request.of.value_or("");
    return alone;
}

void add_restore(CLI::App& app, Chosen& chosen) {
    auto& request = kept<local_api::RestoreRequest>(chosen);
    auto& wait = kept<bool>(chosen);
    auto& keep_hours = kept<std::optional<std::int64_t>>(chosen);
    wait = true;
    auto& alone = kept<AloneOptions>(chosen);
    CLI::App* command = app.add_subcommand("restore", "restore a backup, beside what runs, then swapped in");
    command->add_option("BACKUP", request.backup, "its id, or the beginning; with --from also latest, or none to list");
    add_alone(*command, alone);
    auto& moment = kept<std::string>(chosen);
    command->add_option("--at", moment, "a moment instead of the backup: 2026-01-02T15:04:05+01:00; no zone: UTC");
    command->add_option("--of", request.of, "whose moment, when no BACKUP says it");
    command->add_option("--database", request.database, "into this one; else where it came from");
    add_target(*command, request, keep_hours);
    command->add_option("--scope", request.scope, "all (default), db or filestore")
        ->check(CLI::IsMember({"all", "db", "filestore"}));
    add_choice(*command, "--safety-backup", "--no-safety-backup", request.safety_backup,
               "of the target first (default)");
    add_wait(*command, wait);
    command->callback([&] {
        chosen.run = [&] {
            if (keep_hours) request.keep_previous_ms = *keep_hours * 3'600'000;
            if (!alone.from.empty()) {
                AloneOptions options = alone_of(alone, request);
                options.at = moment;
                return restore_alone(chosen.output, options);
            }
            if (!moment.empty()) {
                const auto target = parse_moment(moment);
                if (!target) return report(chosen.output, target.error());
                request.at = Timestamp{*target};
                if (!request.of && request.backup.empty()) request.of = request.database;
            }
            if (request.backup.empty() && !(request.at && request.of))
                return report(chosen.output, Error(Errc::invalid, "BACKUP is required"));
            return order(chosen.output, "POST", "/v1/restores", body_of(request), wait);
        };
    });
}

void add_wal(CLI::App& app, Chosen& chosen) {
    auto& request = kept<local_api::BaseBackupRequest>(chosen);
    auto& wait = kept<bool>(chosen);
    wait = true;
    CLI::App* base = app.add_subcommand("base-backup", "copy a whole cluster, for restores to a moment");
    base->add_option("CLUSTER", request.cluster, "of the configuration; else the only one");
    base->add_option("--to", request.destinations, "destination ids; else those of the cluster's WAL");
    add_wait(*base, wait);
    base->callback(
        [&] { chosen.run = [&] { return order(chosen.output, "POST", "/v1/base-backups", body_of(request), wait); }; });

    auto& alone = kept<AloneOptions>(chosen);
    CLI::App* show = app.add_subcommand("wal-show", "what archives of WAL hold: timelines, ranges, gaps, base backups");
    add_alone(*show, alone);
    show->callback([&] {
        chosen.run = [&] {
            return alone.from.empty() ? show_wal(chosen.output) : wal_show_alone(chosen.output, alone);
        };
    });
}

void add_verify_and_copy(CLI::App& app, Chosen& chosen) {
    auto& verify = kept<local_api::VerifyRequest>(chosen);
    auto& wait = kept<bool>(chosen);
    wait = true;
    CLI::App* verifying = app.add_subcommand("verify", "read a backup back from its destinations");
    verifying->add_option("BACKUP", verify.backup)->required();
    verifying->add_flag_callback(
        "--drill", [&] { verify.drill = true; }, "also restore it into a scratch database and ask questions");
    add_wait(*verifying, wait);
    verifying->callback(
        [&] { chosen.run = [&] { return order(chosen.output, "POST", "/v1/verifications", body_of(verify), wait); }; });

    auto& copy = kept<local_api::CopyRequest>(chosen);
    CLI::App* copying = app.add_subcommand("copy", "bring a backup to destinations that lack it");
    copying->add_option("BACKUP", copy.backup)->required();
    copying->add_option("--to", copy.destinations, "destination ids; else all of the configuration");
    add_wait(*copying, wait);
    copying->callback(
        [&] { chosen.run = [&] { return order(chosen.output, "POST", "/v1/copies", body_of(copy), wait); }; });
}

void add_undo_and_delete(CLI::App& app, Chosen& chosen) {
    auto& undo = kept<local_api::UndoRequest>(chosen);
    auto& wait = kept<bool>(chosen);
    wait = true;
    CLI::App* undoing = app.add_subcommand("undo", "put back what a restore replaced, while it is kept");
    undoing->add_option("RESTORE", undo.restore, "the restore's job or its id")->required();
    auto& undo_here = kept<bool>(chosen);
    auto& undo_options = kept<AloneOptions>(chosen);
    undoing->add_flag("--alone", undo_here, "the restore was one with --from: no agent is asked");
    undoing->add_option("--config", undo_options.config, "of the agent, for work without it");
    add_wait(*undoing, wait);
    undoing->callback([&] {
        chosen.run = [&] {
            if (undo_here) return undo_alone(chosen.output, undo_options, undo.restore);
            return order(chosen.output, "POST", "/v1/undos", body_of(undo), wait);
        };
    });

    auto& backup = kept<std::string>(chosen);
    CLI::App* deleting = app.add_subcommand("delete", "remove a backup from its destinations");
    deleting->add_option("BACKUP", backup)->required();
    add_wait(*deleting, wait);
    deleting->callback([&] {
        chosen.run = [&] {
            return order(chosen.output, "DELETE", "/v1/backups/" + http::percent_encode(backup, false), "", wait);
        };
    });

    auto& job = kept<std::string>(chosen);
    CLI::App* cancelling = app.add_subcommand("cancel", "stop a job that waits or runs");
    cancelling->add_option("JOB", job)->required();
    cancelling->callback([&] { chosen.run = [&] { return cancel(chosen.output, job); }; });
}

void add_odoo_zip(CLI::App& app, Chosen& chosen) {
    auto& out = kept<ExportOptions>(chosen);
    CLI::App* exporting = app.add_subcommand("export", "a backup as the ZIP that Odoo's own database manager restores");
    exporting->add_option("BACKUP", out.alone.backup, "its id, the beginning, or latest")->required();
    exporting->add_option("--odoo-zip", out.odoo_zip, "the new file, which must not exist; \"-\": standard output")
        ->required();
    exporting->add_option("--from", out.alone.from,
                          "the destination: a folder, a file of JSON, or one of --config; else all of --config");
    exporting->add_option("--config", out.alone.config, "of the agent, which need not run");
    exporting->add_option("--key", out.alone.key, "the encryption key's file");
    exporting->callback([&] { chosen.run = [&] { return export_backup(chosen.output, out); }; });

    auto& in = kept<ImportOptions>(chosen);
    CLI::App* importing = app.add_subcommand("import", "a ZIP of Odoo's database manager as a backup");
    importing->add_option("ZIP", in.zip, "its SQL runs in a scratch database: only ZIPs that you trust")->required();
    importing->add_option("--to", in.alone.from, "the destination: a folder, a file of JSON, or one of --config")
        ->required();
    importing->add_option("--database", in.alone.database, "of this name; else as the ZIP says");
    importing->add_option("--cluster", in.alone.cluster, "for the scratch database");
    importing->add_option("--owner", in.owner, "the role that Odoo uses; else the cluster's user");
    importing->add_option("--label", in.label);
    importing->add_option("--config", in.alone.config, "of the agent, which need not run");
    importing->add_option("--key", in.alone.key, "encrypt it under the key in this file");
    importing->callback([&] { chosen.run = [&] { return import_backup(chosen.output, in); }; });
}

void add_rollback(CLI::App& app, Chosen& chosen) {
    auto& request = kept<local_api::RollbackRequest>(chosen);
    auto& keep_hours = kept<std::optional<std::int64_t>>(chosen);
    auto& wait = kept<bool>(chosen);
    wait = true;
    CLI::App* command = app.add_subcommand("rollback", "go back to a snapshot; `undo` leads forward again");
    command->add_option("SNAPSHOT", request.snapshot, "its id, or the beginning")->required();
    command->add_option("--to", request.database, "into this database; else the one that it is of");
    add_target(*command, request, keep_hours);
    add_choice(*command, "--safety", "--no-safety", request.safety_snapshot,
               "a snapshot of the target first (default)");
    add_wait(*command, wait);
    command->callback([&] {
        chosen.run = [&] {
            if (keep_hours) request.keep_previous_ms = *keep_hours * 3'600'000;
            return order(chosen.output, "POST", "/v1/rollbacks", body_of(request), wait);
        };
    });
}

void add_snapshots(CLI::App& app, Chosen& chosen) {
    auto& request = kept<local_api::SnapshotRequest>(chosen);
    auto& wait = kept<bool>(chosen);
    wait = true;
    CLI::App* command = app.add_subcommand("snapshot", "keep this moment of a database and its filestore on this host");
    command->add_option("DATABASE", request.database)->required();
    command->add_option("--label", request.label);
    command->add_option("--trigger", request.trigger, "manual (default), pre_deploy, pre_upgrade …");
    command->add_flag_callback(
        "--full", [&] { request.full = true; }, "all files, even if a differential would do");
    command->add_option("--to", request.destinations, "destination ids to copy it to afterwards; else none");
    command->add_option("--cluster", request.cluster);
    add_wait(*command, wait);
    command->callback(
        [&] { chosen.run = [&] { return order(chosen.output, "POST", "/v1/snapshots", body_of(request), wait); }; });

    auto& database = kept<std::string>(chosen);
    auto& limit = kept<std::size_t>(chosen);
    limit = 20;
    CLI::App* listing = app.add_subcommand("snapshots", "snapshots on this host, newest first");
    listing->add_option("DATABASE", database, "of this database only");
    listing->add_option("--limit", limit)->check(CLI::Range(1, 1000));
    listing->callback([&] { chosen.run = [&] { return show_snapshots(chosen.output, database, limit); }; });

    auto& snapshot = kept<std::string>(chosen);
    CLI::App* deleting = app.add_subcommand("snapshot-delete", "remove a snapshot from this host and its copies");
    deleting->add_option("SNAPSHOT", snapshot)->required();
    add_wait(*deleting, wait);
    deleting->callback([&] {
        chosen.run = [&] {
            return order(chosen.output, "DELETE", "/v1/snapshots/" + http::percent_encode(snapshot, false), "", wait);
        };
    });
    add_rollback(app, chosen);
}

void add_limits(CLI::App& app, Chosen& chosen) {
    auto& change = kept<local_api::LimitsView>(chosen);
    CLI::App* command = app.add_subcommand("limits", "show or change what a backup may take, also while it runs");
    auto& rate = kept<std::optional<std::uint64_t>>(chosen);
    command->add_option("--rate", rate, "bytes a second of reading and uploading (10MB …); 0: unlimited")
        ->transform(CLI::AsSizeValue(true));
    command->add_option("--concurrent-jobs", change.concurrent_jobs);
    command->add_option("--zstd-level", change.zstd_level);
    command->add_option("--compression-threads", change.compression_threads);
    command->add_option("--dump-jobs", change.dump_jobs);
    command->add_option("--restore-jobs", change.restore_jobs);
    command->add_option("--nice", change.nice);
    command->add_option("--idle-io", change.idle_io);
    command->callback([&, command] {
        const bool any = command->count_all() > 1;
        chosen.run = [&, any] {
            change.rate_bytes_per_sec = rate;
            return any ? change_limits(chosen.output, change) : show_limits(chosen.output);
        };
    });
}

void add_wal_setup(CLI::App& app, Chosen& chosen) {
    auto& request = kept<local_api::WalSetupRequest>(chosen);
    CLI::App* setup = app.add_subcommand("setup-wal", "what PostgreSQL needs to archive its WAL through the agent");
    setup->add_option("CLUSTER", request.cluster, "a [[wal]] of the configuration; else the first");
    setup->add_flag_callback(
        "--apply", [&request] { request.apply = true; }, "change it (ALTER SYSTEM)");
    setup->callback([&] { chosen.run = [&] { return setup_wal(chosen.output, request); }; });
    // PostgreSQL's hooks are the launcher's own (agent/hook); here for the help.
    for (const char* hook : {"wal-push", "wal-fetch"}) {
        app.add_subcommand(hook, std::string_view(hook) == "wal-push" ? "archive_command = 'backstay wal-push %p'"
                                                                      : "restore_command = 'backstay wal-fetch %f %p'")
            ->callback([&chosen] { chosen.run = [] { return static_cast<int>(ExitCode::usage); }; });
    }
}

void add_adopt(CLI::App& app, Chosen& chosen) {
    auto& request = kept<adoption::AdoptionRequest>(chosen);
    CLI::App* command = app.add_subcommand(
        "adopt", "after the agent's state was lost, or on a new host: know again what destinations and this host hold");
    command->add_flag_callback(
        "--show", [&] { request.show = true; }, "only look, and say what would be adopted");
    CLI::Option* all = command->add_flag_callback(
        "--all", [&] { request.all = true; }, "what every other agent made there, too");
    command->add_option("--from-agent", request.from_agent, "what that agent made, too: this host takes its place")
        ->excludes(all);
    command->add_flag_callback(
        "--done", [&] { request.done = true; }, "the loss is seen to, whatever could not be looked at");
    command->callback([&] { chosen.run = [&] { return adopt(chosen.output, request); }; });
}

void add_doctor(CLI::App& app, Chosen& chosen) {
    auto& options = kept<DoctorOptions>(chosen);
    CLI::App* doctor = app.add_subcommand("doctor", "what is wrong on this host, and how to mend it; best run by root");
    doctor->add_option("DATABASE", options.database, "this one only; else every Odoo");
    doctor->add_option("--config", options.config, "of the agent")->capture_default_str();
    doctor->add_option("--user", options.user, "the account that the agent runs as")->capture_default_str();
    doctor->callback([&] { chosen.run = [&] { return cli::doctor(chosen.output, options); }; });
}

void add_setup(CLI::App& app, Chosen& chosen) {
    auto& options = kept<SetupOptions>(chosen);
    CLI::App* command = app.add_subcommand(
        "setup", "from the installed package to a working host: asks step by step, and may be run again; by root");
    setup::Wishes& wishes = options.wishes;
    command->add_flag("--show", options.show,
                      "say what would change, exactly, and change nothing (3: something would)");
    command->add_flag("--yes", options.yes, "ask nothing, do it all");
    command->add_option("--role", options.role, "what the agent may in PostgreSQL and with files of Odoo's")
        ->check(CLI::IsMember({"backup", "restore"}));
    command->add_option("--destination", wishes.destination, "the folder on this host where backups lie");
    command->add_option("--cluster", wishes.cluster, "of the PostgreSQL servers found: its name (15-main) or port");
    command->add_option("--database", wishes.database, "the one that --filestore and --odoo-conf belong to");
    command->add_option("--filestore", wishes.filestore, "where it is not found by itself");
    command->add_option("--odoo-conf", wishes.odoo_conf, "where it is not found by itself");
    add_choice(*command, "--wal", "--no-wal", options.wal, "archive PostgreSQL's WAL, for any moment of the last days");
    command->add_option("--url", wishes.url, "of the control plane; without one this host works alone");
    command->add_option("--token", wishes.token, "one-time token of the control plane");
    command->add_option("--token-file", options.token_file, "a file that holds it");
    command->add_option("--config", wishes.config, "of the agent")->capture_default_str();
    command->add_option("--user", wishes.account, "the account that the agent runs as")->capture_default_str();
    command->callback([&] { chosen.run = [&] { return set_up(chosen.output, options); }; });
}

void add_host(CLI::App& app, Chosen& chosen) {
    auto& enrolment = kept<EnrollOptions>(chosen);
    CLI::App* enrolling = app.add_subcommand("enroll", "make this host known to a control plane");
    enrolling->add_option("--config", enrolment.config, "the agent's configuration")->required();
    enrolling->add_option("--url", enrolment.url, "else [control_plane] url");
    enrolling->add_option("--token", enrolment.token, "one-time token");
    enrolling->add_option("--token-file", enrolment.token_file, "a file that holds it");
    enrolling->callback([&] { chosen.run = [&] { return enroll(chosen.output, enrolment); }; });

    auto& path = kept<std::string>(chosen);
    CLI::App* key = app.add_subcommand("key", "keys of encrypted artifacts");
    key->require_subcommand(1);
    CLI::App* generate = key->add_subcommand("generate", "make a key in a new file of mode 0600");
    generate->add_option("FILE", path)->required();
    generate->callback([&] { chosen.run = [&] { return generate_key(chosen.output, path); }; });

    auto& options = kept<DecryptOptions>(chosen);
    CLI::App* decrypting = app.add_subcommand("decrypt", "decrypt an artifact; what it reads and writes is a stream");
    decrypting->add_option("--key", options.key, "the key's file")->required();
    decrypting->add_option("INPUT", options.input, "\"-\": standard input");
    decrypting->add_option("OUTPUT", options.output, "\"-\": standard output; a file must not exist");
    decrypting->callback([&] { chosen.run = [&] { return decrypt(options); }; });
}

}  // namespace

int run(int argc, const char* const* argv) {
    CLI::App app("Backs up and restores Odoo on PostgreSQL, through the agent of this host.", "backstay");
    Chosen chosen;
    chosen.output.socket = default_socket();
    app.add_option("--socket", chosen.output.socket, "the agent's socket");
    app.add_flag("--json", chosen.output.json, "answers for scripts");
    app.set_version_flag("--version", fmt::format("backstay {}", kVersion));
    app.require_subcommand(1);
    app.fallthrough();
    app.footer(kFooter);
    add_reading(app, chosen);
    add_report_again(app, chosen);
    add_backup(app, chosen);
    add_restore(app, chosen);
    add_wal(app, chosen);
    add_verify_and_copy(app, chosen);
    add_undo_and_delete(app, chosen);
    add_odoo_zip(app, chosen);
    add_snapshots(app, chosen);
    add_limits(app, chosen);
    add_wal_setup(app, chosen);
    add_setup(app, chosen);
    add_adopt(app, chosen);
    add_doctor(app, chosen);
    add_host(app, chosen);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? static_cast<int>(ExitCode::ok) : static_cast<int>(ExitCode::usage);
    }
    return chosen.run();
}

}  // namespace backstay::cli
