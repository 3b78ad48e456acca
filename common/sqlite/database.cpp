#include "common/sqlite/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "common/sqlite/connection.h"

namespace backstay::sqlite {
namespace {

// SQLite would create the file readable by all; -wal and -shm inherit the mode of the file itself.
Result<> create_private(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return Error::from_errno(errno, "open " + path);
    ::close(fd);
    return {};
}

Result<> configure(Database& database, sqlite3* handle) {
    // Quoted words are identifiers only, and the schema cannot be tampered with through SQL.
    ::sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
    ::sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    ::sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    Statement mode = TRY(database.query("PRAGMA journal_mode = WAL"));
    TRY(mode.step());
    if (mode.text(0) != "wal") return Error(Errc::io, "write-ahead logging is not possible here: " + mode.text(0));
    return database.run_script(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = "
        "ON");
}

// Nobody asks SQLite how much memory it has, and to count it takes a lock of all threads at each allocation. Too late
// when another library began to use SQLite: then it counts.
void keep_no_memory_figures() { [[maybe_unused]] static const int done = ::sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

}  // namespace

Database::Database(std::unique_ptr<detail::Connection> connection) : connection_(std::move(connection)) {}
Database::~Database() = default;
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;

Result<Database> Database::open(const std::string& path, const OpenOptions& options) {
    keep_no_memory_figures();
    if (options.create) {
        TRY(create_private(path));
    } else if (::access(path.c_str(), F_OK) != 0) {
        return Error::from_errno(errno, "open " + path);
    }
    auto connection = std::make_unique<detail::Connection>();
    connection->on_damage = options.on_damage;
    const int code = ::sqlite3_open_v2(path.c_str(), &connection->handle,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    if (code != SQLITE_OK) return connection->failure(code).add_context("open " + path);
    ::sqlite3_busy_timeout(connection->handle, options.busy_timeout_ms);
    sqlite3* handle = connection->handle;
    if (options.keep_log) ::sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    Database database(std::move(connection));
    TRY(configure(database, handle).context("open " + path));
    return database;
}

Result<Statement> Database::query(std::string_view sql, std::span<const Value> values) {
    detail::Prepared* prepared = TRY(connection_->take(sql));
    Statement statement(*connection_, *prepared);
    TRY(detail::bind(*connection_, *prepared, values));
    return statement;
}

Result<std::int64_t> Database::run(std::string_view sql, std::span<const Value> values) {
    Statement statement = TRY(query(sql, values));
    const std::int64_t before = ::sqlite3_total_changes64(connection_->handle);
    while (TRY(statement.step())) {
    }
    const bool changed = ::sqlite3_total_changes64(connection_->handle) != before;
    return changed ? std::int64_t{::sqlite3_changes64(connection_->handle)} : 0;
}

Result<> Database::run_script(const std::string& sql) {
    const int code = ::sqlite3_exec(connection_->handle, sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return connection_->failure(code);
    return {};
}

bool Database::in_transaction() const { return ::sqlite3_get_autocommit(connection_->handle) == 0; }

Result<> Database::check_pages() { return check("PRAGMA quick_check(5)"); }

Result<> Database::check(std::string_view pragma) {
    Statement statement = TRY(query(pragma));
    std::string findings;
    while (TRY(statement.step())) {
        if (!findings.empty()) findings += "; ";
        findings += statement.text(0);
    }
    if (findings != "ok") return Error(Errc::corrupted, "the database is damaged: " + findings);
    return {};
}

Result<> Database::check_integrity() {
    TRY(check("PRAGMA integrity_check(5)"));
    Statement keys = TRY(query("PRAGMA foreign_key_check"));
    if (TRY(keys.step())) return Error(Errc::corrupted, "a row of " + keys.text(0) + " refers to nothing");
    return {};
}

}  // namespace backstay::sqlite
