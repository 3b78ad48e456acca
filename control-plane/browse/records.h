// Objects joined with what the control plane knows of them. For one listing, one thread: what was found is remembered,
// since objects of one backup come together.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/browse/attribution.h"
#include "storage/storage.h"

namespace backstay::browse {

// What an agent made alone, or could not tell of yet, is not known here: its files count as needed for so long.
inline constexpr TimeMs kUnheardGraceMs = 90LL * 86'400'000;

struct Joined {
    Attribution of;
    std::optional<std::string> backup_id;  // as the layout names it
    std::optional<std::string> snapshot_id;
    std::optional<std::string> environment_id;
    bool linked = false;     // a backup or snapshot that exists needs it; WAL too
    bool in_flight = false;  // of an operation that still runs, or that nobody told of yet
    bool ours = false;       // not in the tree of another organization
    // Linked to nothing, and nobody else's.
    bool orphan() const { return ours && !linked && !in_flight; }
};

class Records {
public:
    // Files of records that are not known here are in flight unless they were last changed before `unheard_before`.
    Records(sql::Database& db, std::string organization, TimeMs unheard_before)
        : db_(db), organization_(std::move(organization)), unheard_before_(unheard_before) {}

    Result<Joined> join(const ObjectInfo& object) { return join(object.key, object.modified_at); }
    Result<Joined> join_folder(std::string_view path) { return join(path, unheard_before_); }

private:
    Result<Joined> join(std::string_view key, TimeMs modified_at);
    struct Known {
        bool heard_of = false;
        bool exists = false;  // and is not deleted
        bool running = false;
        std::optional<std::string> environment_id;
    };
    Result<Known> look(Area area, const std::string& id);

    sql::Database& db_;
    const std::string organization_;
    const TimeMs unheard_before_;
    std::map<std::string, Known> known_;  // bounded: see join()
};

}  // namespace backstay::browse
