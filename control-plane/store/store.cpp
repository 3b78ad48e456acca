#include "control-plane/store/store.h"

#include "control-plane/store/store_migrations.h"

namespace backstay::store {

Result<sqlite::Database> open_store(const std::string& path) {
    return sqlite::Database::open(path, {.create = false})
        .context("open the control plane's store")
        .hint("run `backstay-control init` first");
}

Result<> prepare_store(const std::string& path) {
    auto database = TRY(sqlite::Database::open(path).context("open the control plane's store"));
    return sqlite::migrate(database, store_migrations()).context("bring the store's schema up to date");
}

int newest_schema() { return store_migrations().back().version; }

}  // namespace backstay::store
