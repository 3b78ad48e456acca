#include "agent/jobs/pitr/sidecar.h"

#include <dirent.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <thread>

#include "agent/jobs/pitr/quoting.h"
#include "common/domain/reasons.h"
#include "common/files/files.h"
#include "common/json/json.h"
#include "common/log.h"

namespace backstay::pitr {
namespace {

constexpr std::int64_t kLookMs = 100;
constexpr std::size_t kLogMax = 4 << 20;
constexpr std::size_t kLogTail = 2000;
constexpr std::uint16_t kPort = 5432;

// "2026-01-02 12:00:00.123+00:00": a trailing Z is not taken everywhere.
std::string target_text(TimeMs target) {
    std::string text = to_rfc3339(target);
    text.replace(text.find('T'), 1, " ");
    text.replace(text.find('Z'), 1, "+00:00");
    return text;
}

// Settings that a recovery needs at least as large as the server had them.
Result<std::map<std::string, std::string>> inherited_settings(const SidecarWish& wish) {
    ProcessSpec spec;
    spec.argv = {wish.pg_controldata.path, wish.place.folder + "/data"};
    spec.environment = {{"LC_ALL", "C"}};
    spec.stop = wish.stop;
    const std::string text = TRY(run_tool(std::move(spec)).reason(reason::kStructureInvalid));
    static const std::map<std::string, std::string> kNames = {
        {"max_connections setting:", "max_connections"},
        {"max_worker_processes setting:", "max_worker_processes"},
        {"max_prepared_xacts setting:", "max_prepared_transactions"},
        {"max_locks_per_xact setting:", "max_locks_per_transaction"},
        {"track_commit_timestamp setting:", "track_commit_timestamp"}};
    std::map<std::string, std::string> settings;
    for (const auto& [label, name] : kNames) {
        const std::size_t at = text.find(label);
        if (at == std::string::npos) continue;
        const std::size_t begin = text.find_first_not_of(' ', at + label.size());
        settings[name] = text.substr(begin, text.find('\n', begin) - begin);
    }
    return settings;
}

std::string configuration(const SidecarWish& wish, const std::map<std::string, std::string>& inherited) {
    const std::string& folder = wish.place.folder;
    std::map<std::string, std::string> settings = inherited;
    const std::map<std::string, std::string> own = {
        {"data_directory", folder + "/data"},
        {"hba_file", folder + "/hba.conf"},
        {"ident_file", folder + "/ident.conf"},
        {"listen_addresses", ""},
        {"unix_socket_directories", wish.place.sockets},
        {"port", std::to_string(kPort)},
        {"cluster_name", "backstay recovery"},
        // Never into the archive that it reads.
        {"archive_mode", "off"},
        {"restore_command", wish.restore_command},
        {"recovery_target_action", "promote"},
        {"recovery_target_timeline", wish.timeline == 0 ? "current" : std::to_string(wish.timeline)},
        {"hot_standby", "off"},
        {"max_wal_senders", "0"},
        {"shared_preload_libraries", ""},
        // It lives once.
        {"fsync", "off"},
        {"full_page_writes", "off"},
        {"synchronous_commit", "off"},
        {"autovacuum", "off"},
        {"checkpoint_timeout", "1h"},
        {"max_wal_size", "4GB"},
        {"shared_buffers", "128MB"},
        {"huge_pages", "off"},
        {"ssl", "off"},
        {"jit", "off"},
        {"logging_collector", "on"},
        {"log_directory", folder + "/log"},
        {"log_filename", "server.log"},
        {"log_line_prefix", "%m "},
        {"log_timezone", "UTC"},
        {"lc_messages", "C"}};
    for (const auto& [name, value] : own) settings[name] = value;
    if (wish.target) {
        settings["recovery_target_time"] = target_text(*wish.target);
        settings["recovery_target_inclusive"] = "on";
    }
    std::string text;
    for (const auto& [name, value] : settings) text += fmt::format("{} = {}\n", name, conf_quoted(value));
    return text;
}

Result<> place_file(const std::string& path, std::string_view text, const ServerUser& user) {
    TRY(atomic_write(path, text, 0600));
    return give_to(user, path);
}

// The last recovery line of the log that holds one of these words.
std::string find_line(std::string_view log, std::initializer_list<std::string_view> words) {
    std::string found;
    while (!log.empty()) {
        const std::string_view line = log.substr(0, log.find('\n'));
        log.remove_prefix(std::min(log.size(), line.size() + 1));
        for (const std::string_view word : words) {
            if (line.find(word) != std::string_view::npos) found = line.substr(line.find(word));
        }
    }
    return found;
}

// Processes that stand in the folder: a server's all do.
std::vector<pid_t> processes_in(const std::string& folder) {
    std::vector<pid_t> found;
    std::error_code failure;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", failure)) {
        const std::string name = entry.path().filename().string();
        pid_t pid = 0;
        const auto [end, fault] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (fault != std::errc() || end != name.data() + name.size()) continue;
        std::error_code unreadable;
        const std::string where = std::filesystem::read_symlink(entry.path() / "cwd", unreadable).string();
        if (!unreadable && (where == folder || where.starts_with(folder + "/"))) found.push_back(pid);
    }
    return found;
}

// The postmaster first and alone: it takes its children along and its shared memory away.
Result<> end_processes(const std::string& folder) {
    std::int64_t until = steady_ms() + 5'000;
    int number = SIGQUIT;
    for (;;) {
        const std::vector<pid_t> left = processes_in(folder);
        if (left.empty()) return {};
        const auto text = read_file(folder + "/data/postmaster.pid", 4096);
        const pid_t postmaster = text ? std::atoi(text->c_str()) : 0;
        const bool known = std::find(left.begin(), left.end(), postmaster) != left.end();
        for (const pid_t pid : left) {
            if (number == SIGKILL || !known || pid == postmaster) ::kill(pid, known ? number : SIGKILL);
        }
        if (steady_ms() > until) {
            if (number == SIGKILL) {
                return Error(Errc::io, fmt::format("process {} in {} does not end", left.front(), folder));
            }
            number = SIGKILL;
            until = steady_ms() + 10'000;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

Result<> remove_all(const std::string& path) {
    std::error_code failure;
    std::filesystem::remove_all(path, failure);
    if (!failure) return {};
    return Error(Errc::io, fmt::format("remove {}: {}", path, failure.message()));
}

}  // namespace

std::string encode_note(const SidecarRecord& record) { return json::encode_text(record); }

Sidecar::Sidecar(const SidecarWish& wish) : wish_(wish) {
    cluster_.name = "recovery";
    cluster_.host = wish_.place.sockets;
    cluster_.port = kPort;
    cluster_.bin_dir = wish_.postgres.path.substr(0, wish_.postgres.path.rfind('/'));
}

Sidecar::~Sidecar() {
    if (!server_) return;
    // Nothing of it is kept: no checkpoint, no farewell.
    ::kill(server_->pid(), SIGQUIT);
    if (auto ended = server_->wait(10'000); !ended) {
        log::warning("the recovery server did not end by itself", {{"error", ended.error().message()}});
    }
    server_.reset();
}

Result<> Sidecar::configure() {
    const std::string& folder = wish_.place.folder;
    const std::string data = folder + "/data";
    for (const char* signal_file : {"/standby.signal", "/recovery.signal", "/postmaster.pid", "/postmaster.opts"}) {
        ::unlink((data + signal_file).c_str());
    }
    // What ALTER SYSTEM set there was for another server.
    TRY(place_file(data + "/postgresql.auto.conf", "", wish_.user));
    TRY(place_file(data + "/recovery.signal", "", wish_.user));
    TRY(place_file(folder + "/hba.conf", "local all all trust\n", wish_.user));
    TRY(place_file(folder + "/ident.conf", "", wish_.user));
    const auto inherited = TRY(inherited_settings(wish_));
    TRY(place_file(folder + "/server.conf", configuration(wish_, inherited), wish_.user));
    for (const std::string& path : {folder + "/log", wish_.place.sockets}) {
        if (::mkdir(path.c_str(), 0700) != 0) return Error::from_errno(errno, "make folder " + path);
        TRY(give_to(wish_.user, path));
    }
    return {};
}

Result<std::unique_ptr<Sidecar>> Sidecar::start(const SidecarWish& wish) {
    std::unique_ptr<Sidecar> sidecar(new Sidecar(wish));
    TRY(sidecar->configure().context("configure the recovery server"));
    ProcessSpec spec;
    spec.argv = wish.user.prefix;
    spec.argv.insert(spec.argv.end(), {wish.postgres.path, "-D", wish.place.folder + "/data", "-c",
                                       "config_file=" + wish.place.folder + "/server.conf"});
    spec.environment = {{"LC_ALL", "C"}};
    spec.working_directory = wish.place.folder;
    spec.pipe_stdout = false;
    sidecar->server_ = TRY(Subprocess::start(std::move(spec)));
    return sidecar;
}

bool Sidecar::has_ended() const {
    siginfo_t info{};
    const auto pid = static_cast<id_t>(server_->pid());
    return ::waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

// The server says in its pid file how far it is.
bool Sidecar::is_ready() const {
    const auto text = read_file(wish_.place.folder + "/data/postmaster.pid", 4096);
    return text && text->find("\nready") != std::string::npos;
}

std::string Sidecar::log_text() const {
    auto text = read_file(wish_.place.folder + "/log/server.log", kLogMax);
    return text ? std::move(*text) : std::string();
}

std::string Sidecar::last_words() const {
    return find_line(log_text(), {"recovery stopping ", "last completed transaction was", "redo done at"});
}

Result<pq::Connection> Sidecar::connect(const std::string& database) const {
    pq::ConnectParameters parameters = connect_parameters(cluster_, database);
    parameters.application_name = "backstay recovery";
    return pq::Connection::connect(parameters, wish_.stop);
}

Result<pq::Connection> Sidecar::await(const std::string& database) {
    while (true) {
        if (wish_.stop.stop_requested()) {
            return Error(Errc::cancelled, "stopped during the recovery").with_reason(reason::kCancelled);
        }
        if (has_ended()) break;
        if (!is_ready()) {
            std::this_thread::sleep_for(std::chrono::milliseconds(kLookMs));
            continue;
        }
        for (const std::string& user : wish_.superusers) {
            cluster_.user = user;
            auto connection = connect("postgres");
            if (!connection) continue;
            if (database == "postgres") return connection;
            return connect(database);
        }
        return Error(Errc::denied,
                     fmt::format("the recovered cluster knows none of the roles {}", fmt::join(wish_.superusers, ", ")))
            .with_reason(reason::kRestoreFailed);
    }
    const std::string log = log_text();
    const std::string fatal = find_line(log, {"FATAL: ", "PANIC: "});
    Error error(Errc::io, fmt::format("the recovery ended: {}", fatal.empty() ? server_->stderr_tail() : fatal));
    error.add_fact("server_log", log.size() > kLogTail ? log.substr(log.size() - kLogTail) : log);
    const bool short_of_it = fatal.find("recovery ended before configured recovery target") != std::string::npos;
    error.add_reason(short_of_it ? reason::kPitrTargetUnreachable : reason::kRestoreFailed);
    return error;
}

Result<> remove_sidecar(const SidecarRecord& record) {
    if (!record.folder.empty()) {
        TRY(end_processes(record.folder));
        TRY(remove_all(record.folder));
    }
    return record.sockets.empty() ? Result<>() : remove_all(record.sockets);
}

Result<std::vector<std::string>> sweep(const Facts& notes, const NoteWriter& note) {
    std::vector<std::string> done;
    const auto found = notes.find(std::string(kSidecarNote));
    if (found == notes.end() || found->second.empty()) return done;
    const auto record = TRY(json::decode_text<SidecarRecord>(found->second, json::kLenient));
    const bool there = ::access(record.folder.c_str(), F_OK) == 0 || ::access(record.sockets.c_str(), F_OK) == 0;
    TRY(remove_sidecar(record).context("remove the recovery server"));
    TRY(note(std::string(kSidecarNote), ""));
    if (there) done.push_back("ended the recovery server in " + record.folder);
    return done;
}

}  // namespace backstay::pitr
