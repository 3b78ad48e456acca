#include "control-plane/api/restore_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/ids.h"
#include "control-plane/api/operation_scope.h"
#include "control-plane/api/readable_copies.h"
#include "control-plane/api/scope.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/dispatch/sessions.h"
#include "control-plane/operations/rows.h"
#include "control-plane/store/place.h"

namespace backstay::api {
namespace {

using control_plane::Inventory;

Result<> check_words(const operations::BackupRow& backup, const RestoreRequest& request) {
    const std::string type = request.target_type.value_or("same");
    if (type == "new") {
        return rule_broken("target_type_disabled", "targetType", "\"new\" is disabled until orchestration exists");
    }
    if (type != "same" && type != "other") {
        return rule_broken("invalid_target_type", "targetType", "must be \"same\" or \"other\"");
    }
    if (request.backup_id && *request.backup_id != backup.id) {
        return rule_broken("backup_id_mismatch", "backupId", "differs from the path");
    }
    const std::string scope = request.scope.value_or("all");
    if (scope != "all" && scope != "db" && scope != "filestore") {
        return rule_broken("invalid_scope", "scope", "must be \"all\", \"db\" or \"filestore\"");
    }
    if (request.pitr_timestamp) {
        if (scope != "filestore") return {};
        return rule_broken("invalid_scope", "scope", "a moment is restored with its database: \"all\" or \"db\"");
    }
    if (backup.scope == "base") {
        return rule_broken("pitr_required", "pitrTimestamp", "a base backup is restored to a moment: say which");
    }
    if (scope == "filestore" && backup.scope == "db") {
        return rule_broken("scope_not_in_backup", "scope", "this backup has no filestore");
    }
    return {};
}

Result<store::Environment> find_target(const Call& call, sql::Database& db, const operations::BackupRow& backup,
                                       const RestoreRequest& request) {
    const bool other = request.target_type.value_or("same") == "other";
    if (!other) {
        const bool named = request.target_environment_id && !request.target_environment_id->empty();
        if (named && request.target_environment_id != backup.environment_id) {
            return rule_broken("target_not_allowed", "targetEnvironmentId", "targetType \"same\" names no other one");
        }
        auto found = TRY(store::Environments(db).find(call.organization_id, backup.environment_id.value_or("")));
        if (!found) return rule_broken("target_required", "targetEnvironmentId", "the source does not exist any more");
        return std::move(*found);
    }
    if (!request.target_environment_id || request.target_environment_id->empty()) {
        return rule_broken("target_required", "targetEnvironmentId", "targetType \"other\" needs it");
    }
    if (!is_uuid(*request.target_environment_id)) return problem({{"targetEnvironmentId", "must be a UUID"}});
    auto target = TRY(find_environment(call, db, *request.target_environment_id));
    if (target.project_id != backup.project_id.value_or("")) {
        return rule_broken("target_not_allowed", "targetEnvironmentId", "it belongs to another project");
    }
    if (target.id == backup.environment_id) {
        return rule_broken("target_not_allowed", "targetEnvironmentId", "that is the source: say \"same\"");
    }
    return target;
}

// Before a target that has data is touched.
Result<> choose_safety(const Call& call, sql::Database& db, const RestoreRequest& request, const Inventory& inventory,
                       RestorePlan& plan) {
    const bool wanted = request.create_safety_backup.value_or(true);
    if (!wanted && plan.target.type == "production") {
        return rule_broken("safety_backup_required", "createSafetyBackup", "production is never restored without one");
    }
    if (!wanted || has_no_data(inventory, plan.target)) return {};
    auto usual = TRY(store::Destinations(db).default_of(call.organization_id));
    if (usual) {
        plan.safety.push_back(std::move(*usual));
    } else {
        if (plan.destinations.empty()) {
            return rule_broken("no_destination", "createSafetyBackup", "the organization has no default destination");
        }
        plan.safety.push_back(plan.destinations.front());
    }
    return {};
}

// The backup itself, or the moment that was asked for.
Result<> choose_origin(const Call& call, sql::Database& db, const operations::BackupRow& backup,
                       const RestoreRequest& request, RestorePlan& plan) {
    plan.destinations = TRY(readable_copies(db, backup, plan.target.agent_id));
    if (request.pitr_timestamp) {
        const store::Environment& source = plan.source ? *plan.source : plan.target;
        plan.pitr = TRY(plan_pitr(call, db, source, plan.target, {*request.pitr_timestamp, plan.scope == "all"}));
        return {};
    }
    if (!plan.destinations.empty()) return {};
    if (plan.target.agent_id == backup.agent_id) {
        return conflict("backup_not_restorable", "no destination holds a complete copy");
    }
    return rule_broken("target_not_allowed", "targetEnvironmentId",
                       "every copy lies on the host of another agent: copy the backup to a shared destination");
}

}  // namespace

Result<> refuse_when_away(sql::Database& db, const std::string& agent_id, TimeMs now) {
    if (TRY(dispatch::is_alive(db, agent_id, now))) return {};
    return problem(503, "agent_offline", "the target's agent is away");
}

Result<Manifest> known_manifest(const std::optional<std::string>& text, std::string_view code) {
    if (!text) return conflict(code, "its manifest is not known here");
    auto manifest = read_manifest(*text);
    if (!manifest) return conflict(code, manifest.error().message());
    return manifest;
}

bool must_neutralize(const store::Environment& target, const std::optional<store::Environment>& source,
                     const Manifest& manifest) {
    const bool from_production = source ? source->type == "production" : manifest.environment_type == "production";
    return target.type != "production" && (from_production || !manifest.is_neutralized);
}

bool has_no_data(const Inventory& inventory, const store::Environment& target) {
    const store::Place place = store::find_place(inventory, target);
    return place.cluster != nullptr && place.database == nullptr && !place.cluster->problem;
}

std::optional<std::string> version_obstacle(const Manifest& manifest, const Inventory& inventory,
                                            const store::Environment& target) {
    const store::Place place = store::find_place(inventory, target);
    if (place.cluster != nullptr && place.cluster->server_version_num && manifest.postgres.server_version_num > 0) {
        const int from = manifest.postgres.server_version_num / 10'000;
        const int to = *place.cluster->server_version_num / 10'000;
        if (to < from) return fmt::format("the backup is of PostgreSQL {}, the target runs the older {}", from, to);
    }
    if (place.database != nullptr && place.database->odoo_version && manifest.odoo &&
        *place.database->odoo_version != manifest.odoo->major_version) {
        return fmt::format("the backup is of Odoo {}, the target runs {}", manifest.odoo->major_version,
                           *place.database->odoo_version);
    }
    return std::nullopt;
}

Result<RestorePlan> plan_restore_request(const Call& call, sql::Database& db, const operations::BackupRow& backup,
                                         const RestoreRequest& request) {
    TRY(check_words(backup, request));
    if (backup.status != "completed" && backup.status != "partial") {
        return conflict("backup_not_restorable", "the backup is " + backup.status);
    }
    RestorePlan plan;
    plan.target_type = request.target_type.value_or("same");
    plan.scope = request.scope.value_or("all");
    plan.target = TRY(find_target(call, db, backup, request));
    if (plan.target.type == "production" && !call.principal.may_restore_production()) {
        return problem(403, "forbidden", "restoring into production is for owners and administrators");
    }
    plan.source = TRY(store::Environments(db).find_any(call.organization_id, backup.environment_id.value_or("")));
    const auto busy = TRY(dispatch::busy_jobs_of_environment(db, plan.target.id));
    if (!busy.empty()) {
        return conflict("target_busy", busy.front().kind + " " + busy.front().operation_id + " works on the target");
    }
    TRY(choose_origin(call, db, backup, request, plan));
    const auto text = TRY(operations::manifest_of(db, backup.id));
    const Manifest manifest = TRY(known_manifest(text, "backup_not_restorable"));
    const Inventory inventory = TRY(store::inventory_of(db, plan.target.agent_id));
    if (const auto obstacle = version_obstacle(manifest, inventory, plan.target)) {
        return rule_broken("version_mismatch", "targetEnvironmentId", *obstacle);
    }
    plan.neutralize = must_neutralize(plan.target, plan.source, manifest);
    plan.new_uuid = plan.target_type == "other";
    TRY(choose_safety(call, db, request, inventory, plan));
    return plan;
}

}  // namespace backstay::api
