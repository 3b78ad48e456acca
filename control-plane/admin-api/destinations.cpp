#include "control-plane/registry/destinations.h"
#include "control-plane/admin-api/admin_routes.h"
#include "control-plane/alerts/destination_silence.h"
#include "control-plane/api/answer.h"
#include "control-plane/api/scope.h"
#include "control-plane/registry/views.h"
#include "control-plane/store/destination_config.h"
#include "control-plane/store/schedules.h"

namespace backstay::admin_api {
namespace {

using api::Call;
using auth::Permission;

constexpr int kSaveAttempts = 3;

struct NewDestination {
    std::string name;
    std::string destination_type;
    json::Object config;
    std::optional<bool> is_default;
    std::optional<bool> encrypt;
    std::optional<std::string> agent_id;
    std::optional<bool> skip_test;
};
BOOST_DESCRIBE_STRUCT(NewDestination, (), (name, destination_type, config, is_default, encrypt, agent_id, skip_test))

struct ChangedDestination {
    std::optional<std::string> name;
    std::optional<std::string> destination_type;
    std::optional<json::Object> config;
    std::optional<bool> is_default;
    std::optional<bool> encrypt;
    std::optional<std::string> agent_id;
    std::optional<bool> skip_test;
};
BOOST_DESCRIBE_STRUCT(ChangedDestination, (),
                      (name, destination_type, config, is_default, encrypt, agent_id, skip_test))

Result<http::Response> answer_of(int status, const store::DestinationRow& row, const SecretBox& box) {
    auto body = TRY(registry::view(row, box));
    return api::json_answer(status, json::Value(std::move(body)));
}

// What stops a destination from being saved: it is neither reachable nor writable from here.
Error test_problem(const Error& error) { return api::problem(422, "connection_test_failed", error.message()); }

// A local path is looked at by its agent, later: the row says `pending` until then.
Result<> order_test(Call& call, sql::Transaction& tx, const AdminParts& parts, store::DestinationRow& row,
                    const DestinationOrder& order) {
    const auto agent = TRY(registry::looking_agent(tx.database(), row));
    if (!agent) return {};
    TRY(parts.order_test(call, tx, *agent, order));
    row.test_status = "pending";
    row.test_message.clear();
    return store::Destinations(tx.database()).set_test(row.id, row.test_status, "", std::nullopt);
}

Result<http::Response> save(Call& call, sql::Transaction& transaction, const AdminParts& parts,
                            registry::DestinationDraft& draft, bool is_new, bool ask_agent) {
    TRY(registry::save_destination(transaction, actor_of(call), parts.box, draft, is_new));
    if (ask_agent) TRY(order_test(call, transaction, parts, draft.row, draft.order));
    TRY(transaction.commit());
    return answer_of(is_new ? 201 : 200, draft.row, parts.box);
}

Result<http::Response> list_destinations(Call& call, sql::Database& db, const AdminParts& parts) {
    const auto page = TRY(api::page_of(call, 50));
    const auto listing =
        TRY(store::Destinations(db).list(call.organization_id, page, call.principal.project_id.value_or("")));
    json::Array items;
    for (const auto& item : listing.items) items.push_back(TRY(registry::view(item, parts.box)));
    json::Object body{{"destinations", std::move(items)}, {"total", listing.total}};
    return api::json_answer(200, json::Value(std::move(body)));
}

Result<http::Response> show_destination(Call& call, sql::Database& db, const AdminParts& parts) {
    const auto row = TRY(api::find_destination(call, db, call.param("id")));
    return answer_of(200, row, parts.box);
}

// Tested or to be tested; which one, and by whom.
struct TestWish {
    bool here = false;
    bool by_agent = false;
};

TestWish wish_of(const registry::DestinationDraft& draft, bool skip_test) {
    const bool test = draft.config_changed && !skip_test;
    const bool here = registry::tested_from_here(draft.order);
    return {test && here, test && !here};
}

Result<http::Response> create_destination(Call& call, sql::Database& db, const AdminParts& parts) {
    const auto body = TRY(api::body<NewDestination>(call, json::Missing::refuse));
    registry::DestinationChange change{body.name,       body.destination_type, body.config,
                                       body.is_default, body.encrypt,          body.agent_id};
    auto draft = TRY(registry::draft_destination(db, parts.box, call.organization_id, std::nullopt, change, call.now));
    const TestWish test = wish_of(draft, body.skip_test.value_or(false));
    if (test.here) {
        if (auto tested = registry::test_from_here(draft, parts.address_rule, call.now); !tested)
            return test_problem(tested.error());
    }
    auto transaction = TRY(sql::Transaction::begin(db, call.organization_id));
    return save(call, transaction, parts, draft, true, test.by_agent);
}

Error changed_meanwhile() {
    return api::conflict("destination_changed", "others change this destination at the same time; try again");
}

// The connection is tested outside of any transaction, which takes seconds. What is saved is made from the row as it is
// then: changes of others to other fields stay, and a configuration that was not the one tested is tested again.
Result<http::Response> update_destination(Call& call, sql::Database& db, const AdminParts& parts) {
    const auto body = TRY(api::body<ChangedDestination>(call));
    const registry::DestinationChange change{body.name,       body.destination_type, body.config,
                                             body.is_default, body.encrypt,          body.agent_id};
    const bool skip_test = body.skip_test.value_or(false);
    const auto draft_now = [&]() -> Result<registry::DestinationDraft> {
        const auto stored = TRY(api::find_destination(call, db, call.param("id")));
        return registry::draft_destination(db, parts.box, call.organization_id, stored, change, call.now);
    };
    for (int attempt = 0; attempt < kSaveAttempts; ++attempt) {
        auto tested = TRY(draft_now());
        const bool was_tested = wish_of(tested, skip_test).here;
        if (was_tested) {
            if (auto passed = registry::test_from_here(tested, parts.address_rule, call.now); !passed)
                return test_problem(passed.error());
        }
        auto transaction = TRY(sql::Transaction::begin(db, call.organization_id));
        auto draft = TRY(draft_now());
        const TestWish test = wish_of(draft, skip_test);
        if (test.here && !(was_tested && json::Value(tested.order.config) == json::Value(draft.order.config))) continue;
        if (test.here) {
            draft.row.test_status = tested.row.test_status;
            draft.row.test_message = tested.row.test_message;
            draft.row.tested_at = tested.row.tested_at;
        }
        if (skip_test && draft.config_changed) draft.row.test_status = "untested";
        return save(call, transaction, parts, draft, false, test.by_agent);
    }
    return changed_meanwhile();
}

// The outcome at once when this side can look: a failed test is still an answer. 202 while the agent is asked.
Result<http::Response> test_destination(Call& call, sql::Database& db, const AdminParts& parts) {
    const auto row = TRY(api::find_destination(call, db, call.param("id")));
    auto order = TRY(store::open_config(parts.box, row));
    registry::DestinationDraft draft{row, std::move(order), false};
    const bool here = registry::tested_from_here(draft.order);
    if (here) {
        // The row keeps what came of it.
        static_cast<void>(registry::test_from_here(draft, parts.address_rule, call.now).has_value());
    }
    auto transaction = TRY(sql::Transaction::begin(db, call.organization_id));
    if (TRY(api::find_destination(call, db, row.id)).config_box != row.config_box) return changed_meanwhile();
    if (here) {
        TRY(store::Destinations(db).set_test(row.id, draft.row.test_status, draft.row.test_message, call.now));
        alerts::DestinationSilences silences(db);
        if (draft.row.test_status == "passed") TRY(silences.end(row.id, call.now));
        if (draft.row.test_status == "failed") TRY(silences.begin(row.id, draft.row.test_message, call.now));
    } else {
        const auto agent = TRY(registry::looking_agent(db, row));
        if (!agent) {
            return api::rule_broken("agent_required", "agentId",
                                    "name the agent on whose host this path is; the organization has several or none");
        }
        TRY(order_test(call, transaction, parts, draft.row, draft.order));
    }
    TRY(transaction.commit());
    return answer_of(here ? 200 : 202, draft.row, parts.box);
}

// Backups in it would be out of reach: delete them first, or say force=true.
Result<http::Response> delete_destination(Call& call, sql::Transaction& tx) {
    const auto row = TRY(api::find_destination(call, tx.database(), call.param("id")));
    const std::string force = TRY(api::choice_of(call, "force", {"true", "false"}));
    store::Destinations destinations(tx.database());
    const auto backups = TRY(destinations.backups_in(row.id));
    if (backups > 0 && force != "true") {
        return api::conflict("destination_in_use", std::to_string(backups) + " backups are kept in this destination");
    }
    const auto schedules = TRY(store::Schedules(tx.database()).naming(row.id));
    if (schedules > 0 && force != "true") {
        return api::conflict("destination_in_use", std::to_string(schedules) + " schedules store in this destination");
    }
    TRY(destinations.remove(call.organization_id, row.id, call.now));
    TRY(registry::note(tx, actor_of(call), call.organization_id, "destination.delete", row.id, row.name));
    return api::message_answer(200, "the destination is removed; what it holds stays there");
}

}  // namespace

void add_destination_routes(api::RouteTable& routes, const AdminParts& parts) {
    const auto with_parts = [&parts](auto handler) {
        return [parts, handler](Call& call, sql::Database& db) { return handler(call, db, parts); };
    };
    constexpr std::string_view kAll = "/api/backup-destinations";
    constexpr std::string_view kOne = "/api/backup-destinations/{id}";
    const auto slow = [](std::string_view method, std::string_view pattern) {
        return api::RouteSpec{
            .method = method, .pattern = pattern, .permission = Permission::manage_storage, .slow = true};
    };
    routes.add({"GET", kAll, Permission::view_storage}, with_parts(list_destinations));
    routes.add(slow("POST", kAll), with_parts(create_destination));
    routes.add({"GET", kOne, Permission::view_storage}, with_parts(show_destination));
    routes.add(slow("PUT", kOne), with_parts(update_destination));
    routes.add(slow("PATCH", kOne), with_parts(update_destination));
    routes.add(slow("POST", "/api/backup-destinations/{id}/test"), with_parts(test_destination));
    routes.add_write({"DELETE", kOne, Permission::manage_storage}, delete_destination);
}

}  // namespace backstay::admin_api
