// Backup destinations of an organization. Their configuration is stored sealed and never leaves this side in the clear
// except in assignments; `config` of a row is the sealed text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/sql/transaction.h"
#include "control-plane/store/store.h"

namespace backstay::store {

struct DestinationRow {
    std::string id;
    std::string organization_id;
    std::string name;
    std::string type;
    std::string config_box;
    std::optional<std::string> agent_id;  // looks at a local path for the connection test
    bool is_default = false;
    bool encrypt = false;
    std::string test_status = "untested";  // untested, pending, passed, failed
    std::string test_message;
    std::optional<TimeMs> tested_at;
    TimeMs created_at = 0;
    TimeMs updated_at = 0;
};

class Destinations {
public:
    explicit Destinations(sql::Database& db) : db_(db) {}

    // The caller chooses the id (it is bound into the sealed configuration). conflict: the name is taken. The first
    // destination of an organization becomes its default; a new default takes the place of the old one.
    Result<> create(sql::Transaction& transaction, DestinationRow& row);
    Found<DestinationRow> find(std::string_view organization, std::string_view id);
    Found<DestinationRow> default_of(std::string_view organization);
    // Also one that was removed.
    Found<DestinationRow> find_any(std::string_view organization, std::string_view id);
    // Those that a project needs (empty: all): the organization's default, those that hold its backups, and folders
    // looked at by the agents of its environments.
    Result<Listing<DestinationRow>> list(std::string_view organization, const Page& page,
                                         std::string_view project = "");
    Result<bool> needed_by(std::string_view id, std::string_view project);
    Result<> update(sql::Transaction& transaction, const DestinationRow& row);
    Result<> set_test(std::string_view id, std::string_view status, std::string_view message, std::optional<TimeMs> at);
    // Backups and snapshots that are not deleted and have something in it.
    Result<std::int64_t> backups_in(std::string_view id);
    Result<> remove(std::string_view organization, std::string_view id, TimeMs now);

private:
    Result<> clear_default(std::string_view organization);
    sql::Database& db_;
};

}  // namespace backstay::store
