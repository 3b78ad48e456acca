#include "control-plane/api/pitr.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/domain/wal_coverage.h"
#include "control-plane/api/backups.h"
#include "control-plane/api/readable_copies.h"
#include "control-plane/api/scope.h"
#include "control-plane/operations/history.h"
#include "control-plane/store/cluster_wal.h"
#include "control-plane/store/destinations.h"

namespace backstay::api {
namespace {

using control_plane::ClusterWal;

json::Array spans(const std::vector<control_plane::TimeSpan>& list) {
    json::Array out;
    for (const control_plane::TimeSpan& span : list) out.push_back(json::encode(span));
    return out;
}

json::Object coverage_answer(const std::optional<store::EnvironmentWal>& known) {
    const ClusterWal wal = known ? known->wal : ClusterWal{};
    json::Array bases;
    for (const control_plane::WalBase& base : wal.base_backups) bases.push_back(json::encode(base));
    json::Object archiving = json::encode(wal.archiving).as_object();
    archiving["reportedAt"] = known ? json::encode(Timestamp{known->reported_at}) : json::Value();
    json::Object body;
    body["baseBackups"] = std::move(bases);
    body["earliestRecoverable"] = json::encode(wal.earliest_recoverable);
    body["latestRecoverable"] = json::encode(wal.latest_recoverable);
    body["walRanges"] = spans(wal.wal_ranges);
    body["gaps"] = spans(wal.gaps);
    body["archiving"] = std::move(archiving);
    return body;
}

Result<http::Response> show_coverage(Call& call, sql::Database& db) {
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    const auto known = TRY(store::wal_of(db, environment));
    return json_answer(200, json::Value(coverage_answer(known)));
}

wal::Coverage to_coverage(const ClusterWal& archive) {
    wal::Coverage coverage;
    for (const auto& span : archive.wal_ranges) {
        wal::Range range;
        range.time = {span.start.ms, span.end.ms};
        coverage.ranges.push_back(std::move(range));
    }
    for (const auto& span : archive.gaps) coverage.gaps.push_back({span.start.ms, span.end.ms});
    return coverage;
}

Error unreachable(const wal::Nearest& nearest) {
    json::Faults detail;
    const bool gap = nearest.reach == wal::Reach::in_gap;
    detail.push_back({"pitrTimestamp", gap ? "WAL of that moment is missing" : "outside of what can be recovered"});
    if (nearest.before) detail.push_back({"nearestBefore", to_rfc3339(*nearest.before)});
    if (nearest.after) detail.push_back({"nearestAfter", to_rfc3339(*nearest.after)});
    return rules_broken(gap ? "pitr_in_gap" : "pitr_out_of_window",
                        gap ? "WAL of that moment is missing: choose one of the nearest moments"
                            : "that moment cannot be recovered: choose one of the nearest moments",
                        detail);
}

// The agent that archives reads by its own configuration; another one needs destinations of the organization that are
// no folder on somebody else's host.
Result<std::vector<DestinationOrder>> archive_places(const Call& call, sql::Database& db, const ClusterWal& archive,
                                                     const store::Environment& source,
                                                     const store::Environment& target) {
    std::vector<DestinationOrder> places;
    if (target.agent_id == source.agent_id) return places;
    for (const std::string& id : archive.destination_ids) {
        const auto row = TRY(store::Destinations(db).find(call.organization_id, id));
        if (row && row->type != "local") places.push_back({row->id, row->name, row->type, {}});
    }
    if (!places.empty()) return places;
    return rule_broken("target_not_allowed", "targetEnvironmentId",
                       "its agent cannot read the WAL: the archive lies in no destination that both hosts reach");
}

Result<std::vector<PitrFilestore>> filestores_around(sql::Database& db, const store::Environment& source,
                                                     const store::Environment& target, TimeMs at) {
    std::vector<PitrFilestore> found;
    for (const auto& row : TRY(operations::full_backups_around(db, source.id, at))) {
        PitrFilestore filestore;
        filestore.backup_id = row.id;
        filestore.folder = row.folder;
        filestore.taken_at = {row.started_at.value_or(row.created_at)};
        for (const auto& place : TRY(readable_copies(db, row, target.agent_id))) {
            filestore.destinations.push_back({place.id, place.name, place.type, {}});
        }
        if (!filestore.destinations.empty()) found.push_back(std::move(filestore));
    }
    if (!found.empty()) return found;
    return conflict("backup_not_restorable",
                    "no full backup of this environment has a filestore to go with that moment: make one, or restore "
                    "with scope \"db\"");
}

}  // namespace

Result<PitrOrder> plan_pitr(const Call& call, sql::Database& db, const store::Environment& source,
                            const store::Environment& target, const PitrWish& wish) {
    const auto at = parse_rfc3339(wish.timestamp);
    if (!at) return problem({{"pitrTimestamp", "must be RFC 3339 with an offset"}});
    const auto known = TRY(store::wal_of(db, source));
    if (!known || known->wal.wal_ranges.empty()) {
        return rule_broken(
            "pitr_out_of_window", "pitrTimestamp",
            known ? "no base backup with its WAL is there yet" : "no WAL is archived for this environment");
    }
    const wal::Nearest nearest = wal::find_nearest(to_coverage(known->wal), *at);
    if (nearest.reach != wal::Reach::inside) return unreachable(nearest);
    PitrOrder order;
    order.target = {*at};
    order.system_id = known->wal.system_id;
    order.archive = known->wal.archive;
    order.destinations = TRY(archive_places(call, db, known->wal, source, target));
    if (wish.with_filestore) order.filestores = TRY(filestores_around(db, source, target, *at));
    return order;
}

void add_pitr_routes(RouteTable& routes) {
    routes.add({"GET", "/api/environments/{environmentId}/pitr-coverage", auth::Permission::view_backups},
               show_coverage);
}

}  // namespace backstay::api
