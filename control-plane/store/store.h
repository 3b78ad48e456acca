// The control plane's database: an SQLite file or PostgreSQL, its schema kept by numbered migrations. Repositories of
// this folder are cheap values over a Database: `store::Projects(db).list(...)`. They hold the only SQL of the control
// plane's registry, and every question about an organization's things takes the organization's id, so that forgetting
// to scope does not compile. What is hidden (deleted_at) is never answered.
#pragma once

#include <string>

#include "common/result.h"
#include "common/sql/transaction.h"

namespace backstay::store {

// Opens an existing store for one thread; not_found with a hint when it was never initialised.
Result<sql::Database> open_store(const std::string& store, sql::OpenOptions options = {});

// Makes an SQLite file where it is missing and brings its schema up to date; safe beside a running server.
Result<> prepare_store(const std::string& store);
// The schema as it was at that version, in a store that has none yet.
Result<> make_schema(sql::Transaction& transaction, int version);
// The schema version that this program brings a store to.
int newest_schema();

// One page of a list, and how many rows there are in all.
struct Page {
    std::int64_t limit = 50;
    std::int64_t offset = 0;
};

template <class T>
struct Listing {
    std::vector<T> items;
    std::int64_t total = 0;
};

// The answer to "which row": absent when there is none for this organization.
template <class T>
using Found = Result<std::optional<T>>;

}  // namespace backstay::store
