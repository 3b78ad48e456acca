// What a policy would delete, before it does.
#include "control-plane/api/schedule_change.h"
#include "control-plane/api/schedules.h"
#include "control-plane/api/scope.h"
#include "control-plane/retention/verdicts.h"
#include "control-plane/schedule/rules.h"

namespace backstay::api {
namespace {

using retention::BackupVerdict;
using retention::Numbers;

// The numbers that are sent, over the schedule's own, with what those inherit; null counts as absent.
Result<Numbers> proposed(const store::Schedule& frame, const Numbers& organization, const json::Value& sent) {
    json::Object all = json::encode(frame.retention).as_object();
    if (const json::Object* object = sent.if_object()) {
        for (const auto& member : *object) {
            if (!member.value().is_null() || !all.contains(member.key())) all[member.key()] = member.value();
        }
    }
    Numbers numbers;
    json::Faults faults;
    if (!json::decode_into(json::Value(std::move(all)), numbers, faults,
                           {json::Names::camel, json::Unknown::refuse, json::Missing::keep_default})) {
        return problem(faults);
    }
    numbers = retention::inherit(numbers, organization);
    TRY(schedule::check_retention(numbers));
    return numbers;
}

json::Object item_of(const BackupVerdict& goes, const BackupVerdict& today) {
    json::Array tiers;
    for (const retention::Tier tier : today.tiers) tiers.push_back(json::Value(retention::name_of(tier)));
    json::Object out;
    out["backupId"] = goes.backup_id;
    out["backupType"] = goes.scope;
    out["createdAt"] = to_rfc3339(goes.created_at);
    out["gfsTiers"] = std::move(tiers);
    out["reason"] = goes.reason;
    out["sizeBytes"] = goes.size_bytes;
    return out;
}

// Changes nothing, though it is a POST: both judgements see one state of the store.
Result<http::Response> preview(Call& call, sql::Transaction& transaction) {
    sql::Database& db = transaction.database();
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    const json::Value sent = TRY(body_value(call));
    if (!sent.is_object()) return problem({{"", "must be an object"}});
    const auto stored = TRY(store::Schedules(db).find(environment.id));
    if (!stored && sent.get_object().empty()) {
        return problem(404, "schedule_not_found", "this environment has no backup schedule, and the body says nothing");
    }
    const store::Schedule frame = stored.value_or(store::Schedule());
    const auto above = TRY(store::Policies(db).of(call.organization_id));
    const Numbers numbers = TRY(proposed(frame, above.retention, sent));
    const auto policy = TRY(retention::policy_of(frame, numbers));
    const auto now = TRY(retention::policy_of(frame, retention::inherit(frame.retention, above.retention)));
    const auto then = TRY(retention::judge_backups(db, environment.id, policy, call.now));
    const auto today = TRY(retention::judge_backups(db, environment.id, now, call.now));
    json::Array items;
    std::int64_t total = 0;
    for (std::size_t i = 0; i < then.size(); ++i) {
        if (then[i].keep) continue;
        items.push_back(item_of(then[i], today.at(i)));
        total += then[i].size_bytes;
    }
    json::Object body;
    body["items"] = std::move(items);
    body["totalSizeBytes"] = total;
    return json_answer(200, json::Value(std::move(body)));
}

Result<http::Response> show_policy(Call& call, sql::Database& db) {
    const auto policy = TRY(store::Policies(db).of(call.organization_id));
    return json_answer(200, json::Value(policy_view(policy)));
}

Result<http::Response> put_policy(Call& call, sql::Transaction& transaction) {
    sql::Database& db = transaction.database();
    const json::Value sent = TRY(body_value(call));
    const auto policy = TRY(change_policy(db, call.organization_id, sent, call.principal.name, call.now));
    TRY(note_audit(call, db, "retention_policy.update", call.organization_id));
    return json_answer(200, json::Value(policy_view(policy)));
}

Result<http::Response> drop_policy(Call& call, sql::Transaction& transaction) {
    sql::Database& db = transaction.database();
    TRY(reset_policy(db, call.organization_id, call.principal.name, call.now));
    TRY(note_audit(call, db, "retention_policy.reset", call.organization_id));
    return no_content();
}

}  // namespace

void add_retention_routes(RouteTable& routes) {
    constexpr std::string_view kPolicy = "/api/retention-policy";
    routes.add({"GET", kPolicy, auth::Permission::view_backups}, show_policy);
    // It decides over every project's backups.
    routes.add_write({"PUT", kPolicy, auth::Permission::manage_storage}, put_policy);
    routes.add_write({"DELETE", kPolicy, auth::Permission::manage_storage}, drop_policy);
    routes.add_write({"POST", "/api/environments/{environmentId}/backup-schedule/retention-preview",
                      auth::Permission::manage_backups},
                     preview);
}

}  // namespace backstay::api
