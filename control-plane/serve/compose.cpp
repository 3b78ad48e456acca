#include "control-plane/serve/compose.h"

#include "common/ids.h"
#include "control-plane/agent-api/routes.h"
#include "control-plane/api/alerts.h"
#include "control-plane/api/backups.h"
#include "control-plane/api/drills.h"
#include "control-plane/api/schedules.h"
#include "control-plane/api/snapshots.h"
#include "control-plane/dispatch/desk.h"
#include "control-plane/public-api/public_routes.h"
#include "control-plane/store/destination_config.h"

namespace backstay::serve {
namespace {

constexpr std::int64_t kTestTimeoutMs = 5 * dispatch::kMinute;

// A job of its agent that writes, reads, lists and deletes a small object.
Result<> order_destination_test(live::Live& live, api::Call& call, sql::Transaction& tx, const std::string& agent,
                                const DestinationOrder& destination) {
    TestDestinationOrder order{new_uuid(), destination};
    dispatch::NewJob job;
    job.kind = "test_destination";
    job.agent_id = agent;
    job.order = json::encode(order).get_object();
    job.timeout_ms = kTestTimeoutMs;
    job.operation.id = order.test_id;
    job.operation.kind = operations::Kind::destination_test;
    job.operation.organization_id = call.organization_id;
    job.operation.subject = destination.id;
    job.operation.performed_by = call.principal.name;
    job.operation.created_at = call.now;
    dispatch::Stir stir;
    TRY(dispatch::enqueue(tx.database(), std::move(job), call.now, stir));
    live.after_commit(call, std::move(stir));
    return {};
}

}  // namespace

void add_all_routes(api::RouteTable& routes, const RouteParts& parts) {
    live::Live& live = parts.live;
    parts.health.add_collector(collect_operations);
    parts.health.add_routes(routes);
    agent_api::add_agent_routes(routes, live.polls(), destination_opener(parts.box),
                                [&live](const dispatch::Stir& stir) { live.stir(stir); });
    agent_api::add_storage_routes(routes, parts.pumps, parts.desk, parts.others);
    live.polls().serve_storage(parts.desk);
    browse::add_browse_routes(routes, parts.browser);
    api::add_alert_routes(routes);
    api::add_backup_routes(routes, live);
    api::add_backup_care_routes(routes, live);
    api::add_restore_routes(routes, live);
    api::add_drill_routes(routes, live);
    api::add_pitr_routes(routes);
    api::add_snapshot_routes(routes, live);
    api::add_snapshot_care_routes(routes, live);
    api::add_snapshot_settings_routes(routes);
    api::add_rollback_routes(routes, live);
    api::add_schedule_routes(routes);
    api::add_retention_routes(routes);
    api::add_operation_routes(routes, live);
    api::add_openapi_route(routes);
    public_api::add_public_backup_routes(routes);
    public_api::add_download_routes(routes, {parts.box, parts.browser, parts.desk});
    admin_api::add_admin_routes(
        routes,
        {parts.box, parts.tokens, parts.address_rule, parts.webhook_rule, parts.mail_works,
         [&live](api::Call& call, sql::Transaction& tx, const std::string& agent, const DestinationOrder& destination) {
             return order_destination_test(live, call, tx, agent, destination);
         }});
}

dispatch::OpenDestination destination_opener(const SecretBox& box) {
    return [&box](sql::Database& db, std::string_view organization,
                  std::string_view destination) -> Result<std::optional<DestinationOrder>> {
        const auto row = TRY(store::Destinations(db).find(organization, destination));
        if (!row) return std::optional<DestinationOrder>();
        auto order = TRY(store::open_config(box, *row));
        return std::optional<DestinationOrder>(std::move(order));
    };
}

}  // namespace backstay::serve
