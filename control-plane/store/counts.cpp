#include "control-plane/store/counts.h"

#include "control-plane/store/rows.h"

namespace backstay::store {

Result<RegistryCounts> count_registry(sql::Database& db, TimeMs now) {
    const auto counts = TRY(first_row(
        db.query("SELECT (SELECT COUNT(*) FROM organizations WHERE deleted_at IS NULL), "
                 "(SELECT COUNT(*) FROM environments WHERE deleted_at IS NULL), "
                 "(SELECT COUNT(*) FROM destinations WHERE test_status = 'failed' AND deleted_at IS NULL), "
                 "(SELECT COUNT(*) FROM agents WHERE deleted_at IS NULL), "
                 "(SELECT COUNT(*) FROM agents WHERE deleted_at IS NULL AND seen_at > $1)",
                 {now - kAgentAliveMs}),
        [](const sql::Statement& row) {
            return RegistryCounts{row.integer(0), row.integer(1), row.integer(2), row.integer(3), row.integer(4)};
        }));
    return counts.value_or(RegistryCounts{});
}

}  // namespace backstay::store
