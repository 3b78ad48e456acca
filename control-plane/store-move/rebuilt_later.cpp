#include "control-plane/store-move/rebuilt_later.h"

namespace backstay::store_move {
namespace {

// Each answers pairs: how one is dropped, and how it is made.
constexpr const char* kSqliteIndexes =
    "SELECT 'DROP INDEX ' || name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = $1";
constexpr const char* kPostgresIndexes =
    "SELECT 'DROP INDEX ' || i.indexrelid::regclass, pg_get_indexdef(i.indexrelid) FROM pg_index i "
    "WHERE i.indrelid = to_regclass(quote_ident($1)) "
    "AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)";
constexpr const char* kSqliteTriggers =
    "SELECT 'DROP TRIGGER ' || name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = $1";
constexpr const char* kPostgresTriggers =
    "SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass), pg_get_triggerdef(oid) FROM pg_trigger "
    "WHERE tgrelid = to_regclass(quote_ident($1)) AND NOT tgisinternal";
constexpr const char* kPostgresForeignKeys =
    "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname), "
    "format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) "
    "FROM pg_constraint WHERE contype = 'f' AND conrelid = to_regclass(quote_ident($1))";

Result<> drop_found(sql::Database& db, const char* question, const std::string& table,
                    std::vector<std::string>& words) {
    std::vector<std::string> drops;
    auto rows = TRY(db.query(question, {table}));
    while (TRY(rows.step())) {
        drops.push_back(rows.text(0));
        words.push_back(rows.text(1));
    }
    for (const std::string& drop : drops) TRY(db.run_script(drop));
    return {};
}

}  // namespace

Result<RebuiltLater> RebuiltLater::drop(sql::Transaction& transaction, const Schema& schema) {
    sql::Database& db = transaction.database();
    const bool sqlite = db.dialect() == sql::Dialect::sqlite;
    RebuiltLater later;
    for (const Table& table : schema) {
        TRY(drop_found(db, sqlite ? kSqliteTriggers : kPostgresTriggers, table.name, later.words_));
        TRY(drop_found(db, sqlite ? kSqliteIndexes : kPostgresIndexes, table.name, later.words_));
        if (!sqlite) TRY(drop_found(db, kPostgresForeignKeys, table.name, later.words_));
    }
    return later;
}

Result<> RebuiltLater::rebuild(sql::Transaction& transaction) const {
    for (const std::string& word : words_) TRY(transaction.database().run_script(word).context(word));
    return {};
}

}  // namespace backstay::store_move
