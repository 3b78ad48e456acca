// Objects joined with what the control plane knows of them. For one listing, one thread: what was found is remembered,
// since objects of one backup come together.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "common/sqlite/database.h"
#include "control-plane/browse/attribution.h"
#include "storage/storage.h"

namespace backstay::browse {

struct Joined {
    Attribution of;
    std::optional<std::string> backup_id;  // as the layout names it
    std::optional<std::string> snapshot_id;
    std::optional<std::string> environment_id;
    bool linked = false;     // a backup or snapshot that exists needs it; WAL too
    bool in_flight = false;  // of an operation that still runs
    bool ours = false;       // not in the tree of another organization
    // Linked to nothing, and nobody else's.
    bool orphan() const { return ours && !linked && !in_flight; }
};

class Records {
public:
    Records(sqlite::Database& db, std::string organization) : db_(db), organization_(std::move(organization)) {}

    Result<Joined> join(std::string_view key);

private:
    struct Known {
        bool exists = false;  // and is not deleted
        bool running = false;
        std::optional<std::string> environment_id;
    };
    Result<Known> look(Area area, const std::string& id);

    sqlite::Database& db_;
    const std::string organization_;
    std::map<std::string, Known> known_;  // bounded: see join()
};

}  // namespace backstay::browse
