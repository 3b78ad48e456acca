#include "control-plane/store-move/targets.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "common/files/files.h"
#include "control-plane/store-move/schema.h"

namespace backstay::store_move {
namespace {

constexpr std::int64_t kOldestServer = 130'000;

}  // namespace

Result<sql::Database> open_for_bulk(const std::string& store) {
    sql::OpenOptions options;
    options.create = false;
    options.bulk = true;
    return sql::Database::open(store, options);
}

Result<> check_fitness(sql::Database& postgres) {
    auto row =
        TRY(postgres.query("SELECT current_setting('server_version_num')::bigint, current_setting('server_encoding'), "
                           "current_schema(), current_database(), current_user, "
                           "COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false)"));
    TRY(row.step());
    if (row.integer(0) < kOldestServer) {
        return Error(Errc::invalid, fmt::format("the server is PostgreSQL {}: 13 is the oldest that will do",
                                                row.integer(0) / 10'000));
    }
    if (row.text(1) != "UTF8") {
        return Error(Errc::invalid, fmt::format("database {} is encoded in {}", row.text(3), row.text(1)))
            .with_hint("CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0");
    }
    if (row.is_null(2)) return Error(Errc::invalid, "no schema of the search_path is there");
    if (row.boolean(5)) return {};
    return Error(Errc::denied, fmt::format("{} may not make tables in schema {} of database {}", row.text(4),
                                           row.text(2), row.text(3)))
        .with_hint(fmt::format("GRANT CREATE ON SCHEMA {} TO {}, or let that role own the database", row.text(2),
                               row.text(4)));
}

Result<> check_free(sql::Database& postgres, sql::Database& sqlite) {
    const Schema ours = TRY(read_sqlite(sqlite));
    const Schema taken = TRY(read_postgres(postgres, names_of(ours)));
    if (taken.empty()) return {};
    return Error(Errc::conflict, "the database has a table " + taken.front().name + " already")
        .with_hint("name an empty database, or a schema of its own: ?options=-csearch_path%3DNAME");
}

Result<> check_alone(sql::Database& postgres) {
    auto row =
        TRY(postgres.query("SELECT pid, COALESCE(host(client_addr), 'this host') FROM pg_stat_activity WHERE datname = "
                           "current_database() AND application_name = 'backstay-control' AND pid <> pg_backend_pid() "
                           "ORDER BY backend_start LIMIT 1"));
    if (!TRY(row.step())) return {};
    return Error(Errc::conflict, fmt::format("another backstay-control has this store open: from {}, PostgreSQL's "
                                             "process {}",
                                             row.text(1), row.integer(0)))
        .with_hint("stop the server of every replica");
}

Result<NewStoreFile> NewStoreFile::begin(const std::string& path) {
    std::error_code unknown;
    if (std::filesystem::exists(path, unknown)) return Error(Errc::conflict, path + " is there already");
    NewStoreFile file(path);
    file.remove_unfinished();  // what a killed process left
    return file;
}

NewStoreFile::~NewStoreFile() {
    if (!path_.empty()) remove_unfinished();
}

void NewStoreFile::remove_unfinished() const {
    for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((unfinished() + suffix).c_str());
}

Result<> NewStoreFile::keep() {
    TRY(fsync_file(unfinished()));
    // Never over a file that came meanwhile.
    if (::link(unfinished().c_str(), path_.c_str()) != 0) return Error::from_errno(errno, "name " + path_);
    const auto folder = std::filesystem::path(path_).parent_path().string();
    return fsync_folder(folder.empty() ? "." : folder);
}

}  // namespace backstay::store_move
