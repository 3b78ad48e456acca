#include "control-plane/operations/testimony.h"

#include "control-plane/store/rows.h"

namespace backstay::operations {

Result<std::optional<Testimony>> testimony_of(sql::Database& db, std::string_view id) {
    return store::first_row(db.query("SELECT evidence, progress, phase FROM operations WHERE id = $1", {id}),
                            [](const sql::Statement& row) {
                                const std::string phase = row.text(2);
                                const bool ended = phase == "ended" || phase == "cancelled";
                                return Testimony{row.text(0), row.optional_text(1), ended};
                            });
}

}  // namespace backstay::operations
