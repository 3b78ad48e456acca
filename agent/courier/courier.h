// Everything between agent and control plane while the daemon runs: heartbeats with the inventory, new assignments, and
// what waits in the outbox. Two threads that only make blocking HTTP calls; jobs never wait for them, and a control
// plane that is away for a day changes nothing but the size of the outbox.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "agent/config/config.h"
#include "agent/courier/retry.h"
#include "agent/state/identity.h"
#include "common/clock.h"
#include "common/sqlite/database.h"
#include "control-plane-client/client.h"

namespace backstay {

// What the courier needs of the rest of the agent; called on its threads.
struct CourierHooks {
    std::function<AgentConfig()> config;
    std::function<std::vector<control_plane::HeldJob>()> held;
    std::function<std::int32_t()> free_slots;
    // A new assignment; what is known already is ignored.
    std::function<void(sqlite::Database&, const control_plane::Assignment&)> assigned;
    // Somebody wants to look into a destination of this host; answered by itself, over a conversation of its own.
    std::function<void(control_plane::StorageRequest, const control_plane::ClientConfig&)> storage;
    std::function<void(const std::string& job_id)> cancel;
    std::function<void(const std::string& job_id)> lost;  // no longer ours: stop it, report nothing
    std::function<void(const Identity&)> enrolled;
    // Of all clusters whose WAL is archived; may be empty.
    std::function<Result<std::vector<control_plane::ClusterWal>>(sqlite::Database&)> wal;
    // What heartbeats say of schedules, and what was answered; may be empty.
    std::function<void(sqlite::Database&, control_plane::Heartbeat&)> tell_schedules;
    std::function<void(sqlite::Database&, const control_plane::HeartbeatAnswer&)> hear_schedules;
};

struct CourierStatus {
    bool enrolled = false;
    bool connected = false;
    std::optional<Timestamp> last_contact_at;
    std::string last_error;
    std::string last_code;  // the word of its Errc
};

class Courier {
public:
    Courier(CourierHooks hooks, const Clock& clock);
    // Ends as stop(0) does.
    ~Courier();
    Courier(const Courier&) = delete;
    Courier& operator=(const Courier&) = delete;

    // Begins when the configuration names a control plane, and works as soon as the agent is enrolled there.
    void start();
    // Delivers what waits once more, for at most so long. Blocks.
    void stop(std::int64_t flush_ms);

    // There is something to report, or the inventory may have changed. Any thread.
    void nudge();
    CourierStatus status() const;

private:
    // Identity and address of one conversation; a new enrolment begins a new one.
    struct Contact {
        Identity identity;
        std::string ca_file;
    };
    // A kept connection, made anew for another contact or after a failure.
    struct Line {
        std::string key;
        std::optional<control_plane::ControlPlaneClient> client;
    };
    void send();
    void poll();
    std::optional<Contact> contact();
    static control_plane::ControlPlaneClient& dial(Line& line, const Contact& contact, const std::stop_token& stop);
    Result<> heartbeat(control_plane::ControlPlaneClient& client, sqlite::Database& database, Retry& jitter);
    std::optional<control_plane::Inventory> news();
    std::optional<std::vector<control_plane::ClusterWal>> wal_news(sqlite::Database& database);
    void take(const control_plane::HeartbeatAnswer& answer, sqlite::Database& database);
    std::int64_t work_once(sqlite::Database& database, control_plane::ControlPlaneClient& client, Retry& retry);
    void note_success();
    void note_failure(const Error& error);
    bool wait(std::int64_t ms, bool for_nudge);
    void final_delivery(sqlite::Database& database);

    CourierHooks hooks_;
    const Clock& clock_;
    const std::string instance_id_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    bool nudged_ = false;
    bool stopping_ = false;
    bool done_ = false;
    CourierStatus status_;
    std::stop_source stop_;
    std::stop_source late_stop_;

    // The sender's own.
    std::int64_t interval_ms_ = 20'000;
    std::int64_t next_heartbeat_ms_ = 0;  // steady
    std::int64_t next_inventory_ms_ = 0;  // steady
    bool inventory_wanted_ = true;
    std::string told_;              // the inventory as last told, without sizes
    std::int64_t next_wal_ms_ = 0;  // steady
    std::string told_wal_;          // empty: it is to be told again

    std::thread sender_;
    std::thread poller_;
};

}  // namespace backstay
