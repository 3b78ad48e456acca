#include "control-plane/schedule/overdue.h"

#include "common/domain/schedule.h"
#include "control-plane/alerts/repository.h"
#include "control-plane/alerts/rules.h"
#include "control-plane/store/environments.h"
#include "control-plane/store/rows.h"

namespace backstay::schedule {
namespace {

// A full backup also holds the database.
Result<std::optional<TimeMs>> last_restorable(sql::Database& db, std::string_view environment, std::string_view scope) {
    const TimeMs at = TRY(store::count_of(db.query(
        "SELECT COALESCE(MAX(completed_at), 0) FROM backups WHERE environment_id = $1 AND (scope = $2 OR (scope "
        "= 'full' AND $2 = 'db')) AND status IN ('completed', 'partial') AND deleted_at IS NULL",
        {environment, scope})));
    return at == 0 ? std::optional<TimeMs>() : std::optional<TimeMs>(at);
}

}  // namespace

std::optional<std::int64_t> longest_gap_ms(const store::Cadence& cadence, const std::string& time_zone, TimeMs now) {
    if (cadence.frequency == "none" || cadence.cron.empty()) return std::nullopt;
    const auto cron = Cron::parse(cadence.cron);
    const auto zone = Zone::find(time_zone);
    if (!cron || !zone) return std::nullopt;
    return longest_gap_ms(*cron, *zone, now);
}

Result<> watch_overdue(sql::Database& db, TimeMs now) {
    std::vector<std::pair<std::string, alerts::Finding>> found;
    for (const store::Schedule& schedule : TRY(store::Schedules(db).all())) {
        if (!schedule.runs()) continue;
        const auto environment = TRY(store::Environments(db).find(schedule.organization_id, schedule.environment_id));
        if (!environment) continue;
        for (const std::string_view scope : store::kScheduledScopes) {
            const auto gap = longest_gap_ms(schedule.of(scope), schedule.time_zone, now);
            if (!gap) continue;
            alerts::Cadence cadence;
            cadence.environment = {environment->id, environment->project_id, environment->name, environment->type};
            cadence.scope = scope;
            cadence.interval_ms = *gap;
            cadence.expected_since = schedule.updated_at;
            cadence.last_restorable_at = TRY(last_restorable(db, environment->id, scope));
            if (auto finding = alerts::judge_cadence(cadence, now)) {
                found.emplace_back(schedule.organization_id, std::move(*finding));
            }
        }
    }
    return alerts::Alerts(db).settle_all(alerts::type::kBackupOverdue, found, now);
}

}  // namespace backstay::schedule
