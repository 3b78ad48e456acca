// What carries a store: SQLite or PostgreSQL. Inside common/sql only; everybody else holds a Database.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/sql/value.h"
#include "common/sqlite/statement.h"

namespace backstay::sql {

enum class Dialect { sqlite, postgres };
// A value's own type, as its row holds it.
using Type = sqlite::Statement::Type;

// A statement that asks, with its values; what they borrow lives until it is asked.
struct Question {
    std::string_view sql;
    std::vector<Value> values;
};

// The rows that a statement answers, one after the other.
class Cursor {
public:
    Cursor() = default;
    Cursor(const Cursor&) = delete;
    Cursor& operator=(const Cursor&) = delete;
    virtual ~Cursor() = default;

    virtual Result<bool> step() = 0;
    virtual int columns() const = 0;
    virtual std::string column_name(int column) const = 0;
    virtual Type type(int column) const = 0;
    virtual std::int64_t integer(int column) const = 0;
    virtual double real(int column) const = 0;
    virtual std::string text(int column) const = 0;
    virtual Blob blob(int column) const = 0;
};

// Rows that go into one table in bulk: COPY, or one statement that stays prepared.
class Inflow {
public:
    Inflow() = default;
    Inflow(const Inflow&) = delete;
    Inflow& operator=(const Inflow&) = delete;
    virtual ~Inflow() = default;

    virtual Result<> add(std::span<const Value> row) = 0;
    virtual Result<> finish() = 0;
};

class Driver {
public:
    Driver() = default;
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;
    virtual ~Driver() = default;

    virtual Dialect dialect() const = 0;
    virtual Result<std::unique_ptr<Cursor>> query(std::string_view sql, std::span<const Value> values) = 0;
    // See Database::query_all: one after the other, where that costs nothing.
    virtual Result<std::vector<std::unique_ptr<Cursor>>> query_all(std::span<const Question> questions) {
        std::vector<std::unique_ptr<Cursor>> answers;
        for (const Question& one : questions) answers.push_back(TRY(query(one.sql, one.values)));
        return answers;
    }
    virtual Result<std::int64_t> run(std::string_view sql, std::span<const Value> values) = 0;
    virtual Result<> run_script(const std::string& sql) = 0;
    virtual bool in_transaction() const = 0;
    // A statement of it failed, and nothing but going back to a savepoint helps. SQLite undoes that statement alone.
    virtual bool transaction_failed() const = 0;
    // See Transaction::begin.
    virtual Result<> begin(std::string_view partition) = 0;
    // See Snapshot.
    virtual Result<> begin_snapshot() = 0;
    virtual Result<> commit() = 0;
    virtual Result<> roll_back() = 0;
    // See Database::hold.
    virtual Result<bool> hold(std::string_view duty) = 0;
    // See Database::inflow.
    virtual Result<std::unique_ptr<Inflow>> inflow(const std::string& table, std::span<const std::string> columns) = 0;
    virtual Result<> let_go(std::string_view duty) = 0;
};

}  // namespace backstay::sql
