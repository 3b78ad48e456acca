#include "agent/state/schedules.h"

#include "common/json/json.h"

namespace backstay {
namespace {

using control_plane::ScheduledEnvironment;

std::string kept(ScheduledEnvironment schedule) {
    for (DestinationOrder& destination : schedule.destinations) {
        if (destination.type != "local") destination.config.clear();
    }
    return json::encode_text(schedule);
}

}  // namespace

Result<> ScheduleRepository::hear(const ScheduleContact& contact,
                                  const std::optional<control_plane::ScheduleBook>& book) {
    auto transaction = TRY(sqlite::Transaction::begin(database_));
    TRY(
        database_.run("INSERT OR REPLACE INTO schedule_contact (id, agent_id, heard_at, clock_ahead_ms, decided_until) "
                      "VALUES (1, $1, $2, $3, $4)",
                      {contact.agent_id, contact.heard_at, contact.clock_ahead_ms, contact.decided_until}));
    if (book) {
        TRY(database_.run("DELETE FROM schedules"));
        for (const ScheduledEnvironment& schedule : book->schedules) {
            const std::string text = kept(schedule);
            TRY(database_.run("INSERT OR REPLACE INTO schedules (environment_id, schedule_json) VALUES ($1, $2)",
                              {schedule.environment.environment_id, text}));
        }
        TRY(database_.run("DELETE FROM wal_wishes"));
        for (const control_plane::WalWish& wish : book->wal) {
            TRY(
                database_.run("INSERT OR REPLACE INTO wal_wishes (cluster, retention_days, base_every_days) VALUES "
                              "($1, $2, $3)",
                              {wish.cluster, wish.retention_days, wish.base_every_days}));
        }
    }
    return transaction.commit();
}

Result<std::optional<ScheduleContact>> ScheduleRepository::contact() {
    auto row = TRY(database_.query("SELECT agent_id, heard_at, clock_ahead_ms, decided_until FROM schedule_contact"));
    if (!TRY(row.step())) return std::optional<ScheduleContact>();
    return std::optional<ScheduleContact>({row.text(0), row.integer(1), row.integer(2), row.integer(3)});
}

Result<std::vector<ScheduledEnvironment>> ScheduleRepository::schedules() {
    auto rows = TRY(database_.query("SELECT schedule_json FROM schedules ORDER BY environment_id"));
    std::vector<ScheduledEnvironment> out;
    while (TRY(rows.step())) out.push_back(TRY(json::decode_text<ScheduledEnvironment>(rows.text(0), json::kLenient)));
    return out;
}

Result<std::optional<control_plane::WalWish>> ScheduleRepository::wal_wish(const std::string& cluster) {
    auto row =
        TRY(database_.query("SELECT retention_days, base_every_days FROM wal_wishes WHERE cluster = $1", {cluster}));
    if (!TRY(row.step())) return std::optional<control_plane::WalWish>();
    return std::optional<control_plane::WalWish>(
        {cluster, static_cast<std::int32_t>(row.integer(0)), static_cast<std::int32_t>(row.integer(1))});
}

Result<std::vector<control_plane::ScheduledRun>> ScheduleRepository::runs() {
    auto rows = TRY(database_.query("SELECT environment_id, scope, due_at FROM schedule_runs"));
    std::vector<control_plane::ScheduledRun> out;
    while (TRY(rows.step())) out.push_back({rows.text(0), rows.text(1), {rows.integer(2)}});
    return out;
}

Result<> ScheduleRepository::note_run(sqlite::Transaction& transaction, const JobRow& job) {
    if (job.kind != "backup") return {};
    const auto order = json::decode<BackupOrder>(json::Value(job.order), json::kLenient);
    if (!order || !order->due_at) return {};
    TRY(transaction.database().run(
        "INSERT INTO schedule_runs (environment_id, scope, due_at) VALUES ($1, $2, $3) ON CONFLICT DO UPDATE SET "
        "due_at = max(due_at, $3)",
        {order->environment.environment_id, order->scope, order->due_at->ms}));
    return {};
}

}  // namespace backstay
