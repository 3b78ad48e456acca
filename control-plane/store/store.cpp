#include "control-plane/store/store.h"

#include <algorithm>

#include "common/sql/migrations.h"
#include "control-plane/store/store_migrations.h"

namespace backstay::store {

Result<sql::Database> open_store(const std::string& store, sql::OpenOptions options) {
    options.create = false;
    return sql::Database::open(store, options)
        .context("open the control plane's store")
        .hint("run `backstay-control init` first");
}

Result<> prepare_store(const std::string& store) {
    // A new index over a million rows may take minutes.
    auto database = TRY(sql::Database::open(store, {.bulk = true}).context("open the control plane's store"));
    return sql::migrate(database, store_migrations()).context("bring the store's schema up to date");
}

Result<> make_schema(sql::Transaction& transaction, int version) {
    const auto all = store_migrations();
    const auto newer = std::ranges::find_if(all, [&](const auto& one) { return one.version > version; });
    return sql::migrate(transaction, {all.begin(), newer});
}

int newest_schema() { return store_migrations().back().version; }

}  // namespace backstay::store
