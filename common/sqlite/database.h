// SQLite's home. A Database is one connection and belongs to one thread; other threads open their own on the same file
// (WAL lets them read while one writes). Opened with WAL, synchronous=FULL, foreign keys on and quoted-string laxity
// off. Tables of the project are STRICT, times are integer UTC milliseconds, ids are text.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/sqlite/statement.h"
#include "common/sqlite/value.h"

namespace backstay::sqlite {

struct OpenOptions {
    int busy_timeout_ms = 5'000;  // how long a statement waits for another connection's lock; then: unavailable
    bool create = true;           // makes the file, mode 0600, when it is absent; false: not_found
    bool keep_log = false;        // at its end the log of changes (-wal) stays as it is
    // Called with every error that says `corrupted`, on the thread of the call.
    std::function<void(const Error& error)> on_damage = {};
};

// Errors of every call: conflict (unique or foreign key; fact "constraint" names the columns), invalid (check, not
// null, wrong SQL), unavailable (locked for longer than the timeout), exhausted (disk full), corrupted (not a database
// or damaged), io.
class Database {
public:
    static Result<Database> open(const std::string& path, const OpenOptions& options = {});
    ~Database();
    Database(Database&&) noexcept;
    Database& operator=(Database&&) noexcept;

    // A statement ready to step, from the cache when this SQL text was used before. Parameters are written $1 … $n,
    // each may occur several times; the number given must fit. The Statement must not outlive the Database.
    Result<Statement> query(std::string_view sql, std::span<const Value> values);
    Result<Statement> query(std::string_view sql, std::initializer_list<Value> values = {}) {
        return query(sql, std::span<const Value>(values.begin(), values.size()));
    }

    // Runs a statement to its end, ignoring rows; answers how many rows it changed.
    Result<std::int64_t> run(std::string_view sql, std::span<const Value> values);
    Result<std::int64_t> run(std::string_view sql, std::initializer_list<Value> values = {}) {
        return run(sql, std::span<const Value>(values.begin(), values.size()));
    }

    // Runs several statements without parameters, as migrations are.
    Result<> run_script(const std::string& sql);

    bool in_transaction() const;

    // Reads every page: corrupted, with the first findings, when something is wrong. Slow on large files.
    Result<> check_integrity();
    // The same without indexes and references: reads every page, too, but compares nothing.
    Result<> check_pages();

private:
    Result<> check(std::string_view pragma);
    explicit Database(std::unique_ptr<detail::Connection> connection);
    std::unique_ptr<detail::Connection> connection_;
};

}  // namespace backstay::sqlite
