#include "common/sql/database.h"

#include "common/sql/postgres_driver.h"
#include "common/sql/sqlite_driver.h"

namespace backstay::sql {

bool is_postgres_url(std::string_view store) {
    return store.starts_with("postgresql://") || store.starts_with("postgres://");
}

Result<Database> Database::open(const std::string& store, const OpenOptions& options) {
    if (is_postgres_url(store)) return Database(TRY(open_postgres(store, options)));
    return Database(TRY(open_sqlite(store, options)));
}

Result<Statement> Database::query(std::string_view sql, std::span<const Value> values) {
    return Statement(TRY(driver_->query(sql, values)));
}

}  // namespace backstay::sql
