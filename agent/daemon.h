// The daemon's composition: builds the parts, starts them, stops them in order. The order of members is the order of
// their ends, last first.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "agent/archiver/service.h"
#include "agent/courier/courier.h"
#include "agent/local-api/routes.h"
#include "agent/state/damage.h"
#include "agent/storage-desk/storage_desk.h"
#include "agent/worker/base_schedule.h"
#include "agent/worker/own_schedule.h"
#include "agent/worker/settings.h"
#include "agent/worker/worker.h"
#include "common/event/loop.h"
#include "common/files/files.h"
#include "common/http/server.h"

namespace backstay {

class Daemon {
public:
    // Takes the lock of the state folder: a second agent on it is refused (conflict).
    static Result<std::unique_ptr<Daemon>> create(const std::string& config_file, AgentConfig config);
    ~Daemon();

    enum class End { stopped, state_lost };
    // Runs until SIGTERM or SIGINT, then stops: running jobs get ten seconds, or until the second signal. Stops by
    // itself when the state turns out damaged: a new daemon sees to that.
    Result<End> run();

private:
    Daemon(std::string config_file, AgentConfig config, std::string agent_id, FileLock lock, std::unique_ptr<Loop> loop,
           sqlite::Database database);
    Result<> listen();
    Result<> listen_for_metrics(std::uint16_t port);
    void stop();
    void begin_stop();
    void look_after_state();
    void close_servers();
    std::optional<wal::Timeline> timeline_of(const std::string& cluster) const;
    void reload();
    void restart_wal();
    bool take_restart();
    Worker::Events worker_events();
    CourierHooks courier_hooks();
    local_api::ControlPlaneView control_plane_view() const;

    std::string config_file_;
    FileLock lock_;
    SystemClock clock_;
    Settings settings_;
    sqlite::Database database_;
    std::unique_ptr<Loop> loop_;
    std::optional<Worker> worker_;
    std::optional<BaseSchedule> bases_;
    std::optional<OwnSchedule> schedule_;
    std::optional<archiver::Service> wal_;
    StorageDesk storage_{[this] { return settings_.config(); }};
    std::optional<Courier> courier_;  // tells of wal_
    std::optional<local_api::Api> api_;
    std::unique_ptr<http::Server> server_;
    std::unique_ptr<http::Server> metrics_server_;
    std::thread stopper_;
    std::thread restarter_;
    std::mutex restart_mutex_;
    bool restart_asked_ = false;
    bool restarting_ = false;
    bool stop_asked_ = false;
    StateWatch state_watch_;
    bool state_lost_ = false;
};

}  // namespace backstay
