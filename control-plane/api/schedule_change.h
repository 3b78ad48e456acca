// What makes and changes schedules and the numbers that an organization's schedules inherit: for REST and for the
// command line alike. Inside the caller's transaction; refusals are api::problem's.
#pragma once

#include "common/json/json.h"
#include "common/sql/database.h"
#include "control-plane/api/operation_scope.h"
#include "control-plane/store/environments.h"
#include "control-plane/store/policies.h"
#include "control-plane/store/schedules.h"

namespace backstay::api {

struct ScheduleChange {
    store::Schedule schedule;
    bool is_new = false;
};
// `sent`: the body of a PUT (contract/semantics.md 5.2). What is absent stays, a number that is null is inherited
// again.
Result<ScheduleChange> change_schedule(sql::Database& db, const store::Environment& environment,
                                       const json::Value& sent, const Reach& reach, TimeMs now);

// As GET answers it: with the numbers that rule it, inherited ones too, whose names stand in `retentionInherited`.
Result<json::Object> schedule_view(sql::Database& db, const store::Schedule& schedule, TimeMs now);

// The same for an organization. 422 empty_retention also when a schedule that inherits would keep nothing.
Result<store::OrganizationPolicy> change_policy(sql::Database& db, const std::string& organization,
                                                const json::Value& sent, std::string_view by, TimeMs now);
Result<store::OrganizationPolicy> reset_policy(sql::Database& db, const std::string& organization, std::string_view by,
                                               TimeMs now);
json::Object policy_view(const store::OrganizationPolicy& policy);

}  // namespace backstay::api
