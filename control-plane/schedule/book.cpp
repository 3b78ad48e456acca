#include "control-plane/schedule/book.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/ids.h"
#include "common/log.h"
#include "control-plane/dispatch/order_backup.h"
#include "control-plane/schedule/runs.h"
#include "control-plane/schedule/windows.h"
#include "control-plane/store/destinations.h"
#include "control-plane/store/environments.h"

namespace backstay::schedule {
namespace {

using control_plane::ScheduleBook;
using control_plane::ScheduledEnvironment;

struct Entry {
    store::Schedule schedule;
    store::Environment environment;
    std::vector<store::DestinationRow> destinations;
};

Result<std::vector<Entry>> entries_of(sql::Database& db, const store::Agent& agent) {
    std::vector<Entry> out;
    for (store::Schedule& schedule : TRY(store::Schedules(db).of_agent(agent.id))) {
        if (!schedule.runs() || (schedule.db.cron.empty() && schedule.full.cron.empty())) continue;
        auto environment = TRY(store::Environments(db).find(agent.organization_id, schedule.environment_id));
        if (!environment) continue;
        auto destinations = TRY(destinations_of(db, schedule));
        out.push_back({std::move(schedule), std::move(*environment), std::move(destinations)});
    }
    return out;
}

// Of everything that the book says, by when it was changed last.
std::string version_of(const std::vector<Entry>& entries, const std::vector<control_plane::WalWish>& wishes) {
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto add = [&](std::string_view text) {
        for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    };
    for (const Entry& entry : entries) {
        add(fmt::format("{} {} {} ", entry.schedule.environment_id, entry.schedule.updated_at,
                        entry.environment.updated_at));
        for (const auto& row : entry.destinations) add(fmt::format("{} {} ", row.id, row.updated_at));
    }
    for (const auto& wish : wishes) {
        add(fmt::format("{} {} {} ", wish.cluster, wish.retention_days, wish.base_every_days));
    }
    return fmt::format("{:016x}", hash);
}

Result<std::vector<DestinationOrder>> opened(sql::Database& db, const Entry& entry,
                                             const dispatch::OpenDestination& open) {
    std::vector<DestinationOrder> out;
    for (const auto& row : entry.destinations) {
        auto destination = open(db, row.organization_id, row.id);
        if (!destination) {
            log::warning("destination left out of schedules",
                         {{"destination", row.id}, {"error", destination.error().message()}});
            continue;
        }
        if (*destination) out.push_back(std::move(**destination));
    }
    return out;
}

Result<ScheduleBook> make_book(sql::Database& db, const std::vector<Entry>& entries, std::string version,
                               const dispatch::OpenDestination& open) {
    ScheduleBook book;
    book.version = std::move(version);
    for (const Entry& entry : entries) {
        ScheduledEnvironment told;
        told.environment = store::to_order(entry.environment);
        told.time_zone = entry.schedule.time_zone;
        told.db_cron = entry.schedule.db.cron;
        told.full_cron = entry.schedule.full.cron;
        told.destinations = TRY(opened(db, entry, open));
        told.encrypt_for = dispatch::encrypted_for(entry.destinations);
        book.schedules.push_back(std::move(told));
    }
    return book;
}

// What is ordered and not yet taken by the agent counts as undecided: it may run that itself.
Result<TimeMs> decided_until(sql::Database& db, const store::Agent& agent, const std::vector<Entry>& entries,
                             TimeMs now) {
    TimeMs until = now;
    for (const Entry& entry : entries) {
        for (const std::string_view scope : store::kScheduledScopes) {
            const auto& next = entry.schedule.of(scope).next;
            if (next) until = std::min(until, *next - 1);
        }
    }
    const auto unclaimed = TRY(store::Schedules(db).first_unclaimed(agent.id));
    return unclaimed ? std::min(until, *unclaimed - 1) : until;
}

bool is_understood(const control_plane::ScheduledRun& run) {
    return is_uuid(run.environment_id) && (run.scope == "db" || run.scope == "full");
}

}  // namespace

Result<> answer_schedules(sql::Database& db, const store::Agent& agent, const control_plane::Heartbeat& heartbeat,
                          const dispatch::OpenDestination& open, TimeMs now, control_plane::HeartbeatAnswer& answer) {
    for (const control_plane::ScheduledRun& run : heartbeat.scheduled_runs) {
        if (!is_understood(run)) continue;
        const auto environment = TRY(store::Environments(db).find(agent.organization_id, run.environment_id));
        if (environment && environment->agent_id == agent.id) TRY(note_run(db, run, now));
    }
    if (!heartbeat.schedule_version) return {};
    const auto entries = TRY(entries_of(db, agent));
    auto wishes = TRY(wal_wishes(db, agent, now));
    std::string version = version_of(entries, wishes);
    const TimeMs until = TRY(decided_until(db, agent, entries, now));
    answer.decided_until = Timestamp{until};
    if (*heartbeat.schedule_version != version) {
        answer.schedules = TRY(make_book(db, entries, std::move(version), open));
        answer.schedules->wal = std::move(wishes);
    }
    return {};
}

}  // namespace backstay::schedule
