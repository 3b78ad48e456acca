#include "control-plane/api/schedule_change.h"

#include <algorithm>

#include "common/ids.h"
#include "control-plane/api/operation_answers.h"
#include "control-plane/schedule/rules.h"
#include "control-plane/store/cluster_wal.h"

namespace backstay::api {
namespace {

using retention::Numbers;
using store::Schedule;

struct ScheduleRequest {
    std::optional<bool> enabled;
    std::optional<bool> paused;
    std::optional<std::string> timezone;
    std::optional<std::string> db_frequency;
    std::optional<std::string> db_cron;
    std::optional<std::string> full_frequency;
    std::optional<std::string> full_cron;
    std::optional<std::vector<std::string>> destination_ids;
    std::optional<bool> wal_enabled;
    std::optional<std::int64_t> wal_retention_days;
    // What GET answers may come back.
    std::optional<std::string> id;
    std::optional<std::string> environment_id;
    std::optional<std::string> next_db_backup_at;
    std::optional<std::string> next_full_backup_at;
    std::optional<std::string> created_at;
    std::optional<std::string> updated_at;
};
BOOST_DESCRIBE_STRUCT(ScheduleRequest, (),
                      (enabled, paused, timezone, db_frequency, db_cron, full_frequency, full_cron, destination_ids,
                       wal_enabled, wal_retention_days, id, environment_id, next_db_backup_at, next_full_backup_at,
                       created_at, updated_at))

struct PolicyRequest {
    std::optional<std::string> updated_at;
    std::optional<std::string> updated_by;
};
BOOST_DESCRIBE_STRUCT(PolicyRequest, (), (updated_at, updated_by))

constexpr std::string_view kInherited = "retentionInherited";

// The retain… numbers of a body, and the rest of it. Numbers that GET showed as inherited and that come back unchanged
// stay inherited.
struct Split {
    json::Object numbers;
    json::Object rest;
    std::vector<std::string> inherited;
};

Result<Split> split_body(const json::Value& value) {
    if (!value.is_object()) return problem({{"", "must be an object"}});
    Split out;
    for (const auto& member : value.get_object()) {
        const std::string_view name(member.key().data(), member.key().size());
        if (name == kInherited) {
            auto list = json::decode<std::optional<std::vector<std::string>>>(member.value());
            if (!list) return problem({{std::string(kInherited), "must be a list of names"}});
            if (*list) out.inherited = std::move(**list);
            continue;
        }
        (name.starts_with("retain") ? out.numbers : out.rest)[member.key()] = member.value();
    }
    return out;
}

template <class T>
Result<T> decoded(const json::Object& object) {
    T out{};
    json::Faults faults;
    if (!json::decode_into(json::Value(object), out, faults,
                           {json::Names::camel, json::Unknown::refuse, json::Missing::keep_default})) {
        return problem(faults);
    }
    return out;
}

// Absent numbers stay as they are, null is inherited again; `shown` is what GET showed before.
Result<Numbers> take_numbers(const Numbers& stored, const Numbers& shown, const Split& sent) {
    TRY(decoded<Numbers>(sent.numbers));  // the faults, with their paths
    json::Object all = json::encode(stored).as_object();
    const json::Object before = json::encode(shown).as_object();
    for (const auto& member : sent.numbers) {
        const std::string_view name(member.key().data(), member.key().size());
        const bool named = std::find(sent.inherited.begin(), sent.inherited.end(), name) != sent.inherited.end();
        const json::Value* known = before.if_contains(name);
        if (named && known != nullptr && *known == member.value()) continue;
        all[member.key()] = member.value();
    }
    return decoded<Numbers>(all);
}

Result<Schedule> new_schedule(sql::Database& db, const store::Environment& environment, TimeMs now) {
    Schedule schedule;
    schedule.id = new_uuid();
    schedule.environment_id = environment.id;
    schedule.organization_id = environment.organization_id;
    schedule.db = {"daily", schedule::spread_cron("daily", environment.id), {}};
    schedule.full = {"weekly", schedule::spread_cron("weekly", environment.id), {}};
    const auto usual = TRY(store::Destinations(db).default_of(environment.organization_id));
    if (usual) schedule.destination_ids.push_back(usual->id);
    schedule.created_at = schedule.wal_since = now;
    return schedule;
}

Result<> take_wal(sql::Database& db, const store::Environment& environment, const ScheduleRequest& request, TimeMs now,
                  Schedule& schedule) {
    const std::int64_t before = schedule.wal_enabled ? schedule.wal_retention_days : 0;
    schedule.wal_retention_days = request.wal_retention_days.value_or(schedule.wal_retention_days);
    if (schedule.wal_retention_days == 0) schedule.wal_retention_days = Schedule().wal_retention_days;
    TRY(schedule::check_wal_days(schedule.wal_retention_days));
    const bool wanted = request.wal_enabled.value_or(schedule.wal_enabled);
    if (wanted && !schedule.wal_enabled && !TRY(store::wal_of(db, environment))) {
        return rule_broken("wal_not_possible", "walEnabled",
                           "the agent archives no WAL of this cluster: its host needs a [[wal]] section and the "
                           "archive_command first");
    }
    schedule.wal_enabled = wanted;
    // A window that grows is not there at once.
    if (wanted && schedule.wal_retention_days > before) schedule.wal_since = now;
    return {};
}

Result<> take_request(sql::Database& db, const store::Environment& environment, const ScheduleRequest& request,
                      const Reach& reach, TimeMs now, Schedule& schedule) {
    schedule.enabled = request.enabled.value_or(schedule.enabled);
    schedule.paused = request.paused.value_or(schedule.paused);
    schedule.time_zone = request.timezone.value_or(schedule.time_zone);
    TRY(schedule::check_time_zone(schedule.time_zone));
    schedule.db =
        TRY(schedule::take_cadence("db", {request.db_frequency, request.db_cron}, schedule.db, environment.id));
    schedule.full =
        TRY(schedule::take_cadence("full", {request.full_frequency, request.full_cron}, schedule.full, environment.id));
    TRY(take_wal(db, environment, request, now, schedule));
    if (!request.destination_ids) return {};
    schedule.destination_ids.clear();
    for (const auto& row : TRY(named_destinations(reach, db, *request.destination_ids))) {
        schedule.destination_ids.push_back(row.id);
    }
    return {};
}

// The names of the numbers that `own` does not say.
json::Array inherited_names(const Numbers& own) {
    json::Array out;
    const json::Value members = json::encode(own);
    for (const auto& member : members.get_object()) {
        if (member.value().is_null()) out.push_back(json::Value(member.key()));
    }
    return out;
}

}  // namespace

Result<ScheduleChange> change_schedule(sql::Database& db, const store::Environment& environment,
                                       const json::Value& sent, const Reach& reach, TimeMs now) {
    const Split split = TRY(split_body(sent));
    const auto request = TRY(decoded<ScheduleRequest>(split.rest));
    const auto before = TRY(store::Schedules(db).find(environment.id));
    Schedule schedule = before ? *before : TRY(new_schedule(db, environment, now));
    TRY(take_request(db, environment, request, reach, now, schedule));
    const Numbers shown = TRY(store::numbers_of(db, schedule));
    schedule.retention = TRY(take_numbers(schedule.retention, shown, split));
    const Numbers ruling = TRY(store::numbers_of(db, schedule));
    TRY(schedule::check_retention(ruling));
    schedule.updated_at = now;
    TRY(schedule::reckon_next(schedule, before, now));
    TRY(store::Schedules(db).put(schedule));
    return ScheduleChange{std::move(schedule), !before};
}

Result<json::Object> schedule_view(sql::Database& db, const Schedule& schedule, TimeMs now) {
    const Numbers ruling = TRY(store::numbers_of(db, schedule));
    json::Object out = json::encode(ruling).as_object();
    out[kInherited] = inherited_names(schedule.retention);
    out["id"] = schedule.id;
    out["environmentId"] = schedule.environment_id;
    out["enabled"] = schedule.enabled;
    out["paused"] = schedule.paused;
    out["timezone"] = schedule.time_zone;
    out["dbFrequency"] = schedule.db.frequency;
    out["dbCron"] = schedule.db.cron;
    out["fullFrequency"] = schedule.full.frequency;
    out["fullCron"] = schedule.full.cron;
    out["nextDbBackupAt"] = time_answer(schedule::shown_next(schedule, schedule.db, now));
    out["nextFullBackupAt"] = time_answer(schedule::shown_next(schedule, schedule.full, now));
    out["destinationIds"] = json::encode(schedule.destination_ids);
    out["walEnabled"] = schedule.wal_enabled;
    out["walRetentionDays"] = schedule.wal_retention_days;
    // Beyond the contract.
    out["createdAt"] = to_rfc3339(schedule.created_at);
    out["updatedAt"] = to_rfc3339(schedule.updated_at);
    return out;
}

Result<store::OrganizationPolicy> change_policy(sql::Database& db, const std::string& organization,
                                                const json::Value& sent, std::string_view by, TimeMs now) {
    const Split split = TRY(split_body(sent));
    TRY(decoded<PolicyRequest>(split.rest));
    store::OrganizationPolicy policy = TRY(store::Policies(db).of(organization));
    const Numbers shown = retention::inherit({}, policy.retention);
    const Numbers before = policy.retention;
    policy.retention = TRY(take_numbers(before, shown, split));
    // Nothing is changed: schedules must not wait another day before they prune.
    if (json::encode_text(policy.retention) == json::encode_text(before)) return policy;
    policy.updated_at = now;
    policy.updated_by = by;
    TRY(schedule::check_retention(retention::inherit({}, policy.retention)));
    for (const Schedule& schedule : TRY(store::Schedules(db).all())) {
        if (schedule.organization_id != organization) continue;
        if (retention::resolve(retention::inherit(schedule.retention, policy.retention), Zone::utc())) continue;
        return rule_broken(
            "empty_retention", "retainDaily",
            "the schedule of environment " + schedule.environment_id + " inherits from it, and would keep nothing");
    }
    TRY(store::Policies(db).put(policy));
    return policy;
}

Result<store::OrganizationPolicy> reset_policy(sql::Database& db, const std::string& organization, std::string_view by,
                                               TimeMs now) {
    json::Object nothing = json::encode(Numbers()).as_object();
    return change_policy(db, organization, json::Value(std::move(nothing)), by, now);
}

json::Object policy_view(const store::OrganizationPolicy& policy) {
    json::Object out = json::encode(retention::inherit({}, policy.retention)).as_object();
    out[kInherited] = inherited_names(policy.retention);
    out["updatedAt"] = policy.updated_at == 0 ? json::Value(nullptr) : json::Value(to_rfc3339(policy.updated_at));
    out["updatedBy"] = policy.updated_at == 0 ? json::Value(nullptr) : json::Value(policy.updated_by);
    return out;
}

}  // namespace backstay::api
