#include "control-plane/dispatch/drills.h"

#include <algorithm>

#include "common/log.h"
#include "control-plane/alerts/repository.h"
#include "control-plane/alerts/rules.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/dispatch/order_verification.h"
#include "control-plane/operations/drills.h"
#include "control-plane/operations/history.h"
#include "control-plane/store/drill_settings.h"
#include "control-plane/store/rows.h"

namespace backstay::dispatch {
namespace {

constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
constexpr std::int64_t kBackupsTried = 5;

struct Chosen {
    operations::BackupRow backup;
    Care care;
};

// The newest that can be restored: whole somewhere, within reach, and not about to go.
Result<std::optional<Chosen>> choose(sql::Database& db, std::string_view environment_id) {
    const auto ids = TRY(store::all_rows(
        db.query("SELECT id FROM backups WHERE environment_id = $1 AND scope IN ('db', 'full') AND status IN "
                 "('completed', 'partial') AND deleted_at IS NULL AND folder <> '' ORDER BY completed_at DESC LIMIT $2",
                 {environment_id, kBackupsTried}),
        [](const sql::Statement& row) { return row.text(0); }));
    for (const std::string& id : ids) {
        const auto row = TRY(operations::find_backup_row(db, id));
        if (!row || !TRY(unfinished_jobs_of_backup(db, id)).empty()) continue;
        auto care = care_for(db, *row, true);
        if (!care && care.error().reason() != "no_agent") return std::move(care).error();
        if (care && !care->where.empty()) return std::optional<Chosen>({*row, std::move(*care)});
    }
    return std::optional<Chosen>();
}

Error refused(std::string_view why, std::string_view message) {
    return Error(Errc::conflict, std::string(message)).with_reason(why);
}

}  // namespace

Result<OrderedDrill> order_drill(sql::Database& db, const store::Environment& environment,
                                 std::string_view performed_by, TimeMs now, Stir& stir) {
    if (TRY(operations::drill_runs(db, environment.id))) {
        return refused("drill_running", "a drill of this environment waits or runs");
    }
    const auto chosen = TRY(choose(db, environment.id));
    if (!chosen) return refused("no_backup", "no backup of this environment can be restored on trial");
    std::string id = TRY(order_verification(db, chosen->backup, chosen->care, true, performed_by, now, stir));
    return OrderedDrill{std::move(id), chosen->backup.id};
}

Result<> set_drills(sql::Database& db, const store::Environment& environment, std::int64_t every_days, TimeMs now) {
    store::DrillSettingsOf known(db);
    store::DrillSettings settings;
    settings.environment_id = environment.id;
    settings.organization_id = environment.organization_id;
    settings.every_days = every_days;
    settings.updated_at = now;
    const auto before = TRY(known.find(environment.id));
    if (every_days > 0) {
        // What was never drilled is at once: that shows soon whether it works at all.
        const auto last = TRY(operations::last_passed_drill(db, environment.id));
        settings.next_at = last ? std::max(now, *last + every_days * kDayMs) : now;
        if (before && before->every_days == every_days) settings = *before;
    }
    return known.put(settings);
}

Result<> drills_due(sql::Database& db, TimeMs now, Stir& stir) {
    store::DrillSettingsOf known(db);
    for (const store::DrillSettings& due : TRY(known.due(now))) {
        const auto environment = TRY(store::Environments(db).find(due.organization_id, due.environment_id));
        if (!environment || !TRY(agent_is_idle(db, environment->agent_id, now))) continue;
        const auto ordered =
            sql::apart(db, [&] { return order_drill(db, *environment, operations::kDrillSchedule, now, stir); });
        if (!ordered && ordered.error().code() != Errc::conflict) return ordered.error();
        if (!ordered) continue;  // it stays due; when that lasts, it is overdue
        TRY(known.set_next(due.environment_id, now + due.every_days * kDayMs));
        log::info("restore drill ordered", {{"environment", due.environment_id}, {"backup", ordered->backup_id}});
    }
    return {};
}

Result<> watch_drills(sql::Database& db, TimeMs now) {
    std::vector<std::pair<std::string, alerts::Finding>> found;
    for (const store::DrillSettings& settings : TRY(store::DrillSettingsOf(db).active())) {
        const auto environment = TRY(store::Environments(db).find(settings.organization_id, settings.environment_id));
        if (!environment) continue;
        alerts::DrillFact fact;
        fact.environment = {environment->id, environment->project_id, environment->name, environment->type};
        fact.interval_ms = settings.every_days * kDayMs;
        fact.expected_since = settings.updated_at;
        fact.last_passed_at = TRY(operations::last_passed_drill(db, environment->id));
        if (auto finding = alerts::judge_drills(fact, now)) {
            found.emplace_back(settings.organization_id, std::move(*finding));
        }
    }
    return alerts::Alerts(db).settle_all(alerts::type::kDrillOverdue, found, now);
}

}  // namespace backstay::dispatch
