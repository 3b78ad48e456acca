// Who did what: one row for each change that a person or a program made.
#pragma once

#include <string>
#include <string_view>

#include "common/clock.h"
#include "control-plane/store/store.h"

namespace backstay::store {

struct AuditEntry {
    std::int64_t id = 0;
    std::string organization_id;
    TimeMs at = 0;
    std::string actor;   // an e-mail, "api-key:<prefix>", "agent:<name>" or "cli"
    std::string action;  // "destination.update"
    std::string object_id;
    std::string detail;
    std::string request_id;
};

class Audit {
public:
    explicit Audit(sqlite::Database& db) : db_(db) {}

    // In the transaction of the change itself.
    Result<> add(const AuditEntry& entry);
    // Newest first. Of a project (empty: all): what was done to it and to its environments, keys and backups.
    Result<Listing<AuditEntry>> list(std::string_view organization, const Page& page, std::string_view project = "");

private:
    sqlite::Database& db_;
};

}  // namespace backstay::store
