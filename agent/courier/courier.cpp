#include "agent/courier/courier.h"

#include <algorithm>

#include "agent/courier/delivery.h"
#include "agent/courier/instance.h"
#include "agent/inventory/inventory.h"
#include "agent/state/outbox.h"
#include "agent/state/state.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/version.h"

namespace backstay {
namespace {

constexpr std::int64_t kEnrolmentPollMs = 2'000;
constexpr std::int64_t kInventoryEveryMs = 300'000;
constexpr std::int64_t kWalEveryMs = 300'000;
constexpr std::int64_t kLongPollMs = 25'000;
// A poll that is answered so soon, and brings nothing, did not wait at the other end.
constexpr std::int64_t kSoonMs = 1'000;
constexpr std::int64_t kIntervalMinMs = 1'000;
constexpr std::int64_t kIntervalMaxMs = 120'000;

// Sizes and free space change all the time and are no news.
std::string essence(control_plane::Inventory inventory) {
    inventory.disks.clear();
    for (auto& cluster : inventory.clusters) {
        for (auto& database : cluster.databases) database.size_bytes = 0;
    }
    return json::encode_text(inventory);
}

}  // namespace

Courier::Courier(CourierHooks hooks, const Clock& clock)
    : hooks_(std::move(hooks)), clock_(clock), instance_id_(new_instance_id(hooks_.config().state_dir)) {}

Courier::~Courier() { stop(0); }

void Courier::start() {
    if (hooks_.config().control_plane_url.empty() || sender_.joinable()) return;
    {
        // Known before the first job: one begun on the socket is declared only by an enrolled agent.
        const bool enrolled = contact().has_value();
        const std::lock_guard lock(mutex_);
        status_.enrolled = enrolled;
    }
    sender_ = std::thread([this] { send(); });
    poller_ = std::thread([this] { poll(); });
}

void Courier::stop(std::int64_t flush_ms) {
    stop_.request_stop();
    {
        std::unique_lock lock(mutex_);
        stopping_ = true;
        wake_.notify_all();
        if (sender_.joinable()) {
            wake_.wait_for(lock, std::chrono::milliseconds(flush_ms), [&] { return done_; });
        }
    }
    late_stop_.request_stop();
    if (sender_.joinable()) sender_.join();
    if (poller_.joinable()) poller_.join();
}

void Courier::nudge() {
    {
        const std::lock_guard lock(mutex_);
        nudged_ = true;
    }
    wake_.notify_all();
}

CourierStatus Courier::status() const {
    const std::lock_guard lock(mutex_);
    return status_;
}

// False when the courier is to stop.
bool Courier::wait(std::int64_t ms, bool for_nudge) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, std::chrono::milliseconds(std::max<std::int64_t>(ms, 0)),
                   [&] { return stopping_ || (for_nudge && nudged_); });
    if (for_nudge) nudged_ = false;
    return !stopping_;
}

std::optional<Courier::Contact> Courier::contact() {
    const AgentConfig config = hooks_.config();
    auto identity = load_identity(config.state_dir);
    if (!identity) {
        log::error("identity not readable", {{"error", identity.error().message()}});
        return std::nullopt;
    }
    if (!*identity) return std::nullopt;
    Contact contact{std::move(**identity), config.control_plane_ca_file};
    contact.identity.url = config.control_plane_url;
    return contact;
}

control_plane::ControlPlaneClient& Courier::dial(Line& line, const Contact& contact, const std::stop_token& stop) {
    const Identity& identity = contact.identity;
    std::string key = identity.url + " " + contact.ca_file + " " + identity.credential;
    if (!line.client || line.key != key) {
        line.client.emplace(control_plane::ClientConfig{identity.url, contact.ca_file, identity.credential, stop});
        line.key = std::move(key);
    }
    return *line.client;
}

void Courier::note_success() {
    const std::lock_guard lock(mutex_);
    if (!status_.connected) log::info("control plane reached");
    status_.connected = true;
    status_.last_contact_at = Timestamp{clock_.now_ms()};
    status_.last_error.clear();
    status_.last_code.clear();
}

void Courier::note_failure(const Error& error) {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    if (status_.connected || status_.last_error != error.message()) {
        log::warning("control plane not reached", {{"error", error.message()}});
    }
    status_.connected = false;
    status_.last_error = error.message();
    status_.last_code = to_string(error.code());
}

std::optional<control_plane::Inventory> Courier::news() {
    if (!inventory_wanted_ && steady_ms() < next_inventory_ms_) return std::nullopt;
    control_plane::Inventory inventory = take_inventory(hooks_.config(), stop_.get_token());
    next_inventory_ms_ = steady_ms() + kInventoryEveryMs;
    std::string now = essence(inventory);
    const bool changed = now != told_;
    told_ = std::move(now);
    if (!inventory_wanted_ && !changed) return std::nullopt;
    return inventory;
}

std::optional<std::vector<control_plane::ClusterWal>> Courier::wal_news(sqlite::Database& database) {
    if (!hooks_.wal) return std::nullopt;
    auto found = hooks_.wal(database);
    if (!found) {
        log::warning("heartbeat without WAL", {{"error", found.error().message()}});
        return std::nullopt;
    }
    std::string now = json::encode_text(*found);
    if (!inventory_wanted_ && now == told_wal_ && steady_ms() < next_wal_ms_) return std::nullopt;
    told_wal_ = std::move(now);
    next_wal_ms_ = steady_ms() + kWalEveryMs;
    return std::move(*found);
}

Result<> Courier::heartbeat(control_plane::ControlPlaneClient& client, sqlite::Database& database, Retry& jitter) {
    control_plane::Heartbeat message;
    message.instance_id = instance_id_;
    message.agent_version = kVersion;
    message.wal = wal_news(database);
    message.inventory = news();
    message.jobs = hooks_.held();
    message.sent_at = {clock_.now_ms()};
    if (hooks_.tell_schedules) hooks_.tell_schedules(database, message);
    const auto answer = client.heartbeat(message);
    if (!answer) {
        inventory_wanted_ = inventory_wanted_ || message.inventory.has_value();
        if (message.wal) told_wal_.clear();
        return answer.error();
    }
    take(*answer, database);
    if (hooks_.hear_schedules) hooks_.hear_schedules(database, *answer);
    // Who still wants it after having got it waits for the next beat.
    const bool at_once = inventory_wanted_ && !message.inventory;
    next_heartbeat_ms_ = steady_ms() + (at_once ? 0 : jitter.jittered(interval_ms_));
    return {};
}

void Courier::take(const control_plane::HeartbeatAnswer& answer, sqlite::Database& database) {
    inventory_wanted_ = answer.inventory_wanted;
    interval_ms_ = std::clamp(answer.interval_ms, kIntervalMinMs, kIntervalMaxMs);
    for (const std::string& id : answer.cancel) hooks_.cancel(id);
    for (const control_plane::HeldJob& job : answer.lost) {
        log::warning("job lost: it is no longer ours", {{"job", job.job_id}, {"fence", job.fence}});
        hooks_.lost(job.job_id);
        if (const auto dropped = Outbox(database).drop(job.job_id, job.fence); !dropped) {
            log::error("outbox", {{"error", dropped.error().message()}});
        }
    }
}

// Answers how long to wait for the next round.
std::int64_t Courier::work_once(sqlite::Database& database, control_plane::ControlPlaneClient& speaker, Retry& retry) {
    Result<> went;
    if (steady_ms() >= next_heartbeat_ms_) {
        went = heartbeat(speaker, database, retry);
    }
    if (went) {
        went = Delivery(database, instance_id_, [this](const std::string& id, std::int64_t) {
                   hooks_.lost(id);
               }).deliver(speaker);
    }
    if (!went) {
        note_failure(went.error());
        next_heartbeat_ms_ = 0;
        return retry.failed(went.error());
    }
    retry.succeeded();
    note_success();
    return next_heartbeat_ms_ - steady_ms();
}

void Courier::send() {
    auto database = open_state(hooks_.config().state_dir);
    if (!database) return log::error("the courier has no state", {{"error", database.error().message()}});
    Retry retry;
    Line line;
    std::string known;
    while (true) {
        const std::optional<Contact> found = contact();
        if (found && found->identity.agent_id + found->identity.credential != known) {
            known = found->identity.agent_id + found->identity.credential;
            hooks_.enrolled(found->identity);
            const std::lock_guard lock(mutex_);
            status_.enrolled = true;
        }
        std::int64_t pause = kEnrolmentPollMs;
        bool trouble = false;
        if (found) {
            pause = work_once(*database, dial(line, *found, stop_.get_token()), retry);
            trouble = !status().connected;
            if (trouble) line.client.reset();
        }
        // While the control plane is away, new reports do not make us knock more often.
        if (!wait(pause, !trouble)) break;
    }
    final_delivery(*database);
    const std::lock_guard lock(mutex_);
    done_ = true;
    wake_.notify_all();
}

void Courier::final_delivery(sqlite::Database& database) {
    const std::optional<Contact> found = contact();
    if (!found || !status().connected) return;
    Line line;
    const auto sent = Delivery(database, instance_id_, [](const std::string&, std::int64_t) {
                      }).deliver(dial(line, *found, late_stop_.get_token()));
    if (!sent) log::info("reports are kept for the next start", {{"error", sent.error().message()}});
}

void Courier::poll() {
    auto database = open_state(hooks_.config().state_dir);
    if (!database) return log::error("the courier has no state", {{"error", database.error().message()}});
    Retry retry;
    Line line;
    while (true) {
        std::int64_t pause = 1000;
        const std::optional<Contact> found = status().connected ? contact() : std::nullopt;
        if (found) {
            const std::int64_t asked_at = steady_ms();
            const auto answer = dial(line, *found, stop_.get_token())
                                    .next_assignments({instance_id_, kLongPollMs, hooks_.free_slots(),
                                                       hooks_.storage ? control_plane::kStorageVersion : 0});
            if (answer) {
                retry.succeeded();
                // Two hosts with one identity, or something in between, would otherwise make us race.
                pause = steady_ms() - asked_at < kSoonMs ? kSoonMs : 0;
                for (const std::string& id : answer->cancel) hooks_.cancel(id);
                for (const auto& assignment : answer->assignments) hooks_.assigned(*database, assignment);
                // The answer repeats until the acceptance was reported.
                if (!answer->assignments.empty()) nudge();
                for (const control_plane::StorageRequest& request : answer->storage) {
                    const Identity& identity = found->identity;
                    hooks_.storage(request, {identity.url, found->ca_file, identity.credential, {}});
                    pause = 0;
                }
                if (!answer->assignments.empty() || !answer->cancel.empty()) pause = 200;
            } else {
                pause = retry.failed(answer.error());
                line.client.reset();
            }
        }
        if (!wait(pause, false)) return;
    }
}

}  // namespace backstay
