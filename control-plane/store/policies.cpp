#include "control-plane/store/policies.h"

#include "common/json/json.h"
#include "control-plane/store/rows.h"

namespace backstay::store {

Result<OrganizationPolicy> Policies::of(std::string_view organization) {
    OrganizationPolicy out;
    out.organization_id = organization;
    auto rows =
        TRY(db_.query("SELECT retention, updated_at, updated_by FROM organization_policies WHERE organization_id = $1",
                      {organization}));
    if (!TRY(rows.step())) return out;
    out.retention = TRY(json::decode_text<retention::Numbers>(rows.text(0), json::kLenient));
    out.updated_at = rows.integer(1);
    out.updated_by = rows.text(2);
    return out;
}

Result<> Policies::put(const OrganizationPolicy& policy) {
    TRY(
        db_.run("INSERT INTO organization_policies (organization_id, retention, updated_at, updated_by) "
                "VALUES ($1, $2, $3, $4) ON CONFLICT (organization_id) DO UPDATE SET retention = excluded.retention, "
                "updated_at = excluded.updated_at, updated_by = excluded.updated_by",
                {policy.organization_id, json::encode_text(policy.retention), policy.updated_at, policy.updated_by}));
    return {};
}

Result<retention::Numbers> numbers_of(sql::Database& db, const Schedule& schedule) {
    const OrganizationPolicy policy = TRY(Policies(db).of(schedule.organization_id));
    return retention::inherit(schedule.retention, policy.retention);
}

}  // namespace backstay::store
