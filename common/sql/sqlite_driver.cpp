#include "common/sql/sqlite_driver.h"

#include "common/sqlite/database.h"

namespace backstay::sql {
namespace {

class SqliteCursor final : public Cursor {
public:
    explicit SqliteCursor(sqlite::Statement statement) : statement_(std::move(statement)) {}

    Result<bool> step() override { return statement_.step(); }
    int columns() const override { return statement_.columns(); }
    std::string column_name(int column) const override { return statement_.column_name(column); }
    Type type(int column) const override { return statement_.type(column); }
    std::int64_t integer(int column) const override { return statement_.integer(column); }
    double real(int column) const override { return statement_.real(column); }
    std::string text(int column) const override { return statement_.text(column); }
    Blob blob(int column) const override { return statement_.blob(column); }

private:
    sqlite::Statement statement_;
};

class SqliteInflow final : public Inflow {
public:
    SqliteInflow(sqlite::Database& database, std::string sql) : database_(database), sql_(std::move(sql)) {}
    Result<> add(std::span<const Value> row) override {
        TRY(database_.run(sql_, row));
        return {};
    }
    Result<> finish() override { return {}; }

private:
    sqlite::Database& database_;
    const std::string sql_;
};

class SqliteDriver final : public Driver {
public:
    explicit SqliteDriver(sqlite::Database database) : database_(std::move(database)) {}

    Dialect dialect() const override { return Dialect::sqlite; }
    Result<std::unique_ptr<Cursor>> query(std::string_view sql, std::span<const Value> values) override {
        return std::unique_ptr<Cursor>(std::make_unique<SqliteCursor>(TRY(database_.query(sql, values))));
    }
    Result<std::int64_t> run(std::string_view sql, std::span<const Value> values) override {
        return database_.run(sql, values);
    }
    Result<> run_script(const std::string& sql) override { return database_.run_script(sql); }
    bool in_transaction() const override { return database_.in_transaction(); }
    bool transaction_failed() const override { return false; }
    // Takes the write lock now, so that it cannot fail half way for want of it.
    Result<> begin(std::string_view /*partition*/) override { return run_script("BEGIN IMMEDIATE"); }
    Result<> begin_snapshot() override {
        TRY(run("BEGIN", {}));
        return {};
    }
    Result<> commit() override { return run_script("COMMIT"); }
    Result<> roll_back() override {
        TRY(run("ROLLBACK", {}));
        return {};
    }
    Result<bool> hold(std::string_view /*duty*/) override { return true; }
    Result<std::unique_ptr<Inflow>> inflow(const std::string& table, std::span<const std::string> columns) override {
        std::string names;
        std::string places;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            names += (i == 0 ? "" : ", ") + columns[i];
            places += (i == 0 ? "$" : ", $") + std::to_string(i + 1);
        }
        return std::unique_ptr<Inflow>(std::make_unique<SqliteInflow>(
            database_, "INSERT INTO " + table + " (" + names + ") VALUES (" + places + ")"));
    }
    Result<> let_go(std::string_view /*duty*/) override { return {}; }

private:
    sqlite::Database database_;
};

}  // namespace

Result<std::unique_ptr<Driver>> open_sqlite(const std::string& path, const OpenOptions& options) {
    sqlite::OpenOptions wanted;
    wanted.create = options.create;
    return std::unique_ptr<Driver>(std::make_unique<SqliteDriver>(TRY(sqlite::Database::open(path, wanted))));
}

}  // namespace backstay::sql
