// Where a store can be moved to, and that it fits.
#pragma once

#include <string>
#include <utility>

#include "common/result.h"
#include "common/sql/database.h"

namespace backstay::store_move {

// A connection for whole tables: without limits of time. not_found: an SQLite file that is not there.
Result<sql::Database> open_for_bulk(const std::string& store);

// A PostgreSQL database that can hold a store: its version, its encoding, and the right to make tables. Errors:
// invalid, denied.
Result<> check_fitness(sql::Database& postgres);
// conflict: it has tables of the names that the SQLite store has.
Result<> check_free(sql::Database& postgres, sql::Database& sqlite);
// conflict: another backstay-control has a connection to this PostgreSQL database.
Result<> check_alone(sql::Database& postgres);

// An SQLite file that gets its name when it is whole; until then, and after a failure, nothing of that name is there.
class NewStoreFile {
public:
    // conflict: there is something of that name.
    static Result<NewStoreFile> begin(const std::string& path);
    ~NewStoreFile();
    NewStoreFile(NewStoreFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    NewStoreFile& operator=(NewStoreFile&&) = delete;

    // To be filled, and closed before it is kept.
    std::string unfinished() const { return path_ + ".moving"; }
    Result<> keep();

private:
    explicit NewStoreFile(std::string path) : path_(std::move(path)) {}
    void remove_unfinished() const;
    std::string path_;
};

}  // namespace backstay::store_move
