#include "control-plane/store-move/move.h"

#include <filesystem>

#include "common/files/files.h"
#include "common/sql/migrations.h"
#include "control-plane/config/store_setting.h"
#include "control-plane/store-move/targets.h"

namespace backstay::store_move {
namespace {

Result<Filled> fill_and_commit(sql::Database& source, sql::Transaction transaction, const OnProgress& on_progress) {
    Filled filled = TRY(fill(source, transaction, on_progress));
    if (filled.different().empty()) TRY(transaction.commit());
    return filled;
}

// What a move that ended just before the settings were switched left is as good as moved now.
Result<Filled> compare(sql::Database& source, sql::Database& target, const OnProgress& on_progress) {
    if (TRY(sql::schema_version(source)) != TRY(sql::schema_version(target))) {
        return Error(Errc::conflict, "the target holds an installation of its own, of another version");
    }
    const Schema schema = TRY(common_schema(source, target));
    Filled both;
    both.from = TRY(sums_of(source, schema, on_progress));
    both.to = TRY(sums_of(target, schema, on_progress));
    return both;
}

Result<> into_postgres(sql::Database& source, const std::string& url, const OnProgress& on_progress, Moved& moved) {
    auto target = TRY(open_for_bulk(url));
    TRY(check_fitness(target));
    auto transaction = TRY(sql::Transaction::begin(target));
    moved.was_there = TRY(sql::schema_version(target)) > 0;
    if (moved.was_there) {
        moved.tables = TRY(compare(source, target, on_progress));
        return {};
    }
    TRY(check_free(target, source));
    moved.tables = TRY(fill_and_commit(source, std::move(transaction), on_progress));
    return {};
}

Result<> into_sqlite(sql::Database& source, const std::string& path, const OnProgress& on_progress, Moved& moved) {
    std::error_code unknown;
    moved.was_there = std::filesystem::exists(path, unknown);
    if (moved.was_there) {
        auto target = TRY(open_for_bulk(path));
        const auto transaction = TRY(sql::Transaction::begin(target));
        moved.tables = TRY(compare(source, target, on_progress));
        return {};
    }
    NewStoreFile file = TRY(NewStoreFile::begin(path));
    moved.tables = TRY(fill_file(source, file.unfinished(), on_progress));
    if (!moved.tables.different().empty()) return {};
    return file.keep();
}

}  // namespace

Result<Filled> fill_empty_postgres(sql::Database& source, const std::string& url, const OnProgress& on_progress) {
    auto target = TRY(open_for_bulk(url));
    TRY(check_fitness(target));
    auto transaction = TRY(sql::Transaction::begin(target));
    TRY(check_free(target, source));
    return fill_and_commit(source, std::move(transaction), on_progress);
}

Result<Filled> fill_file(sql::Database& source, const std::string& path, const OnProgress& on_progress) {
    auto target = TRY(sql::Database::open(path));
    auto transaction = TRY(sql::Transaction::begin(target));
    Filled filled = TRY(fill_and_commit(source, std::move(transaction), on_progress));
    // Out of the log of changes into the file itself: closing it would tell nobody of a full disk.
    auto mode = TRY(target.query("PRAGMA journal_mode = DELETE"));
    TRY(mode.step());
    if (mode.text(0) != "delete") return Error(Errc::io, "the new store is not written whole: " + mode.text(0));
    return filled;
}

Result<Moved> move_store(const Settings& settings, const MoveOrder& order, const OnProgress& on_progress) {
    const auto lock = TRY(FileLock::acquire(settings.state_dir + "/serve.lock")
                              .context("take the state folder")
                              .hint("stop the server first: systemctl stop backstay-control"));
    const bool to_postgres = sql::is_postgres_url(order.to);
    if (to_postgres == sql::is_postgres_url(settings.store)) {
        return Error(Errc::invalid, "the store is of that kind already: it moves between SQLite and PostgreSQL")
            .with_hint("an SQLite file is moved as a file, a PostgreSQL database by pg_dump");
    }
    auto source = TRY(open_for_bulk(settings.store));
    if (TRY(sql::schema_version(source)) == 0) return Error(Errc::not_found, "the store holds no installation");
    // Whoever else would write waits, and gives up.
    const auto alone = TRY(sql::Transaction::begin(source));
    if (!to_postgres) TRY(check_alone(source));
    Moved moved;
    TRY(to_postgres ? into_postgres(source, order.to, on_progress, moved)
                    : into_sqlite(source, order.to, on_progress, moved));
    if (!moved.tables.different().empty() || order.keep_settings) return moved;
    moved.kept_settings = TRY(change_store(settings.state_dir, order.to));
    return moved;
}

}  // namespace backstay::store_move
