// Restore drills on the command line.
#include "control-plane/api/drills.h"
#include "control-plane/cli/commands.h"
#include "control-plane/cli/installation_session.h"
#include "control-plane/dispatch/drills.h"
#include "control-plane/operations/drills.h"

namespace backstay::cli {
namespace {

constexpr std::int64_t kMostShown = 100'000;

Result<store::Environment> environment_of(Session& session, const DrillArguments& arguments) {
    const auto organization = TRY(session.organization(arguments.organization));
    auto found = TRY(store::Environments(session.db).find(organization.id, arguments.environment));
    if (found) return std::move(*found);
    return Error(Errc::not_found, "there is no environment " + arguments.environment)
        .with_hint("`backstay-control environment list` shows those of a project");
}

std::string time_of(const std::optional<TimeMs>& time) { return time ? to_rfc3339(*time - *time % 1000) : "-"; }

}  // namespace

Result<> drills_list(const Common& common, const DrillArguments& arguments) {
    Session session = TRY(Session::open(common));
    const auto environment = TRY(environment_of(session, arguments));
    const auto found =
        TRY(operations::list_drills(session.db, environment.organization_id, environment.id, kMostShown, 0));
    json::Object shown = TRY(api::drill_list_view(session.db, environment, found));
    std::vector<std::vector<std::string>> rows;
    for (const auto& row : found.rows) {
        rows.push_back({row.id, row.status, time_of(row.completed_at), row.performed_by, row.backup_id.value_or("-")});
    }
    print_table(common, json::Value(std::move(shown)), {"ID", "STATUS", "ENDED", "BY", "BACKUP"}, rows);
    return {};
}

Result<> drills_run(const Common& common, const DrillArguments& arguments) {
    Session session = TRY(Session::open(common));
    auto transaction = TRY(sql::Transaction::begin(session.db));
    const auto environment = TRY(environment_of(session, arguments));
    dispatch::Stir stir;  // the server finds the job by itself
    const auto drill = TRY(dispatch::order_drill(session.db, environment, "cli", session.now, stir));
    TRY(registry::note(transaction, session.actor(), environment.organization_id, "drill.order", drill.backup_id, ""));
    TRY(transaction.commit());
    json::Object shown{{"drillId", drill.id}, {"backupId", drill.backup_id}};
    print(common, shown, {{"drill", drill.id}, {"of backup", drill.backup_id}});
    return {};
}

Result<> drills_set(const Common& common, const DrillArguments& arguments) {
    if (arguments.every_days < 0 || arguments.every_days > dispatch::kDrillDaysMost) {
        return Error(Errc::invalid, "--every-days must be 0 to 365");
    }
    Session session = TRY(Session::open(common));
    auto transaction = TRY(sql::Transaction::begin(session.db));
    const auto environment = TRY(environment_of(session, arguments));
    TRY(dispatch::set_drills(session.db, environment, arguments.every_days, session.now));
    TRY(registry::note(transaction, session.actor(), environment.organization_id, "drills.update", environment.id, ""));
    TRY(transaction.commit());
    const json::Object shown = TRY(api::drills_view(session.db, environment));
    const json::Value* next = shown.if_contains("nextDrillAt");
    print(common, shown,
          {{"environment", environment.name},
           {"every", arguments.every_days == 0 ? "never" : std::to_string(arguments.every_days) + " days"},
           {"next", next != nullptr && next->is_string() ? std::string(next->get_string()) : "-"}});
    return {};
}

}  // namespace backstay::cli
