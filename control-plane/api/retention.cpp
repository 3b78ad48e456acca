// What a policy would delete, before it does.
#include "control-plane/api/schedules.h"
#include "control-plane/api/scope.h"
#include "control-plane/retention/verdicts.h"
#include "control-plane/schedule/rules.h"

namespace backstay::api {
namespace {

using retention::BackupVerdict;
using retention::Numbers;

// The numbers that are sent, over those that are stored; null counts as absent.
Result<Numbers> proposed(const std::optional<store::Schedule>& stored, const json::Value& sent) {
    json::Object all = json::encode(stored ? stored->retention : retention::usual_numbers()).as_object();
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
Result<http::Response> preview(Call& call, sqlite::Transaction& transaction) {
    sqlite::Database& db = transaction.database();
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    const json::Value sent = TRY(body_value(call));
    if (!sent.is_object()) return problem({{"", "must be an object"}});
    const auto stored = TRY(store::Schedules(db).find(environment.id));
    if (!stored && sent.get_object().empty()) {
        return problem(404, "schedule_not_found", "this environment has no backup schedule, and the body says nothing");
    }
    const store::Schedule frame = stored.value_or(store::Schedule());
    const Numbers numbers = TRY(proposed(stored, sent));
    const auto policy = TRY(retention::policy_of(frame, numbers));
    const auto now = TRY(retention::policy_of(frame, stored ? stored->retention : retention::usual_numbers()));
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

}  // namespace

void add_retention_routes(RouteTable& routes) {
    routes.add_write({"POST", "/api/environments/{environmentId}/backup-schedule/retention-preview",
                      auth::Permission::manage_backups},
                     preview);
}

}  // namespace backstay::api
