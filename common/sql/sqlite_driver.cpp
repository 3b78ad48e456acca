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
    Type type(int column) const override {
        switch (statement_.type(column)) {
            case sqlite::Statement::Type::null:
                return Type::null;
            case sqlite::Statement::Type::integer:
                return Type::integer;
            case sqlite::Statement::Type::real:
                return Type::real;
            case sqlite::Statement::Type::text:
                return Type::text;
            case sqlite::Statement::Type::blob:
                return Type::blob;
        }
        return Type::null;
    }
    std::int64_t integer(int column) const override { return statement_.integer(column); }
    double real(int column) const override { return statement_.real(column); }
    std::string text(int column) const override { return statement_.text(column); }
    Blob blob(int column) const override { return statement_.blob(column); }

private:
    sqlite::Statement statement_;
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
    // Takes the write lock now, so that it cannot fail half way for want of it.
    Result<> begin(std::string_view /*partition*/) override { return run_script("BEGIN IMMEDIATE"); }
    Result<> commit() override { return run_script("COMMIT"); }
    Result<> roll_back() override { return run_script("ROLLBACK"); }
    Result<bool> hold(std::string_view /*duty*/) override { return true; }

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
