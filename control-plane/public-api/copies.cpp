#include "control-plane/public-api/copies.h"

#include <algorithm>
#include <vector>

#include "common/domain/copies.h"
#include "common/domain/steps.h"
#include "control-plane/registry/destinations.h"

namespace backstay::public_api {
namespace {

Error not_downloadable(std::string why) { return api::conflict("not_downloadable", std::move(why)); }

// What must be there of it; 400 and 409 for what cannot be fetched.
Result<std::vector<std::string>> needed_of(const Item& item) {
    if (item.shown.status != "completed") {
        return api::problem(400, "backup_not_completed",
                            "the backup is " + item.shown.status + "; only completed ones can be downloaded");
    }
    std::vector<std::string> needed = {std::string(artifact::kDatabase), std::string(artifact::kManifest)};
    if (item.snapshot && item.snapshot->is_full == false) {
        return not_downloadable("this snapshot holds only the files that another one lacks");
    }
    const bool files = item.backup ? item.backup->scope == "full" : item.snapshot->filestore_file.has_value();
    if (files) needed.emplace_back(artifact::kFilestore);
    return needed;
}

int rank_of(const store::DestinationRow& row) {
    if (row.type == "local") return 2;  // its agent must be there
    return row.type == "sftp" ? 1 : 0;
}

// A folder lies on one host: what another host stored under the same path is not there.
Result<bool> in_reach(sql::Database& db, const store::DestinationRow& row, const Item& item,
                      const std::optional<std::string>& reader) {
    if (row.type != "local") return true;
    const auto agent = reader ? reader : TRY(registry::looking_agent(db, row));
    return agent == (item.backup ? item.backup->agent_id : item.snapshot->agent_id);
}

}  // namespace

std::string Copy::folder() const {
    const std::string& key = keys.at(std::string(artifact::kManifest));
    return key.substr(0, key.rfind('/'));
}

Result<Copy> best_copy(const api::Call& call, sql::Database& db, const Item& item,
                       const std::optional<std::string>& reader) {
    const std::vector<std::string> needed = TRY(needed_of(item));
    std::map<std::string, std::map<std::string, std::string>> held;  // by destination
    for (const CopyRecord& copy : TRY(operations::copies_of(db, item.shown.id))) {
        if (is_stored(copy)) held[copy.destination_id].emplace(copy.artifact, copy.key);
    }
    std::optional<Copy> best;
    bool elsewhere = false;
    for (auto& [id, keys] : held) {
        const auto has = [&keys = keys](const std::string& artifact) { return keys.contains(artifact); };
        if (!std::all_of(needed.begin(), needed.end(), has)) continue;
        auto row = TRY(store::Destinations(db).find(call.organization_id, id));
        if (!row || (best && best->rank <= rank_of(*row))) continue;
        if (!TRY(in_reach(db, *row, item, reader))) {
            elsewhere = true;
            continue;
        }
        const int rank = rank_of(*row);
        best = Copy{std::move(*row), keys, rank};
    }
    if (best) return std::move(*best);
    return not_downloadable(elsewhere ? "all of it lies only in a folder of a host that is not looked into"
                                      : "no destination holds all of it");
}

}  // namespace backstay::public_api
