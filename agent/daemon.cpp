#include "agent/daemon.h"

#include <signal.h>
#include <unistd.h>

#include <chrono>

#include "agent/assignments.h"
#include "agent/inventory/clusters.h"
#include "agent/notify.h"
#include "agent/state/state.h"
#include "agent/wal_report.h"
#include "common/domain/layout.h"
#include "common/log.h"
#include "common/version.h"

namespace backstay {
namespace {

constexpr std::int64_t kGraceMs = 10'000;
constexpr std::int64_t kFlushMs = 3'000;
constexpr std::uint64_t kServerGraceMs = 1'000;
constexpr unsigned kSocketMode = 0660;
constexpr std::chrono::seconds kLockPatience(3);
constexpr std::uint64_t kStateLookMs = 2'000;

http::Server::Options server_options() {
    http::Server::Options options;
    options.limits.connections = 200;
    options.error_body = local_api::Api::error_body;
    return options;
}

// The folder of the socket may be a runtime folder that nobody made yet.
Result<> make_socket_folder(const std::string& socket) {
    const std::size_t slash = socket.rfind('/');
    return slash == 0 || slash == std::string::npos ? Result<>() : make_folders(socket.substr(0, slash), 0755);
}

void tell_of(const StateLoss& loss) {
    log::error("the agent's state was lost", {{"why", loss.why},
                                              {"kept_as", loss.kept_as.empty() ? "nothing" : loss.kept_as.back()},
                                              {"hint", "`backstay adopt` brings back what destinations tell"}});
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::create(const std::string& config_file, AgentConfig config) {
    TRY(make_folders(config.state_dir, 0700));
    FileLock lock =
        TRY(FileLock::acquire(config.state_dir + "/lock", kLockPatience).context("another agent runs on this state"));
    TRY(make_folders(scratch_folder(config), 0700));
    const auto identity = TRY(load_identity(config.state_dir));
    const std::string agent_id = identity ? identity->agent_id : TRY(local_agent_id(config.state_dir));
    if (const auto lost = TRY(set_damage_aside(config.state_dir, SystemClock().now_ms()))) tell_of(*lost);
    sqlite::Database database = TRY(open_state(config.state_dir));
    TRY(note_beginning(config.state_dir));
    std::unique_ptr<Loop> loop = TRY(Loop::create());
    complete_clusters(config);
    std::unique_ptr<Daemon> daemon(
        new Daemon(config_file, std::move(config), agent_id, std::move(lock), std::move(loop), std::move(database)));
    TRY(daemon->listen());
    return daemon;
}

Daemon::Daemon(std::string config_file, AgentConfig config, std::string agent_id, FileLock lock,
               std::unique_ptr<Loop> loop, sqlite::Database database)
    : config_file_(std::move(config_file)),
      lock_(std::move(lock)),
      settings_(std::move(config), std::move(agent_id), clock_),
      database_(std::move(database)),
      loop_(std::move(loop)),
      state_watch_(settings_.config().state_dir) {
    worker_.emplace(settings_, worker_events());
    bases_.emplace(settings_, *worker_, [this](const std::string& cluster) { return timeline_of(cluster); });
    schedule_.emplace(settings_, *worker_);
    courier_.emplace(courier_hooks(), clock_);
    const auto identity = load_identity(settings_.config().state_dir);
    const bool enrolled = identity && *identity && !(*identity)->organization_id.empty();
    wal_.emplace(settings_, enrolled ? (*identity)->organization_id : std::string(layout::kLocal),
                 [this] { bases_->nudge(); });
    api_.emplace(local_api::ApiParts{*loop_, settings_, *worker_, [this] { return control_plane_view(); },
                                     [this] { courier_->nudge(); }, [this] { return wal_->status(); },
                                     Timestamp{clock_.now_ms()}, [this] { return schedule_->destinations(); }});
}

Daemon::~Daemon() {
    if (restarter_.joinable()) restarter_.join();
    if (stopper_.joinable()) stopper_.join();
}

Worker::Events Daemon::worker_events() {
    return Worker::Events{[this](const std::string& id) { loop_->post([this, id] { api_->job_changed(id); }); },
                          [this](const std::string& id, const Progress& progress) {
                              loop_->post([this, id, progress] { api_->progressed(id, progress); });
                              courier_->nudge();
                          }};
}

CourierHooks Daemon::courier_hooks() {
    CourierHooks hooks;
    hooks.config = [this] { return settings_.config(); };
    hooks.held = [this] { return worker_->held(); };
    hooks.free_slots = [this] { return worker_->free_slots(); };
    hooks.assigned = [this](sqlite::Database& database, const control_plane::Assignment& assignment) {
        take_assignment(assignment, settings_, *worker_, database);
    };
    hooks.wal = [this](sqlite::Database& database) { return report_wal(database, wal_->status(), settings_.config()); };
    hooks.cancel = [this](const std::string& id) { worker_->cancel(id, StopCause::cancelled); };
    hooks.storage = [this](control_plane::StorageRequest request, const control_plane::ClientConfig& contact) {
        storage_.take(std::move(request), contact);
    };
    hooks.lost = [this](const std::string& id) { worker_->cancel(id, StopCause::lost); };
    hooks.tell_schedules = [this](sqlite::Database& database, control_plane::Heartbeat& heartbeat) {
        schedule_->tell(database, heartbeat);
    };
    hooks.hear_schedules = [this](sqlite::Database& database, const control_plane::HeartbeatAnswer& answer) {
        schedule_->hear(database, answer);
    };
    hooks.enrolled = [this](const Identity& identity) {
        settings_.set_agent_id(identity.agent_id);
        log::info("enrolled", {{"agent", identity.agent_id}, {"name", identity.name}});
    };
    return hooks;
}

std::optional<wal::Timeline> Daemon::timeline_of(const std::string& cluster) const {
    for (const archiver::ClusterStatus& status : wal_->status()) {
        if (status.config.cluster == cluster && status.server) return status.server->timeline;
    }
    return std::nullopt;
}

local_api::ControlPlaneView Daemon::control_plane_view() const {
    const CourierStatus status = courier_->status();
    local_api::ControlPlaneView view;
    view.url = settings_.config().control_plane_url;
    view.enrolled = status.enrolled;
    view.connected = status.connected;
    view.last_contact_at = status.last_contact_at;
    view.last_error = status.last_error;
    view.last_code = status.last_code;
    return view;
}

Result<> Daemon::listen() {
    const AgentConfig config = settings_.config();
    server_ = TRY(http::Server::create(*loop_, server_options(), [this](std::unique_ptr<http::Exchange> exchange) {
        api_->handle(std::move(exchange));
    }));
    TRY(make_socket_folder(config.socket));
    TRY(server_->listen_unix(config.socket, kSocketMode, config.socket_group).context("open the socket"));
    return config.metrics_port == 0 ? Result<>() : listen_for_metrics(config.metrics_port);
}

Result<> Daemon::listen_for_metrics(std::uint16_t port) {
    metrics_server_ =
        TRY(http::Server::create(*loop_, server_options(), [this](std::unique_ptr<http::Exchange> exchange) {
            api_->handle_metrics(std::move(exchange));
        }));
    TRY(metrics_server_->listen_tcp("127.0.0.1", port).context("open metrics_port"));
    return {};
}

Result<Daemon::End> Daemon::run() {
    TRY(wal_->start());
    TRY(worker_->start(database_));
    bases_->start();
    schedule_->start();
    storage_.start();
    courier_->start();
    const SignalWatch terminate(*loop_, SIGTERM, [this] { stop(); });
    const SignalWatch interrupt(*loop_, SIGINT, [this] { stop(); });
    const SignalWatch hangup(*loop_, SIGHUP, [this] { reload(); });
    const Timer state_timer(*loop_, kStateLookMs, kStateLookMs, [this] { look_after_state(); });
    std::optional<Timer> watchdog;
    if (const std::uint64_t interval = notify::watchdog_interval_ms(); interval > 0) {
        watchdog.emplace(*loop_, interval, interval, [] { notify::alive(); });
    }
    const AgentConfig config = settings_.config();
    log::info("agent ready", {{"version", kVersion},
                              {"socket", config.socket},
                              {"clusters", config.clusters.size()},
                              {"control_plane", config.control_plane_url.empty() ? "none" : config.control_plane_url}});
    notify::ready("serving " + config.socket);
    loop_->run();
    if (stopper_.joinable()) stopper_.join();
    api_.reset();
    server_.reset();
    metrics_server_.reset();
    courier_.reset();
    bases_.reset();
    schedule_.reset();
    worker_.reset();
    log::info("agent stopped");
    return state_lost_ ? End::state_lost : End::stopped;
}

// What works on with a database that is gone or damaged promises what it cannot keep.
void Daemon::look_after_state() {
    if (stop_asked_) return;
    const std::string trouble = state_watch_.trouble();
    if (trouble.empty()) return;
    log::error("the agent's state is damaged: the agent begins again", {{"why", trouble}});
    state_lost_ = true;
    begin_stop();
}

// Somebody wants it, also while it is about to begin again.
void Daemon::stop() {
    state_lost_ = false;
    begin_stop();
}

// Jobs first, so that what they testify at their end is still delivered.
void Daemon::begin_stop() {
    if (std::exchange(stop_asked_, true)) return worker_->hurry();
    log::info("agent stopping");
    // systemd takes the service down when it hears of a stop.
    state_lost_ ? notify::reloading() : notify::stopping();
    stopper_ = std::thread([this] {
        if (restarter_.joinable()) restarter_.join();
        wal_->stop();
        worker_->stop(kGraceMs);
        storage_.stop();
        courier_->stop(kFlushMs);
        loop_->post([this] { close_servers(); });
    });
}

void Daemon::close_servers() {
    const auto close_socket = [this] { server_->stop(kServerGraceMs, [this] { loop_->stop(); }); };
    if (!metrics_server_) return close_socket();
    metrics_server_->stop(kServerGraceMs, close_socket);
}

// Stopping waits for transfers, which the loop must not.
void Daemon::restart_wal() {
    {
        const std::lock_guard lock(restart_mutex_);
        restart_asked_ = true;
        if (std::exchange(restarting_, true)) return;
    }
    if (restarter_.joinable()) restarter_.join();
    restarter_ = std::thread([this] {
        while (take_restart()) {
            wal_->stop();
            if (const auto started = wal_->start(); !started) {
                log::error("WAL archiving not started", {{"error", started.error().message()}});
            }
        }
    });
}

bool Daemon::take_restart() {
    const std::lock_guard lock(restart_mutex_);
    restarting_ = restart_asked_;
    return std::exchange(restart_asked_, false);
}

void Daemon::reload() {
    notify::reloading();
    auto config = load_agent_config(config_file_);
    if (config) {
        complete_clusters(*config);
        settings_.replace(std::move(*config));
        restart_wal();
        courier_->start();
        courier_->nudge();
        log::info("configuration read again");
    } else {
        log::error("configuration not taken", {{"error", config.error().message()}});
    }
    notify::ready(config ? "configuration read again" : "the configuration has faults: the old one stays");
}

}  // namespace backstay
