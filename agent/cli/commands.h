// The commands of `backstay`: each prints its answer and returns an exit code (docs/operations.md lists them).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/adoption/report.h"
#include "agent/local-api/messages.h"
#include "agent/setup/setup.h"
#include "common/result.h"

namespace backstay::cli {

enum class ExitCode : int {
    ok = 0,
    failed = 1,       // the job, or the call, did not succeed
    usage = 2,        // the command line or a value in it is wrong
    amber = 3,        // done, but not all of it: a partial backup, warnings of a check, something is not green
    unreachable = 4,  // no agent answers on the socket
    not_found = 5,    // no such job or backup
};

struct Output {
    bool json = false;
    std::string socket;
};

int show_status(const Output& output);
// Every reason for which the host, a database or a job (`of`; "": the host) is not green: failed when red.
int show_why(const Output& output, const std::string& of);
int show_jobs(const Output& output, std::size_t limit);
int show_refused(const Output& output, std::size_t limit);
int report_again(const Output& output, const std::string& since);
int show_job(const Output& output, const std::string& job);
int show_backups(const Output& output, const std::string& database, std::size_t limit);
int show_snapshots(const Output& output, const std::string& database, std::size_t limit);
int show_inventory(const Output& output);
int check(const Output& output, const std::string& database, const std::string& cluster);
int show_limits(const Output& output);
int show_metrics(const Output& output);
int show_wal(const Output& output);
int change_limits(const Output& output, const local_api::LimitsView& change);

struct TopOptions {
    double interval_s = 1;
    bool once = false;
};
// A live view until somebody leaves it; where standard output is no terminal, one plain frame.
int top(const Output& output, const TopOptions& options);

// Each orders a job; with `wait` its progress is followed and its end decides the exit code.
int order(const Output& output, const std::string& method, const std::string& target, const std::string& body,
          bool wait);
int watch(const Output& output, const std::string& job);
int cancel(const Output& output, const std::string& job);

// Exit code amber when something could not be looked at, or is damaged.
int adopt(const Output& output, const adoption::AdoptionRequest& request);

// Exit code amber while something is left to be done.
int setup_wal(const Output& output, const local_api::WalSetupRequest& request);

struct EnrollOptions {
    std::string config;
    std::string url;
    std::string token;
    std::string token_file;
};
int enroll(const Output& output, const EnrollOptions& options);
int generate_key(const Output& output, const std::string& path);
struct DecryptOptions {
    std::string key;
    std::string input = "-";
    std::string output = "-";
};
int decrypt(const DecryptOptions& options);

inline constexpr const char* kDefaultConfig = "/etc/backstay/agent.toml";

struct DoctorOptions {
    std::string config = kDefaultConfig;
    std::string user = "backstay";  // whom root becomes, to see what the agent sees
    std::string database;
};
int doctor(const Output& output, const DoctorOptions& options);
std::vector<local_api::CheckLine> examine(const std::string& socket, const DoctorOptions& options);

struct SetupOptions {
    setup::Wishes wishes;
    std::string role;  // "", "backup" or "restore"
    std::string token_file;
    std::optional<bool> wal;
    bool show = false;  // changes nothing
    bool yes = false;   // asks nothing
};
int set_up(const Output& output, const SetupOptions& options);

// A restore with no agent running: the command itself does it.
struct AloneOptions {
    std::string from;  // a folder, a file of JSON, or a destination of the configuration
    std::string config = kDefaultConfig;
    std::string backup;  // its id, the beginning, "latest"; "" lists what is there
    std::string key;     // the encryption key's file
    std::optional<std::string> database;
    std::optional<std::string> cluster;
    std::optional<std::string> filestore;
    std::optional<std::string> scope;
    std::optional<bool> neutralize;
    std::optional<bool> new_uuid;
    std::optional<std::int64_t> keep_previous_ms;
    std::string at;  // a moment instead of a backup
    std::string of;  // whose moment
};
int restore_alone(const Output& output, const AloneOptions& options);
// The archives of WAL in a destination: timelines, ranges, gaps, base backups.
int wal_show_alone(const Output& output, const AloneOptions& options);
// "2026-01-02T03:04:05+01:00", "2026-01-02 03:04:05": without a zone it is UTC, and is said to be on stderr.
Result<TimeMs> parse_moment(const std::string& text);

// Puts back what a restore of that kind replaced.
int undo_alone(const Output& output, const AloneOptions& options, const std::string& restore);

// A backup as the ZIP that Odoo's own database manager restores.
struct ExportOptions {
    AloneOptions alone;    // `from` empty: the destinations of the configuration, one after the other
    std::string odoo_zip;  // the new file; "-": standard output
};
int export_backup(const Output& output, const ExportOptions& options);
// Such a ZIP as a backup in a destination.
struct ImportOptions {
    AloneOptions alone;  // `from`: the destination; key: artifacts are encrypted
    std::string zip;
    std::optional<std::string> owner;
    std::optional<std::string> label;
};
int import_backup(const Output& output, const ImportOptions& options);

// A map of archives: a table, or JSON.
int print_wal(const Output& output, const local_api::WalAnswer& answer);

// Prints the error to stderr (as JSON to stdout when asked for) and names its exit code.
int report(const Output& output, const Error& error);

}  // namespace backstay::cli
