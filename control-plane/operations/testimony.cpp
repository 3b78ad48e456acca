#include "control-plane/operations/testimony.h"

#include "control-plane/store/id_list.h"

namespace backstay::operations {

Testimony read_testimony(const sql::Statement& row, int first) {
    const std::string phase = row.text(first + 2);
    return {row.text(first), row.optional_text(first + 1), phase == "ended" || phase == "cancelled"};
}

Result<std::map<std::string, Testimony>> testimonies_of(sql::Database& db, const std::vector<std::string>& ids) {
    std::map<std::string, Testimony> found;
    TRY(store::for_each_of(
        db, "SELECT evidence, progress, phase, id FROM operations WHERE id IN", ids,
        [&found](const sql::Statement& row) { found.emplace(row.text(3), read_testimony(row, 0)); }));
    return found;
}

}  // namespace backstay::operations
