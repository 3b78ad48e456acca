#include "common/sqlite/migrations.h"

#include <fmt/format.h>

#include <string>

#include "common/sqlite/transaction.h"

namespace backstay::sqlite {
namespace {

Result<> apply(Database& database, const Migration& migration) {
    Transaction transaction = TRY(Transaction::begin(database));
    // Asked again under the write lock: another process may have been here first.
    const int present = TRY(schema_version(database));
    if (present >= migration.version) return transaction.commit();
    TRY(database.run_script(std::string(migration.sql)));
    TRY(database.run_script(fmt::format("PRAGMA user_version = {}", migration.version)));
    return transaction.commit();
}

}  // namespace

Result<int> schema_version(Database& database) {
    Statement statement = TRY(database.query("PRAGMA user_version"));
    TRY(statement.step());
    return static_cast<int>(statement.integer(0));
}

Result<> check_version(int present, int known) {
    if (present <= known) return {};
    return Error(Errc::invalid, fmt::format("the database has schema version {}, this program knows versions up to "
                                            "{}: it was written by a newer version",
                                            present, known))
        .with_hint("install the newer version again, or restore the database from a backup of its own");
}

Result<> migrate(Database& database, std::span<const Migration> migrations) {
    const int present = TRY(schema_version(database));
    const int known = migrations.empty() ? 0 : migrations.back().version;
    TRY(check_version(present, known));
    for (const Migration& migration : migrations) {
        if (migration.version <= present) continue;
        TRY(apply(database, migration).context(fmt::format("migration {}", migration.name)));
    }
    return {};
}

}  // namespace backstay::sqlite
