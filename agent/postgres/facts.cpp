#include "agent/postgres/facts.h"

namespace backstay::postgres {
namespace {

// current_setting of what may be absent, and functions that a managed server may deny, are asked apart.
constexpr std::string_view kDatabase = R"(
SELECT current_setting('server_version_num'), current_setting('server_version'), pg_encoding_to_char(d.encoding),
       d.datcollate, d.datctype, r.rolname, pg_database_size(d.oid)
  FROM pg_database d LEFT JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = current_database())";

constexpr std::string_view kExtensions = "SELECT extname, extversion FROM pg_extension ORDER BY extname";

// Odoo makes unaccent(text) immutable; a dump says only CREATE EXTENSION, and indexes that need it then fail.
constexpr std::string_view kUnaccent = R"(
SELECT count(*) FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
 WHERE e.extname = 'unaccent' AND p.proname = 'unaccent' AND p.provolatile = 'i')";

// What a role without the right may not ask, or a standby cannot answer: empty then, and the transaction lives on.
Result<std::string> ask_softly(pq::Connection& connection, std::string_view sql) {
    const bool inside = connection.in_transaction();
    if (inside) TRY(connection.exec("SAVEPOINT ask"));
    Result<pq::Rows> rows = connection.query(sql);
    if (!rows) {
        if (!inside || !connection.usable()) return connection.usable() ? Result<std::string>("") : rows.error();
        TRY(connection.exec("ROLLBACK TO SAVEPOINT ask"));
        return std::string();
    }
    std::string value(rows->empty() ? "" : rows->text(0, 0));
    if (inside) TRY(connection.exec("RELEASE SAVEPOINT ask"));
    return value;
}

}  // namespace

Result<std::string> current_lsn(pq::Connection& connection) {
    return ask_softly(connection, "SELECT pg_current_wal_lsn()");
}

Result<ManifestPostgres> read_facts(pq::Connection& connection) {
    ManifestPostgres facts;
    const pq::Rows row = TRY(connection.query(kDatabase).context("read the database's facts"));
    if (row.empty()) return Error(Errc::not_found, "the database has gone");
    facts.server_version_num = static_cast<std::int32_t>(TRY(row.integer(0, 0)));
    facts.server_version = row.text(0, 1).substr(0, row.text(0, 1).find(' '));
    facts.encoding = row.text(0, 2);
    facts.collate = row.text(0, 3);
    facts.ctype = row.text(0, 4);
    facts.owner = row.text(0, 5);
    facts.size_bytes = static_cast<std::uint64_t>(TRY(row.integer(0, 6)));
    const pq::Rows extensions = TRY(connection.query(kExtensions));
    for (std::size_t i = 0; i < extensions.size(); ++i) {
        facts.extensions.push_back({std::string(extensions.text(i, 0)), std::string(extensions.text(i, 1))});
    }
    const pq::Rows unaccent = TRY(connection.query(kUnaccent));
    facts.unaccent_immutable = unaccent.text(0, 0) != "0";
    facts.system_id = TRY(ask_softly(connection, "SELECT system_identifier FROM pg_control_system()"));
    const std::string timeline = TRY(ask_softly(connection, "SELECT timeline_id FROM pg_control_checkpoint()"));
    facts.timeline = timeline.empty() ? 0 : std::stoll(timeline);
    facts.start_lsn = TRY(current_lsn(connection));
    return facts;
}

}  // namespace backstay::postgres
