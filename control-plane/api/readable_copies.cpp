#include "control-plane/api/readable_copies.h"

#include <algorithm>
#include <map>

#include "common/domain/copies.h"
#include "control-plane/operations/rows.h"

namespace backstay::api {

Result<std::vector<store::DestinationRow>> readable_copies(sql::Database& db, const dispatch::Stored& stored,
                                                           const std::string& agent_id) {
    const auto operation = TRY(operations::find_operation(db, stored.id));
    std::map<std::string, std::pair<std::size_t, std::size_t>> held;  // stored, verified
    for (const CopyRecord& copy : TRY(operations::copies_of(db, stored.id))) {
        auto& [there, verified] = held[copy.destination_id];
        if (is_stored(copy)) ++there;
        if (copy.state == CopyState::verified) ++verified;
    }
    const std::size_t all = operation ? operation->plan.artifacts.size() : 0;
    std::vector<std::pair<int, store::DestinationRow>> ranked;
    for (const auto& [id, counts] : held) {
        if (all == 0 || counts.first < all) continue;
        auto row = TRY(store::Destinations(db).find(stored.organization_id, id));
        if (!row || (row->type == "local" && agent_id != stored.agent_id)) continue;
        const int rank = (counts.second == all ? 0 : 2) + (row->type == "local" ? 0 : 1);
        ranked.emplace_back(rank, std::move(*row));
    }
    std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<store::DestinationRow> out;
    for (auto& [rank, row] : ranked) out.push_back(std::move(row));
    return out;
}

}  // namespace backstay::api
