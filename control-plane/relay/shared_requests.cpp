#include "control-plane/relay/shared_requests.h"

#include "common/json/json.h"
#include "control-plane/store/replicas.h"
#include "control-plane/store/rows.h"

namespace backstay::relay {
namespace {

using control_plane::StorageRequest;

// What is older nobody waits for: its replica died, and an agent that comes back must not do it then.
constexpr TimeMs kMostWaitMs = 60'000;
constexpr TimeMs kCancelKeptMs = 600'000;
constexpr std::int64_t kMostAtOnce = 200;

std::string context_of(std::string_view id) { return "storage request:" + std::string(id); }

struct Row {
    std::string id;
    std::string state;
    std::string instance_id;
    std::string request_box;
};

StorageRequest cancel_of(std::string id) {
    StorageRequest cancel;
    cancel.action = "cancel";
    cancel.request_id = std::move(id);
    return cancel;
}

}  // namespace

Result<> SharedRequests::place(std::string_view replica, std::string_view agent, const StorageRequest& request,
                               TimeMs now) {
    const std::string box = box_.seal(json::encode_text(request), context_of(request.request_id));
    TRY(db_.run(
        "INSERT INTO storage_requests (id, agent_id, replica_id, state, request_box, placed_at) VALUES ($1, $2, "
        "$3, 'waiting', $4, $5)",
        {request.request_id, agent, replica, box, now}));
    return {};
}

Result<Fate> SharedRequests::fate(std::string_view id) {
    const auto fate = TRY(store::first_row(
        db_.query("SELECT r.state, r.instance_id, coalesce(s.instance_id, '') FROM storage_requests r LEFT JOIN "
                  "agent_sessions s ON s.agent_id = r.agent_id WHERE r.id = $1",
                  {id}),
        [](const sql::Statement& row) {
            if (row.text(0) == "waiting") return Fate::waiting;
            if (row.text(0) == "outdated") return Fate::outdated;
            return row.text(1) == row.text(2) ? Fate::taken : Fate::lost;
        }));
    return fate.value_or(Fate::lost);
}

Result<bool> SharedRequests::withdraw(std::string_view id) {
    return TRY(db_.run("DELETE FROM storage_requests WHERE id = $1 AND state = 'waiting'", {id})) > 0;
}

Result<> SharedRequests::end(std::string_view id, bool complete) {
    if (!complete)
        TRY(db_.run("UPDATE storage_requests SET state = 'cancelled' WHERE id = $1 AND state = 'taken'", {id}));
    TRY(db_.run("DELETE FROM storage_requests WHERE id = $1 AND state <> 'cancelled'", {id}));
    return {};
}

Result<std::optional<SharedRequests::Silence>> SharedRequests::silence_of(std::string_view agent) {
    return store::first_row(db_.query("SELECT seen_at, gone FROM agent_sessions WHERE agent_id = $1", {agent}),
                            [](const sql::Statement& row) {
                                return Silence{row.integer(0), row.boolean(1)};
                            });
}

Result<std::vector<StorageRequest>> SharedRequests::take(std::string_view agent, std::string_view instance,
                                                         std::int32_t storage_version, TimeMs now) {
    const auto rows = TRY(store::all_rows(
        db_.query("SELECT id, state, instance_id, request_box FROM storage_requests WHERE agent_id = $1 AND (state = "
                  "'waiting' AND placed_at > $2 OR state = 'cancelled') ORDER BY placed_at, id LIMIT $3",
                  {agent, now - kMostWaitMs, kMostAtOnce}),
        [](const sql::Statement& row) {
            return Row{row.text(0), row.text(1), row.text(2), row.text(3)};
        }));
    std::vector<StorageRequest> out;
    for (const Row& row : rows) {
        if (row.state == "cancelled") {
            const auto told = TRY(db_.run("DELETE FROM storage_requests WHERE id = $1", {row.id}));
            if (told > 0 && row.instance_id == instance && storage_version >= control_plane::kTakesCancels)
                out.push_back(cancel_of(row.id));
            continue;
        }
        const char* state = storage_version >= 1 ? "taken" : "outdated";
        // Another poll of the agent may look at the same moment: one of them changes the row.
        const auto taken =
            TRY(db_.run("UPDATE storage_requests SET state = $2, instance_id = $3 WHERE id = $1 AND state = 'waiting'",
                        {row.id, state, instance}));
        if (taken == 0 || storage_version < 1) continue;
        const std::string text = TRY(box_.open(row.request_box, context_of(row.id)));
        out.push_back(TRY(json::decode_text<StorageRequest>(text, json::kLenient)));
    }
    return out;
}

Result<> SharedRequests::give_back(const std::vector<StorageRequest>& requests) {
    for (const StorageRequest& request : requests) {
        if (request.action == "cancel") continue;
        TRY(db_.run("UPDATE storage_requests SET state = 'waiting' WHERE id = $1 AND state = 'taken'",
                    {request.request_id}));
    }
    return {};
}

Result<std::set<std::string>> SharedRequests::agents_waited_for(TimeMs now) {
    const auto rows = TRY(store::all_rows(
        db_.query(
            "SELECT DISTINCT agent_id FROM storage_requests WHERE state = 'waiting' AND placed_at > $1 OR state = "
            "'cancelled'",
            {now - kMostWaitMs}),
        [](const sql::Statement& row) { return row.text(0); }));
    return std::set<std::string>(rows.begin(), rows.end());
}

Result<std::optional<SharedRequests::Waiter>> SharedRequests::waiter_of(std::string_view id, std::string_view agent,
                                                                        TimeMs now) {
    return store::first_row(
        db_.query("SELECT p.id, p.address FROM storage_requests r JOIN replicas p ON p.id = r.replica_id WHERE r.id = "
                  "$1 AND r.agent_id = $2 AND r.state = 'taken' AND p.seen_at > $3",
                  {id, agent, now - store::kReplicaSilentMs}),
        [](const sql::Statement& row) {
            return Waiter{row.text(0), row.text(1)};
        });
}

Result<> SharedRequests::sweep(TimeMs now) {
    TRY(db_.run(
        "DELETE FROM storage_requests WHERE (placed_at < $1 AND state = 'cancelled') OR (placed_at < $2 AND NOT "
        "EXISTS (SELECT 1 FROM replicas p WHERE p.id = storage_requests.replica_id AND p.seen_at > $2))",
        {now - kCancelKeptMs, now - store::kReplicaSilentMs}));
    return {};
}

}  // namespace backstay::relay
