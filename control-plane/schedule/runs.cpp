#include "control-plane/schedule/runs.h"

#include <fmt/format.h>

#include "common/domain/schedule.h"
#include "common/log.h"
#include "common/sql/transaction.h"
#include "control-plane/alerts/repository.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/dispatch/order_backup.h"
#include "control-plane/dispatch/sessions.h"
#include "control-plane/operations/rows.h"
#include "control-plane/schedule/turns.h"
#include "control-plane/store/environments.h"

namespace backstay::schedule {
namespace {

std::string_view outcome_of(What what) {
    switch (what) {
        case What::order:
            return "ordered";
        case What::cover:
            return "covered";
        case What::skip:
            return "skipped";
        case What::wait:
        case What::miss:
            break;
    }
    return "missed";
}

class Taker {
public:
    Taker(sql::Database& db, const store::Schedule& schedule, store::Environment environment, TimeMs now,
          dispatch::Stir& stir)
        : db_(db), schedule_(schedule), environment_(std::move(environment)), now_(now), stir_(stir) {}

    Result<> take(const Turn& turn) {
        store::Schedules schedules(db_);
        if (turn.passed_over) {
            TRY(note(turn.scope, *turn.passed_over, "missed", {}, "nothing looked after it in time"));
        }
        if (turn.what == What::wait) {
            if (turn.passed_over) TRY(schedules.set_next(environment_.id, turn.scope, turn.slot.due));
            return {};
        }
        TRY(schedules.set_next(environment_.id, turn.scope, turn.slot.following));
        if (turn.what == What::order) return order(turn);
        log::info("scheduled backup not made", {{"environment", environment_.id},
                                                {"scope", turn.scope},
                                                {"due", to_rfc3339(turn.slot.due)},
                                                {"why", turn.message}});
        if (turn.what != What::cover) TRY(alarm(turn.scope, turn.message));
        return note(turn.scope, turn.slot.due, outcome_of(turn.what), {}, turn.message);
    }

private:
    Result<> note(const std::string& scope, TimeMs due, std::string_view outcome, std::optional<std::string> backup,
                  std::string message) {
        store::ScheduleRun run;
        run.environment_id = environment_.id;
        run.scope = scope;
        run.due_at = due;
        run.outcome = outcome;
        run.backup_id = std::move(backup);
        run.message = std::move(message);
        run.decided_at = now_;
        added_ = TRY(store::Schedules(db_).add_run(run));
        return {};
    }

    Result<> alarm(const std::string& scope, const std::string& why) {
        alerts::Finding finding;
        finding.type = alerts::type::kScheduleSkipped;
        finding.severity = alerts::Severity::info;
        finding.subject = alarm_subject(scope);
        finding.title = fmt::format("A scheduled {} backup of {} was not made", scope, environment_.name);
        finding.message = why;
        finding.about.project_id = environment_.project_id;
        finding.about.environment_id = environment_.id;
        finding.about.agent_id = environment_.agent_id;
        TRY(alerts::Alerts(db_).raise(environment_.organization_id, finding, now_));
        return {};
    }

    std::string alarm_subject(const std::string& scope) const { return environment_.id + " " + scope; }

    Result<> order(const Turn& turn) {
        const auto destinations = TRY(destinations_of(db_, schedule_));
        if (destinations.empty()) {
            const std::string why = "the organization has no backup destination";
            TRY(alarm(turn.scope, why));
            return note(turn.scope, turn.slot.due, "skipped", {}, why);
        }
        const std::string id = run_id(environment_.id, turn.scope, turn.slot.due);
        TRY(note(turn.scope, turn.slot.due, "ordered", id, ""));
        if (!added_ || TRY(operations::find_operation(db_, id))) return {};
        dispatch::BackupWish wish;
        wish.backup_id = id;
        wish.due_at = turn.slot.due;
        wish.scope = turn.scope;
        wish.trigger = "scheduled";
        wish.performed_by = "schedule";
        TRY(dispatch::order_backup(db_, environment_, wish, destinations, now_, stir_));
        const alerts::Relief relief{std::string(alerts::type::kScheduleSkipped), alarm_subject(turn.scope),
                                    std::nullopt};
        return alerts::Alerts(db_).resolve(environment_.organization_id, relief, now_);
    }

    sql::Database& db_;
    const store::Schedule& schedule_;
    const store::Environment environment_;
    TimeMs now_;
    dispatch::Stir& stir_;
    bool added_ = false;
};

Result<Situation> situation_of(sql::Database& db, const store::Environment& environment, TimeMs now) {
    Situation situation;
    situation.now = now;
    // A heartbeat, not any sign of life: it tells which runs the agent made by itself.
    const TimeMs heard_at = TRY(dispatch::session_of(db, environment.agent_id)).heard_at;
    situation.agent_here = now - heard_at < dispatch::kAliveMs;
    const auto busy = TRY(dispatch::busy_jobs_of_environment(db, environment.id));
    if (!busy.empty()) situation.busy = busy.front().kind + " " + busy.front().operation_id;
    situation.last_full = TRY(store::Schedules(db).last_made(environment.id, "full"));
    return situation;
}

}  // namespace

Result<std::vector<store::DestinationRow>> destinations_of(sql::Database& db, const store::Schedule& schedule) {
    store::Destinations destinations(db);
    std::vector<store::DestinationRow> found;
    for (const std::string& id : schedule.destination_ids) {
        auto row = TRY(destinations.find(schedule.organization_id, id));
        if (row) found.push_back(std::move(*row));
    }
    if (!found.empty()) return found;
    auto usual = TRY(destinations.default_of(schedule.organization_id));
    if (usual) found.push_back(std::move(*usual));
    return found;
}

Result<> take_turns(sql::Database& db, const store::Schedule& schedule, TimeMs now, dispatch::Stir& stir) {
    auto environment = TRY(store::Environments(db).find(schedule.organization_id, schedule.environment_id));
    if (!environment) return {};
    const Situation situation = TRY(situation_of(db, *environment, now));
    Taker taker(db, schedule, std::move(*environment), now, stir);
    for (const Turn& turn : TRY(turns(schedule, situation))) TRY(taker.take(turn));
    return {};
}

Result<> run_due(sql::Database& db, TimeMs now, dispatch::Stir& stir) {
    for (const store::Schedule& schedule : TRY(store::Schedules(db).due(now))) {
        auto transaction = TRY(sql::Transaction::begin(db, schedule.organization_id));
        // As it is now: people may have changed it since it was found.
        const auto current = TRY(store::Schedules(db).find(schedule.environment_id));
        if (!current) continue;
        dispatch::Stir stirred;
        const Result<> taken = take_turns(db, *current, now, stirred);
        if (!taken) {
            log::error("schedule not run",
                       {{"environment", schedule.environment_id}, {"error", taken.error().message()}});
            continue;
        }
        TRY(transaction.commit());
        stir.merge(stirred);
    }
    return {};
}

Result<> note_run(sql::Database& db, const control_plane::ScheduledRun& run, TimeMs now) {
    store::Schedules schedules(db);
    TRY(schedules.note_by_agent(run.environment_id, run.scope, run.due_at.ms,
                                run_id(run.environment_id, run.scope, run.due_at.ms), now));
    const auto schedule = TRY(schedules.find(run.environment_id));
    if (!schedule || !schedule->of(run.scope).next || *schedule->of(run.scope).next > run.due_at.ms) return {};
    const Zone zone = TRY(Zone::find(schedule->time_zone));
    const Cron cron = TRY(Cron::parse(schedule->of(run.scope).cron));
    return schedules.set_next(run.environment_id, run.scope, cron.next(run.due_at.ms, zone));
}

}  // namespace backstay::schedule
