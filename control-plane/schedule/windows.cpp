#include "control-plane/schedule/windows.h"

#include <algorithm>
#include <map>

#include "control-plane/alerts/repository.h"
#include "control-plane/alerts/rules.h"
#include "control-plane/schedule/overdue.h"
#include "control-plane/store/cluster_wal.h"
#include "control-plane/store/environments.h"
#include "control-plane/store/rows.h"
#include "control-plane/store/schedules.h"

namespace backstay::schedule {
namespace {

constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
constexpr std::int64_t kLongestIntervalDays = 7;

bool asks(const store::Schedule& schedule) { return schedule.enabled && schedule.wal_enabled; }

std::int32_t interval_days(const store::Schedule& schedule, TimeMs now) {
    const auto gap = longest_gap_ms(schedule.full, schedule.time_zone, now);
    const std::int64_t days = gap ? *gap / kDayMs : kLongestIntervalDays;
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(days, 1, kLongestIntervalDays));
}

// When the first base backup of this archive was there, as far as anybody remembers.
Result<std::optional<TimeMs>> first_base(sql::Database& db, std::string_view agent,
                                         const control_plane::ClusterWal& wal) {
    auto rows =
        TRY(db.query("SELECT MIN(completed_at) FROM backups WHERE agent_id = $1 AND scope = 'base' AND status IN "
                     "('completed', 'partial') AND substr(folder, 1, length($2)) = $2",
                     {agent, wal.archive + "/base/"}));
    TRY(rows.step());
    std::optional<TimeMs> first = rows.optional_integer(0);
    for (const control_plane::WalBase& base : wal.base_backups) {
        first = std::min(first.value_or(base.timestamp.ms), base.timestamp.ms);
    }
    return first;
}

}  // namespace

Result<std::vector<control_plane::WalWish>> wal_wishes(sql::Database& db, const store::Agent& agent, TimeMs now) {
    std::map<std::string, control_plane::WalWish> wishes;
    for (const store::Schedule& schedule : TRY(store::Schedules(db).of_agent(agent.id))) {
        if (!asks(schedule)) continue;
        const auto environment = TRY(store::Environments(db).find(agent.organization_id, schedule.environment_id));
        if (!environment) continue;
        const auto archive = TRY(store::wal_of(db, *environment));
        if (!archive) continue;
        const auto days = static_cast<std::int32_t>(schedule.wal_retention_days);
        const std::int32_t every = interval_days(schedule, now);
        const control_plane::WalWish wish{archive->wal.cluster, days, every};
        auto [at, is_new] = wishes.try_emplace(archive->wal.cluster, wish);
        if (is_new) continue;
        at->second.retention_days = std::max(at->second.retention_days, days);
        at->second.base_every_days = std::min(at->second.base_every_days, every);
    }
    std::vector<control_plane::WalWish> out;
    for (auto& [cluster, wish] : wishes) out.push_back(std::move(wish));
    return out;
}

Result<> watch_windows(sql::Database& db, TimeMs now) {
    std::vector<std::pair<std::string, alerts::Finding>> found;
    for (const store::Schedule& schedule : TRY(store::Schedules(db).all())) {
        if (!asks(schedule)) continue;
        const auto environment = TRY(store::Environments(db).find(schedule.organization_id, schedule.environment_id));
        if (!environment) continue;
        const auto archive = TRY(store::wal_of(db, *environment));
        alerts::WindowFact fact;
        fact.environment = {environment->id, environment->project_id, environment->name, environment->type};
        fact.agent_id = environment->agent_id;
        fact.days = schedule.wal_retention_days;
        fact.since = schedule.wal_since;
        if (archive) {
            const auto first = TRY(first_base(db, environment->agent_id, archive->wal));
            fact.since = std::max(fact.since, first.value_or(0));
            if (archive->wal.earliest_recoverable) fact.earliest = archive->wal.earliest_recoverable->ms;
        }
        if (auto finding = alerts::judge_window(fact, now)) {
            found.emplace_back(schedule.organization_id, std::move(*finding));
        }
    }
    return alerts::Alerts(db).settle_all(alerts::type::kPitrWindowShort, found, now);
}

}  // namespace backstay::schedule
