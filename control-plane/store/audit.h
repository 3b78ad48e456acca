// Who did what: one row for each change that a person or a program made or was refused, and for each time that content
// of customers was handed out. The table takes no UPDATE, and no DELETE of what is not old enough.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "control-plane/store/store.h"

namespace backstay::store {

// "127.0.0.1:5000" → "127.0.0.1": a peer's connections count together.
std::string peer_address(const std::string& peer);

struct AuditEntry {
    std::int64_t id = 0;
    std::string organization_id;
    TimeMs at = 0;
    std::string actor;     // an e-mail, "api-key:<prefix>", "agent:<name>", "cli", "link" or "system"
    std::string actor_id;  // of the user or key; empty for others
    std::string action;    // "destination.update", "refused"
    std::string object_id;
    std::string detail;
    std::string request_id;
    std::string request;                 // "DELETE /api/backups/…"; empty when it came by no request
    std::string peer;                    // address of whoever sent it
    std::optional<std::int64_t> status;  // of a refusal
};

struct AuditFilter {
    std::string organization_id;
    std::string project_id;  // only what was done to it and to its environments, keys and backups; empty: all
    std::string actor;
    std::string action;  // also a group: "storage" has "storage.upload"
    std::string object_id;
    TimeMs since = 0;
    std::optional<TimeMs> until;
};

class Audit {
public:
    explicit Audit(sql::Database& db) : db_(db) {}

    // In the transaction of the change itself.
    Result<> add(const AuditEntry& entry);
    // Unless the same was noted of the same actor, object and address within the hour before: what is read in pieces,
    // or tried again and again, leaves one row an hour.
    Result<> add_hourly(const AuditEntry& entry);
    // As add_hourly; of one actor at most kMostRefusals in an hour, so that nobody fills the table by asking.
    Result<> add_refusal(const AuditEntry& entry);
    static constexpr std::int64_t kMostRefusals = 200;
    // Newest first.
    Result<Listing<AuditEntry>> list(const AuditFilter& filter, const Page& page);

    // The newest row's id; 0: none.
    Result<std::int64_t> last();
    // Whether a later row than `after` is of this request.
    Result<bool> has_since(std::int64_t after, std::string_view request_id);

    // Removes up to `most` rows older than `before`; how many.
    Result<std::int64_t> forget(TimeMs before, std::int64_t most);

private:
    sql::Database& db_;
};

}  // namespace backstay::store
