// What an organization's schedules keep where they say nothing themselves.
#pragma once

#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/domain/retention.h"
#include "control-plane/store/schedules.h"
#include "control-plane/store/store.h"

namespace backstay::store {

struct OrganizationPolicy {
    std::string organization_id;
    retention::Numbers retention;  // that it sets; absent ones are the built-in numbers
    TimeMs updated_at = 0;         // 0: never
    std::string updated_by;
};

class Policies {
public:
    explicit Policies(sql::Database& db) : db_(db) {}

    // One that sets nothing when there is none.
    Result<OrganizationPolicy> of(std::string_view organization);
    Result<> put(const OrganizationPolicy& policy);

private:
    sql::Database& db_;
};

// The numbers that rule a schedule: its own, else its organization's, else the built-in ones.
Result<retention::Numbers> numbers_of(sql::Database& db, const Schedule& schedule);

}  // namespace backstay::store
