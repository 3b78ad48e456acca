// What an environment wants of its snapshots (contract/semantics.md 7.2).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "control-plane/store/environments.h"
#include "control-plane/store/store.h"

namespace backstay::store {

inline constexpr std::int64_t kSnapshotRetentionDays = 7;

struct SnapshotSettings {
    std::string id;
    std::string environment_id;
    bool auto_enabled = true;
    std::string failure_policy = "warn";  // block, warn, ignore
    std::int64_t max_pinned = 5;
    std::int64_t retention_days = kSnapshotRetentionDays;
    std::int64_t timeout_seconds = 1800;
    std::vector<std::string> destination_ids;  // copied to afterwards; empty: snapshots stay on the host
    TimeMs created_at = 0;
    TimeMs updated_at = 0;
};

class SnapshotSettingsOf {
public:
    explicit SnapshotSettingsOf(sql::Database& db) : db_(db) {}

    Result<std::optional<SnapshotSettings>> find(std::string_view environment);
    // The stored ones, made with the defaults of the environment's type when there are none. Needs a writing
    // transaction.
    Result<SnapshotSettings> ensure(const Environment& environment, TimeMs now);
    Result<> update(const SnapshotSettings& settings);
    // Of environments that have none, and of those that only an agent knows: the default.
    Result<std::int64_t> retention_days(const std::optional<std::string>& environment);

private:
    sql::Database& db_;
};

}  // namespace backstay::store
