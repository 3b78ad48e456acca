#include "agent/postgres/contents.h"

#include <fmt/format.h>

#include <algorithm>

namespace backstay {
namespace {

constexpr std::size_t kTablesAtOnce = 64;  // one statement counts so many, to save round trips
constexpr std::size_t kDifferencesShown = 20;

// Constraints of PostgreSQL 18 include NOT NULL, which earlier ones keep elsewhere: they are not counted.
constexpr std::string_view kObjects = R"(
SELECT count(*) FILTER (WHERE c.relkind IN ('r', 'p')), count(*) FILTER (WHERE c.relkind IN ('i', 'I')),
       count(*) FILTER (WHERE c.relkind = 'S'),
       (SELECT count(*) FROM pg_constraint k JOIN pg_namespace s ON s.oid = k.connamespace
         WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND s.nspname !~ '^pg_' AND s.nspname <> 'information_schema'
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = k.conrelid
                             AND d.deptype = 'e'))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e' AND d.classid = 'pg_class'::regclass
                     AND d.objid = coalesce((SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = c.oid), c.oid)))";

constexpr std::string_view kTables = R"(
SELECT n.nspname || '.' || c.relname, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.oid
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.deptype = 'e' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid)
 ORDER BY 1)";

Result<> count_rows(pq::Connection& connection, ManifestContents& contents) {
    const pq::Rows tables = TRY(connection.query(kTables));
    for (std::size_t first = 0; first < tables.size(); first += kTablesAtOnce) {
        const std::size_t end = std::min(tables.size(), first + kTablesAtOnce);
        std::string sql;
        for (std::size_t i = first; i < end; ++i) {
            if (!sql.empty()) sql += " UNION ALL ";
            sql += fmt::format("SELECT {}, count(*) FROM ONLY {}", i, tables.text(i, 1));
        }
        const pq::Rows counts = TRY(connection.query(sql));
        for (std::size_t i = 0; i < counts.size(); ++i) {
            const auto table = static_cast<std::size_t>(TRY(counts.integer(i, 0)));
            contents.row_counts[std::string(tables.text(table, 0))] = TRY(counts.integer(i, 1));
        }
    }
    return {};
}

void compare_number(std::vector<std::string>& out, std::string_view what, std::int64_t expected, std::int64_t found) {
    if (expected != found) out.push_back(fmt::format("{} {} instead of {}", found, what, expected));
}

}  // namespace

Result<ManifestContents> count_objects(pq::Connection& connection) {
    ManifestContents contents;
    const pq::Rows objects = TRY(connection.query(kObjects));
    contents.tables = TRY(objects.integer(0, 0));
    contents.indexes = TRY(objects.integer(0, 1));
    contents.sequences = TRY(objects.integer(0, 2));
    contents.constraints = TRY(objects.integer(0, 3));
    return contents;
}

Result<std::map<std::int64_t, std::string>> counted_tables(pq::Connection& connection) {
    const pq::Rows rows = TRY(connection.query(kTables));
    std::map<std::int64_t, std::string> tables;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::int64_t oid = TRY(rows.integer(i, 2));
        tables.emplace(oid, rows.text(i, 0));
    }
    return tables;
}

Result<ManifestContents> count_contents(pq::Connection& connection) {
    ManifestContents contents = TRY(count_objects(connection));
    TRY(count_rows(connection, contents));
    return contents;
}

std::vector<std::string> compare_contents(const ManifestContents& expected, const ManifestContents& found) {
    std::vector<std::string> out;
    compare_number(out, "tables", expected.tables, found.tables);
    compare_number(out, "indexes", expected.indexes, found.indexes);
    compare_number(out, "constraints", expected.constraints, found.constraints);
    compare_number(out, "sequences", expected.sequences, found.sequences);
    for (const auto& [table, rows] : expected.row_counts) {
        const auto there = found.row_counts.find(table);
        if (there == found.row_counts.end()) {
            out.push_back(fmt::format("{}: the table is missing", table));
        } else if (there->second != rows) {
            out.push_back(fmt::format("{}: {} rows instead of {}", table, there->second, rows));
        }
    }
    for (const auto& [table, rows] : found.row_counts) {
        if (!expected.row_counts.contains(table)) out.push_back(fmt::format("{}: a table too many", table));
    }
    if (out.size() > kDifferencesShown) {
        const std::size_t more = out.size() - kDifferencesShown;
        out.resize(kDifferencesShown);
        out.push_back(fmt::format("and {} more", more));
    }
    return out;
}

}  // namespace backstay
