#include "agent/local-api/upcoming.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/state/evidence.h"
#include "agent/state/jobs.h"
#include "agent/state/schedules.h"
#include "agent/state/snapshots.h"
#include "agent/worker/own_schedule.h"
#include "agent/worker/recovery.h"
#include "common/domain/schedule.h"

namespace backstay::local_api {
namespace {

constexpr TimeMs kDayMs = 24LL * 3600 * 1000;
constexpr TimeMs kRecentMs = 30 * kDayMs;

Result<> add_bases(sqlite::Database& database, const AgentConfig& config, const ServerTimeline& timeline, TimeMs now,
                   std::vector<UpcomingView>& out) {
    for (const WalConfig& wal : config.wal) {
        const auto situation = TRY(base_situation(wal, database, timeline(wal.cluster), now));
        const auto next = situation ? next_base(*situation) : std::nullopt;
        if (!next) continue;
        const std::string why = next->reason == "interval"
                                    ? fmt::format("{} days after the last one", situation->every_days)
                                    : "the archive needs one (" + next->reason + ")";
        out.push_back({"base_backup", wal.cluster, "", Timestamp{std::max(next->at, now)}, "base backup: " + why});
    }
    return {};
}

// Backups that were begun here while the control plane was away, and failed for a cause that may pass.
Result<> add_repeats(sqlite::Database& database, const AgentConfig& config, TimeMs now,
                     std::vector<UpcomingView>& out) {
    ScheduleRepository schedules(database);
    const auto contact = TRY(schedules.contact());
    if (!contact) return {};
    AloneSituation situation;
    situation.now = now - contact->clock_ahead_ms;
    situation.clock_ahead_ms = contact->clock_ahead_ms;
    situation.heard_at = contact->heard_at;
    situation.away_after_ms = std::int64_t{config.control_plane_away_after_s} * 1000;
    const auto runs = TRY(schedules.runs());
    for (const auto& told : TRY(schedules.schedules())) {
        for (const auto& run : runs) {
            const auto cron = Cron::parse(run.scope == "db" ? told.db_cron : told.full_cron);
            const auto zone = Zone::find(told.time_zone);
            if (run.environment_id != told.environment.environment_id || !cron || !zone) continue;
            const auto id = schedule::run_id(run.environment_id, run.scope, run.due_at.ms);
            const auto failed = TRY(JobRepository(database).find(id));
            const auto slot = schedule::newest_slot(*cron, *zone, run.due_at.ms, situation.now);
            if (!failed || !slot || slot->due != run.due_at.ms || situation.now >= slot->stale_at) continue;
            const auto due = repeat_due(*failed, *slot, situation);
            if (!due) continue;
            out.push_back({"backup", failed->cluster, failed->database,
                           Timestamp{std::max(*due + contact->clock_ahead_ms, now)},
                           fmt::format("attempt {} of the backup that failed", failed->attempt + 1)});
        }
    }
    return {};
}

// The first of each database to go.
Result<> add_snapshots(sqlite::Database& database, const AgentConfig& config, std::vector<UpcomingView>& out) {
    std::map<std::pair<std::string, std::string>, std::pair<TimeMs, std::string>> first;
    for (const SnapshotRow& row : TRY(SnapshotRepository(database).expired(INT64_MAX))) {
        if (!row.completed_at) continue;
        const std::pair goes(row.completed_at->ms + config.snapshot_keep_days * kDayMs, row.snapshot_id);
        const auto place = first.try_emplace({row.cluster, row.database}, goes).first;
        place->second = std::min(place->second, goes);
    }
    for (const auto& [of, goes] : first) {
        out.push_back({"snapshot_removal", of.first, of.second, Timestamp{goes.first},
                       fmt::format("snapshot {} is {} days old and goes", goes.second, config.snapshot_keep_days)});
    }
    return {};
}

Result<> add_leftovers(sqlite::Database& database, std::vector<UpcomingView>& out) {
    EvidenceRepository evidence(database);
    for (const KeptPair& pair : TRY(kept_pairs(database))) {
        const auto operation = TRY(evidence.of(pair.operation_id));
        const auto job = operation ? TRY(JobRepository(database).find(operation->job_id)) : std::optional<JobRow>();
        if (!job) continue;
        out.push_back({"previous_removal", job->cluster, job->database, Timestamp{pair.until},
                       fmt::format("what was replaced is dropped; until then: backstay undo {}", job->job_id)});
    }
    const std::size_t due = TRY(sweeps_due(database)).size();
    if (due > 0) {
        out.push_back({"sweep", "", "", std::nullopt,
                       fmt::format("leftovers of {} operations are removed, tried every five minutes", due)});
    }
    return {};
}

void add_filling(const std::vector<WalView>& clusters, std::vector<UpcomingView>& out) {
    for (const WalView& wal : clusters) {
        for (const WalDestinationView& one : wal.destinations) {
            if (one.lacking == 0) continue;
            out.push_back({"wal_fill", wal.cluster, "", std::nullopt,
                           fmt::format("destination {} gets {} files of WAL that it lacks", one.id, one.lacking)});
        }
    }
}

// The last thing that an operation says of a destination.
void judge_use(const OperationEvidence& evidence, DestinationView& view) {
    view.last_result = "ok";
    const std::string upload = fmt::format("{}:{}", step::kRemoteUpload, view.id);
    for (const StepRecord& record : evidence.steps) {
        if (record.name != upload || record.status != StepStatus::failed) continue;
        view.last_result = "failed";
        view.last_error = record.summary;
        view.reason = record.reason;
    }
    for (const CopyRecord& copy : evidence.copies) {
        const bool bad =
            copy.state == CopyState::failed || copy.state == CopyState::missing || copy.state == CopyState::corrupt;
        if (copy.destination_id != view.id || !bad || view.last_result == "failed") continue;
        view.last_result = "failed";
        view.last_error = copy.message;
        view.reason = copy.reason;
    }
}

// Orders keep ids, names and types of their destinations.
void name_by(const json::Object& order, DestinationView& view) {
    for (const char* member : {"destinations", "to", "from"}) {
        const json::Value* list = order.if_contains(member);
        if (list == nullptr || !list->is_array()) continue;
        for (const json::Value& one : list->as_array()) {
            const auto known = json::decode<DestinationOrder>(one, json::kLenient);
            if (!known || known->id != view.id) continue;
            view.name = known->name;
            view.type = known->type;
        }
    }
}

}  // namespace

Result<std::vector<UpcomingView>> view_upcoming(sqlite::Database& database, const AgentConfig& config,
                                                const StatusAnswer& status, const ServerTimeline& timeline,
                                                TimeMs now) {
    std::vector<UpcomingView> out;
    add_filling(status.wal, out);
    for (const NextRunView& run : status.next_runs) {
        const char* const what = run.scope == "db" ? "backup of the database" : "full backup";
        out.push_back({"backup", run.cluster, run.database, run.at, fmt::format("{}, by its schedule", what)});
    }
    if (!status.control_plane.connected) TRY(add_repeats(database, config, now, out));
    TRY(add_bases(database, config, timeline, now, out));
    TRY(add_snapshots(database, config, out));
    TRY(add_leftovers(database, out));
    std::stable_sort(out.begin(), out.end(), [](const UpcomingView& a, const UpcomingView& b) {
        return a.at.value_or(Timestamp{0}).ms < b.at.value_or(Timestamp{0}).ms;
    });
    return out;
}

Result<std::vector<DestinationView>> view_destinations(sqlite::Database& database, const AgentConfig& config,
                                                       const std::vector<WalView>& wal, const Spaces& spaces,
                                                       TimeMs now) {
    EvidenceRepository repository(database);
    auto uses = TRY(repository.last_uses());
    uses.erase(std::string(kHostPlace));
    std::vector<DestinationView> out;
    for (const DestinationOrder& order : config.destinations) {
        DestinationView view;
        view.id = order.id;
        view.name = order.name;
        view.type = order.type;
        view.configured = true;
        uses.try_emplace(order.id, "");
        if (const auto space = spaces.of_destination(order.id)) {
            view.free_bytes = space->free_bytes;
            view.min_free_bytes = space->min_free_bytes;
        }
        out.push_back(std::move(view));
    }
    for (const auto& [id, operation_id] : uses) {
        auto place = std::find_if(out.begin(), out.end(), [&id = id](const auto& view) { return view.id == id; });
        const auto evidence = TRY(repository.of(operation_id));
        const auto job = evidence ? TRY(JobRepository(database).find(evidence->job_id)) : std::optional<JobRow>();
        const bool recent = job && now - job->ended_at.value_or(job->created_at).ms < kRecentMs;
        if (!job || (place == out.end() && !recent)) continue;
        if (place == out.end()) {
            DestinationView view;
            view.id = id;
            name_by(job->order, view);
            place = out.insert(out.end(), std::move(view));
        }
        place->last_used_at = job->ended_at;
        judge_use(*evidence, *place);
    }
    for (const WalView& cluster : wal) {
        for (const WalDestinationView& one : cluster.destinations) {
            for (DestinationView& view : out) {
                if (!one.down || view.id != one.id) continue;
                view.last_result = "failed";
                view.last_error = one.why;
            }
        }
    }
    return out;
}

}  // namespace backstay::local_api
