// The control plane's store: one connection to an SQLite file or to PostgreSQL, behind the same calls and the same SQL.
// A Database belongs to one thread. What the SQL may say is what both understand: parameters $1 … $n, booleans as
// integers 0 and 1 (compare them: `enabled = 1`), COUNT(*) FILTER, ON CONFLICT, RETURNING, NULLS FIRST where it
// matters; text is compared by bytes on both.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/sql/driver.h"
#include "common/sql/statement.h"

namespace backstay::sql {

struct OpenOptions {
    bool create = true;  // SQLite: makes the file where it is missing; false: not_found
    // PostgreSQL: a statement that takes longer is timed_out; 0: none. (SQLite waits 5 s for another's lock.)
    std::int64_t statement_timeout_ms = 60'000;
    // PostgreSQL: for what moves whole tables: no statement takes too long, and a transaction may wait for its other
    // end.
    bool bulk = false;
    // PostgreSQL: connects when it is used first, and answers unavailable then.
    bool connect_later = false;
    // PostgreSQL: the server ends a session that says nothing for so long, so that a process that stands still holds no
    // duty; 0: it may be silent.
    std::int64_t silence_most_ms = 0;
};

// Whether this names a PostgreSQL database rather than a file.
bool is_postgres_url(std::string_view store);
// The same without the password that a URL may hold: for people's eyes.
std::string without_password(std::string_view store);

// PostgreSQL's code of an error that it told; empty: another one.
std::string_view sqlstate_of(const Error& error);

// Errors of every call: conflict (unique or foreign key; fact "constraint" names columns or the constraint), invalid
// (check, not null, text with a NUL, too few values), unavailable (locked for too long, server away), timed_out,
// exhausted (disk full), corrupted, denied, io (what is no SQL here: on SQLite invalid).
class Database {
public:
    // A path, or postgresql://…
    static Result<Database> open(const std::string& store, const OpenOptions& options = {});
    explicit Database(std::unique_ptr<Driver> driver) : driver_(std::move(driver)) {}

    Dialect dialect() const { return driver_->dialect(); }

    // The number of values must fit. PostgreSQL sends all rows at once: bound them by LIMIT. A connection that broke
    // is made anew by the next call outside a transaction, unless it held a duty: then only hold() makes it anew.
    Result<Statement> query(std::string_view sql, std::span<const Value> values);
    Result<Statement> query(std::string_view sql, std::initializer_list<Value> values = {}) {
        return query(sql, std::span<const Value>(values.begin(), values.size()));
    }

    // Several questions at once: on PostgreSQL in one round trip. Answers in their order.
    Result<std::vector<Statement>> query_all(std::span<const Question> questions);

    // Runs a statement to its end, ignoring rows; answers how many rows it changed.
    Result<std::int64_t> run(std::string_view sql, std::span<const Value> values) { return driver_->run(sql, values); }
    Result<std::int64_t> run(std::string_view sql, std::initializer_list<Value> values = {}) {
        return run(sql, std::span<const Value>(values.begin(), values.size()));
    }

    // Runs several statements without parameters, as migrations are.
    Result<> run_script(const std::string& sql) { return driver_->run_script(sql); }

    bool in_transaction() const { return driver_->in_transaction(); }

    // True while this connection alone, of all that share the store, holds the duty: it is taken when it is free, and
    // kept until it is let go or the connection ends. Whoever writes through this very connection cannot have lost it:
    // once the connection broke, every call but this one and `let_go` is unavailable. Asks the server each time, so
    // that the session is not silent. SQLite has one process, which holds all.
    Result<bool> hold(std::string_view duty) { return driver_->hold(duty); }
    Result<> let_go(std::string_view duty) { return driver_->let_go(duty); }

    // Takes many rows of these columns into one table. Until it is finished or gone, nothing else runs on this
    // connection's transaction; what is not finished may or may not be there: roll back.
    Result<std::unique_ptr<Inflow>> inflow(const std::string& table, std::span<const std::string> columns) {
        return driver_->inflow(table, columns);
    }

private:
    friend class Group;
    friend class Snapshot;
    friend class Transaction;

    struct OpenGroup {
        std::string organization;
        bool in_member = false;
        bool has_savepoint = false;
        std::optional<Error> lost;  // why nothing of it can be stored any more
    };

    std::unique_ptr<Driver> driver_;
    std::optional<OpenGroup> group_;
};

}  // namespace backstay::sql
