#include "agent/worker/own_schedule.h"

#include <algorithm>

#include "common/log.h"

namespace backstay {
namespace {

using control_plane::ScheduledEnvironment;

constexpr auto kEvery = std::chrono::seconds(5);
constexpr std::size_t kJobsLooked = 200;

// Nobody decided about this moment, it is not too late, and the control plane had its time.
bool is_mine(const schedule::Slot& slot, const AloneSituation& situation) {
    const std::int64_t patience = schedule::alone_after_ms(slot, situation.away_after_ms);
    return situation.now < slot.stale_at && situation.now >= slot.due + patience &&
           situation.now - situation.heard_at >= patience;
}

Result<std::optional<schedule::Slot>> open_slot(const std::string& text, const Zone& zone, TimeMs decided, TimeMs now) {
    if (text.empty()) return std::optional<schedule::Slot>();
    const Cron cron = TRY(Cron::parse(text));
    const auto first = cron.next(decided, zone);
    return first ? schedule::newest_slot(cron, zone, *first, now) : std::optional<schedule::Slot>();
}

TimeMs begun(const AloneSituation& situation, const std::string& scope) {
    const auto found = situation.begun.find(scope);
    return found == situation.begun.end() ? 0 : found->second;
}

bool works_on(const JobRow& job, const EnvironmentOrder& environment) {
    const bool same_cluster = job.cluster.empty() || !environment.cluster || job.cluster == *environment.cluster;
    return !job.database.empty() && job.database == environment.database && same_cluster;
}

}  // namespace

Result<std::optional<AloneRun>> due_alone(const ScheduledEnvironment& told, const AloneSituation& situation) {
    std::optional<AloneRun> none;
    if (situation.busy) return none;
    const Zone zone = TRY(Zone::find(told.time_zone));
    for (const std::string scope : {"full", "db"}) {
        const TimeMs decided = std::max(situation.decided_until, begun(situation, scope));
        const std::string& cron = scope == "db" ? told.db_cron : told.full_cron;
        const auto slot = TRY(open_slot(cron, zone, decided, situation.now));
        if (!slot || !is_mine(*slot, situation)) continue;
        // A full backup of the same moment holds the database too.
        if (scope == "db" && begun(situation, "full") == slot->due) continue;
        return std::optional<AloneRun>({scope, slot->due});
    }
    return none;
}

std::optional<TimeMs> repeat_due(const JobRow& failed, const schedule::Slot& slot, const AloneSituation& situation) {
    if (failed.origin != kOriginSchedule || !is_over(failed.state) || !failed.finish || !failed.ended_at) {
        return std::nullopt;
    }
    const bool passes = failed.finish->transient || failed.state == JobState::interrupted;
    const auto delay = schedule::retry_delay_ms(failed.attempt);
    if (!passes || !delay) return std::nullopt;
    const TimeMs ended = failed.ended_at->ms - situation.clock_ahead_ms;
    const TimeMs due =
        std::max(ended + *delay, situation.heard_at + schedule::alone_after_ms(slot, situation.away_after_ms));
    return due < slot.stale_at ? std::optional<TimeMs>(due) : std::nullopt;
}

bool repeats_alone(const JobRow& failed, const schedule::Slot& slot, const AloneSituation& situation) {
    const auto due = repeat_due(failed, slot, situation);
    return due && !situation.busy && situation.now < slot.stale_at && situation.now >= *due;
}

OwnSchedule::OwnSchedule(const Settings& settings, Worker& worker)
    : settings_(settings), worker_(worker), rounds_(settings, "schedules", kEvery, [this](sqlite::Database& database) {
          if (const auto looked = look(database); !looked) {
              log::warning("schedules not looked after", {{"error", looked.error().message()}});
          }
      }) {}

void OwnSchedule::tell(sqlite::Database& database, control_plane::Heartbeat& heartbeat) {
    auto runs = ScheduleRepository(database).runs();
    // Without them the control plane might order what was run already: it gets no sign of this agent's schedules.
    if (!runs) return log::error("runs of schedules not told", {{"error", runs.error().message()}});
    heartbeat.scheduled_runs = std::move(*runs);
    const std::lock_guard lock(mutex_);
    heartbeat.schedule_version = version_;
}

void OwnSchedule::hear(sqlite::Database& database, const control_plane::HeartbeatAnswer& answer) {
    ScheduleContact contact;
    contact.agent_id = settings_.agent_id();
    contact.heard_at = answer.server_time.ms;
    contact.clock_ahead_ms = settings_.clock().now_ms() - answer.server_time.ms;
    contact.decided_until = answer.decided_until.value_or(answer.server_time).ms;
    if (const auto kept = ScheduleRepository(database).hear(contact, answer.schedules); !kept) {
        return log::error("schedules not kept", {{"error", kept.error().message()}});
    }
    if (!answer.schedules) return;
    const std::lock_guard lock(mutex_);
    open_.clear();
    for (const ScheduledEnvironment& told : answer.schedules->schedules) {
        for (const DestinationOrder& destination : told.destinations) open_[destination.id] = destination;
    }
    version_ = answer.schedules->version;
}

std::vector<DestinationOrder> OwnSchedule::destinations() const {
    const std::lock_guard lock(mutex_);
    std::vector<DestinationOrder> out;
    for (const auto& [id, destination] : open_) out.push_back(destination);
    return out;
}

Result<> OwnSchedule::look(sqlite::Database& database) {
    ScheduleRepository kept(database);
    const auto contact = TRY(kept.contact());
    if (!contact || contact->agent_id != settings_.agent_id()) return {};
    for (const ScheduledEnvironment& told : TRY(kept.schedules())) TRY(look_at(told, *contact, database));
    return {};
}

Result<> OwnSchedule::look_at(const ScheduledEnvironment& told, const ScheduleContact& contact,
                              sqlite::Database& database) {
    AloneSituation situation;
    situation.now = settings_.clock().now_ms() - contact.clock_ahead_ms;
    situation.clock_ahead_ms = contact.clock_ahead_ms;
    situation.heard_at = contact.heard_at;
    situation.decided_until = contact.decided_until;
    situation.away_after_ms = std::int64_t{settings_.config().control_plane_away_after_s} * 1000;
    for (const auto& run : TRY(ScheduleRepository(database).runs())) {
        if (run.environment_id == told.environment.environment_id) situation.begun[run.scope] = run.due_at.ms;
    }
    for (const JobRow& job : TRY(JobRepository(database).newest(kJobsLooked, true))) {
        situation.busy = situation.busy || works_on(job, told.environment);
    }
    const auto due = TRY(due_alone(told, situation));
    return due ? begin(told, *due, std::nullopt, database) : repeat(told, situation, database);
}

Result<> OwnSchedule::repeat(const ScheduledEnvironment& told, const AloneSituation& situation,
                             sqlite::Database& database) {
    const Zone zone = TRY(Zone::find(told.time_zone));
    for (const auto& [scope, due] : situation.begun) {
        const auto failed =
            TRY(JobRepository(database).find(schedule::run_id(told.environment.environment_id, scope, due)));
        const std::string& cron = scope == "db" ? told.db_cron : told.full_cron;
        if (!failed || cron.empty()) continue;
        const Cron parsed = TRY(Cron::parse(cron));
        const auto slot = schedule::newest_slot(parsed, zone, due, situation.now);
        if (slot && slot->due == due && repeats_alone(*failed, *slot, situation)) {
            return begin(told, {scope, due}, failed, database);
        }
    }
    return {};
}

// With the secrets that were told since the start; after a restart those of the configuration.
std::vector<DestinationOrder> OwnSchedule::reachable(const ScheduledEnvironment& told) const {
    const AgentConfig config = settings_.config();
    const std::lock_guard lock(mutex_);
    std::vector<DestinationOrder> out;
    for (const DestinationOrder& wanted : told.destinations) {
        const auto open = open_.find(wanted.id);
        const auto own = std::find_if(config.destinations.begin(), config.destinations.end(), [&](const auto& one) {
            return one.type == wanted.type && (one.id == wanted.id || one.name == wanted.name);
        });
        if (open != open_.end()) {
            out.push_back(open->second);
        } else if (!wanted.config.empty()) {
            out.push_back(wanted);
        } else if (own != config.destinations.end()) {
            out.push_back({wanted.id, wanted.name, own->type, own->config});
        }
    }
    return out;
}

Result<> OwnSchedule::begin(const ScheduledEnvironment& told, const AloneRun& run, const std::optional<JobRow>& before,
                            sqlite::Database& database) {
    BackupOrder order;
    order.backup_id = schedule::run_id(told.environment.environment_id, run.scope, run.due);
    order.scope = run.scope;
    order.trigger = "scheduled";
    order.created_at = before ? before->created_at : Timestamp{settings_.clock().now_ms()};
    order.due_at = Timestamp{run.due};
    order.environment = told.environment;
    order.destinations = reachable(told);
    if (order.destinations.empty()) {
        if (std::exchange(complained_, order.backup_id) != order.backup_id) {
            log::error("scheduled backup cannot begin: the secrets of its destinations came from the control plane",
                       {{"database", told.environment.database}, {"due", to_rfc3339(run.due)}});
        }
        return {};
    }
    if (!told.encrypt_for.empty()) {
        for (const DestinationOrder& destination : order.destinations) order.encrypt_for.push_back(destination.id);
    }
    JobRequest request{{}, Order(order)};
    request.row.job_id = request.row.operation_id = order.backup_id;
    request.row.kind = kind_of(request.order);
    request.row.attempt = before ? before->attempt + 1 : 1;
    request.row.origin = kOriginSchedule;
    request.row.requested_by = "schedule";
    request.row.cluster = told.environment.cluster.value_or("");
    request.row.database = told.environment.database;
    request.row.order = without_secrets(request.order);
    request.row.created_at = order.created_at;
    request.row.reported = true;
    log::info("scheduled backup begins without the control plane",
              {{"job", order.backup_id}, {"database", told.environment.database}, {"due", to_rfc3339(run.due)}});
    const auto taken = worker_.submit(database, std::move(request));
    // Known already: the control plane's order came first.
    if (taken || taken.error().code() == Errc::conflict) return {};
    return taken;
}

}  // namespace backstay
