#include "control-plane/operations/snapshot_rules.h"

#include <algorithm>

#include "common/domain/verdict.h"

namespace backstay::operations {

std::optional<TimeMs> own_expiry(const Lifetime& lifetime) {
    if (!lifetime.completed_at || lifetime.is_pinned) return std::nullopt;
    const TimeMs by_age = *lifetime.completed_at + lifetime.retention_days * kDayMs;
    return lifetime.unpinned_at ? std::max(by_age, *lifetime.unpinned_at + kUnpinnedGraceMs) : by_age;
}

std::optional<TimeMs> expiry_with(const std::optional<TimeMs>& own, const Dependents& dependents) {
    if (!own || dependents.one_stays) return std::nullopt;
    return std::max(*own, dependents.latest.value_or(*own));
}

bool is_usable_snapshot(std::string_view status) { return status == "completed" || status == "partial"; }

bool may_pin(bool already_pinned, std::int64_t pinned, std::int64_t max_pinned) {
    return already_pinned || pinned < max_pinned;
}

std::string remote_status(const std::vector<std::string>& destination_ids, const std::vector<std::string>& artifacts,
                          const std::vector<CopyRecord>& copies, bool ended) {
    if (destination_ids.empty()) return "none";
    OperationPlan wanted;
    wanted.operation = Operation::snapshot;
    wanted.destination_ids = destination_ids;
    wanted.artifacts = artifacts;
    const std::string state = remote_copy_state(wanted, copies);
    if (state == "verified" || state == "uploaded" || state == "failed" || state == "missing") return state;
    if (state == "corrupt") return "failed";
    if (state == "deleting" || state == "deleted") return "missing";
    if (ended) return "failed";  // nothing is on its way any more
    return state == "pending" ? "pending" : "uploading";
}

}  // namespace backstay::operations
