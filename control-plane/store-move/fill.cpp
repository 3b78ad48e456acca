#include "control-plane/store-move/fill.h"

#include <fmt/format.h>

#include "common/sql/migrations.h"
#include "control-plane/store-move/rebuilt_later.h"
#include "control-plane/store-move/table_rows.h"
#include "control-plane/store/store.h"

namespace backstay::store_move {
namespace {

constexpr std::int64_t kTellEach = 10'000;

Result<TableSum> copy_table(sql::Database& source, sql::Database& target, const Table& table,
                            const OnProgress& on_progress) {
    // Rows that the schema itself begins with come from the source, too.
    TRY(target.run("DELETE FROM " + table.name));
    TableSum sum{table.name, 0, ""};
    RowDigest digest;
    auto rows = TRY(TableRows::open(source, table));
    const auto inflow = TRY(target.inflow(table.name, table.column_names()));
    std::vector<sql::Value> values;
    while (TRY(rows.step())) {
        values.clear();
        for (const Cell& cell : rows.cells()) values.push_back(cell.value());
        const auto added = inflow->add(values);
        if (!added) return Error(added.error()).add_context(rows.place());
        digest.add(rows.cells());
        if (++sum.rows % kTellEach == 0) TRY(on_progress("copying " + table.name, sum.rows));
    }
    TRY(inflow->finish().context(table.name));
    sum.sha256 = digest.hex();
    return sum;
}

Result<TableSum> sum_of(sql::Database& db, const Table& table, const OnProgress& on_progress) {
    TableSum sum{table.name, 0, ""};
    RowDigest digest;
    auto rows = TRY(TableRows::open(db, table));
    while (TRY(rows.step())) {
        digest.add(rows.cells());
        if (++sum.rows % kTellEach == 0) TRY(on_progress("reading " + table.name, sum.rows));
    }
    sum.sha256 = digest.hex();
    return sum;
}

// What PostgreSQL counts by itself goes on behind the last row; SQLite looks at the rows. Then the planner learns what
// is there.
Result<> make_ready(sql::Database& db, const Schema& schema) {
    if (db.dialect() == sql::Dialect::sqlite) return {};
    for (const Table& table : schema) {
        auto identities = TRY(db.query(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(quote_ident($1)) AND attidentity <> ''",
            {table.name}));
        while (TRY(identities.step())) {
            TRY(
                db.run_script(fmt::format("SELECT setval(pg_get_serial_sequence('{0}', '{1}'), GREATEST(MAX({1}), 1), "
                                          "COALESCE(MAX({1}), 0) > 0) FROM {0}",
                                          table.name, identities.text(0))));
        }
        TRY(db.run_script("ANALYZE " + table.name));
    }
    return {};
}

}  // namespace

std::vector<std::string> Filled::different() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < from.size(); ++i) {
        if (from[i] != to[i]) names.push_back(from[i].table);
    }
    return names;
}

Result<Schema> common_schema(sql::Database& one, sql::Database& other) {
    const bool first = one.dialect() == sql::Dialect::sqlite;
    Schema of_sqlite = TRY(read_sqlite(first ? one : other));
    const std::set<std::string> names = names_of(of_sqlite);
    sql::Database& beside = first ? other : one;
    const bool both = beside.dialect() == sql::Dialect::sqlite;
    const Schema of_other = TRY(both ? read_sqlite(beside) : read_postgres(beside, names));
    TRY(check_same(of_sqlite, of_other));
    return of_sqlite;
}

Result<Sums> sums_of(sql::Database& db, const Schema& schema, const OnProgress& on_progress) {
    Sums sums;
    for (const Table& table : schema) sums.push_back(TRY(sum_of(db, table, on_progress)));
    return sums;
}

Result<Filled> fill(sql::Database& source, sql::Transaction& target, const OnProgress& on_progress) {
    sql::Database& db = target.database();
    const int version = TRY(sql::schema_version(source));
    TRY(store::make_schema(target, version));
    const Schema schema = TRY(common_schema(source, db));
    const auto later = TRY(RebuiltLater::drop(target, schema));
    Filled filled;
    for (const Table& table : schema) filled.from.push_back(TRY(copy_table(source, db, table, on_progress)));
    TRY(on_progress("building indexes", 0));
    TRY(later.rebuild(target));
    TRY(make_ready(db, schema));
    filled.to = TRY(sums_of(db, schema, on_progress));
    return filled;
}

}  // namespace backstay::store_move
