#include "control-plane/api/operation_scope.h"

#include <fmt/format.h>

#include <set>

#include "common/ids.h"
#include "control-plane/store/environments.h"

namespace backstay::api {
namespace {

constexpr std::size_t kDestinationsMost = 10;

// A key limited to one project sees what belongs to that project.
bool may_see(const Call& call, const std::optional<std::string>& project_id) {
    if (!call.principal.project_id) return true;
    return project_id && call.principal.may_see_project(*project_id);
}

Result<bool> may_see_environment(const Call& call, sql::Database& db, const std::optional<std::string>& id) {
    if (!call.principal.project_id) return true;
    if (!id) return false;
    const auto environment = TRY(store::Environments(db).find_any(call.organization_id, *id));
    return environment && call.principal.may_see_project(environment->project_id);
}

}  // namespace

Result<operations::BackupRow> find_backup(const Call& call, sql::Database& db, std::string_view id) {
    auto found = TRY(operations::find_backup(db, call.organization_id, id));
    if (!found || !may_see(call, found->project_id)) return not_found("backup");
    return std::move(*found);
}

Result<operations::ShownBackup> find_shown_backup(const Call& call, sql::Database& db, std::string_view id) {
    auto found = TRY(operations::find_shown_backup(db, call.organization_id, id));
    if (!found || !may_see(call, found->row.project_id)) return not_found("backup");
    return std::move(*found);
}

Result<operations::SnapshotRow> find_snapshot(const Call& call, sql::Database& db, std::string_view id) {
    auto found = TRY(operations::find_snapshot(db, call.organization_id, id));
    if (!found || !may_see(call, found->project_id)) return not_found("snapshot");
    return std::move(*found);
}

Result<operations::RollbackRow> find_rollback(const Call& call, sql::Database& db, std::string_view id) {
    auto found = TRY(operations::find_rollback(db, call.organization_id, id));
    if (!found || !TRY(may_see_environment(call, db, found->target_environment_id))) return not_found("rollback");
    return std::move(*found);
}

Result<operations::RestoreRow> find_restore(const Call& call, sql::Database& db, std::string_view id) {
    auto found = TRY(operations::find_restore(db, call.organization_id, id));
    if (!found || !TRY(may_see_environment(call, db, found->target_environment_id))) return not_found("restore");
    return std::move(*found);
}

Result<operations::OperationRow> find_operation(const Call& call, sql::Database& db, std::string_view kind,
                                                std::string_view id) {
    auto found = TRY(operations::find_operation(db, id));
    const bool mine = found && found->organization_id == call.organization_id &&
                      (kind.empty() || operations::to_string(found->kind) == kind);
    if (!mine || !TRY(may_see_environment(call, db, found->environment_id))) return not_found("operation");
    return std::move(*found);
}

Result<std::vector<store::DestinationRow>> choose_destinations(const Call& call, sql::Database& db,
                                                               const std::vector<std::string>& ids) {
    store::Destinations destinations(db);
    std::vector<store::DestinationRow> chosen;
    if (ids.empty()) {
        auto usual = TRY(destinations.default_of(call.organization_id));
        if (!usual)
            return rule_broken("no_destination", "destinationIds", "the organization has no backup destination");
        chosen.push_back(std::move(*usual));
        return chosen;
    }
    return named_destinations(reach_of(call), db, ids);
}

Result<std::vector<store::DestinationRow>> named_destinations(const Reach& reach, sql::Database& db,
                                                              const std::vector<std::string>& ids) {
    store::Destinations destinations(db);
    std::vector<store::DestinationRow> chosen;
    if (ids.size() > kDestinationsMost) {
        return rule_broken("too_many_destinations", "destinationIds", "at most 10 destinations");
    }
    std::set<std::string> seen;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const std::string field = fmt::format("destinationIds[{}]", i);
        if (!is_uuid(ids[i])) return problem({{field, "must be a UUID"}});
        if (!seen.insert(ids[i]).second) return problem({{field, "is named twice"}});
        auto row = TRY(destinations.find(reach.organization_id, ids[i]));
        const auto& project = reach.project_id;
        if (row && project && !TRY(destinations.needed_by(row->id, *project))) row.reset();
        if (!row) return rule_broken("destination_not_found", field, "there is no such backup destination");
        chosen.push_back(std::move(*row));
    }
    return chosen;
}

}  // namespace backstay::api
