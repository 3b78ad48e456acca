#include "common/sqlite/statement.h"

#include <utility>

#include "common/sqlite/connection.h"

namespace backstay::sqlite {

Statement::~Statement() { give_back(); }

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_), prepared_(std::exchange(other.prepared_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
    if (this != &other) {
        give_back();
        connection_ = other.connection_;
        prepared_ = std::exchange(other.prepared_, nullptr);
    }
    return *this;
}

void Statement::give_back() {
    if (prepared_ != nullptr) connection_->give_back(*prepared_);
    prepared_ = nullptr;
}

Result<bool> Statement::step() {
    const int code = ::sqlite3_step(prepared_->handle);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return connection_->failure(code);
}

int Statement::columns() const { return ::sqlite3_column_count(prepared_->handle); }

std::string Statement::column_name(int column) const {
    const char* name = ::sqlite3_column_name(prepared_->handle, column);
    return name == nullptr ? "" : name;
}

bool Statement::is_null(int column) const { return type(column) == Type::null; }

std::int64_t Statement::integer(int column) const { return ::sqlite3_column_int64(prepared_->handle, column); }

double Statement::real(int column) const { return ::sqlite3_column_double(prepared_->handle, column); }

std::string Statement::text(int column) const {
    const unsigned char* bytes = ::sqlite3_column_text(prepared_->handle, column);
    if (bytes == nullptr) return {};
    return {reinterpret_cast<const char*>(bytes),
            static_cast<std::size_t>(::sqlite3_column_bytes(prepared_->handle, column))};
}

Blob Statement::blob(int column) const {
    const auto* bytes = static_cast<const std::byte*>(::sqlite3_column_blob(prepared_->handle, column));
    if (bytes == nullptr) return {};
    return {bytes, bytes + ::sqlite3_column_bytes(prepared_->handle, column)};
}

std::optional<std::int64_t> Statement::optional_integer(int column) const {
    if (is_null(column)) return std::nullopt;
    return integer(column);
}

std::optional<std::string> Statement::optional_text(int column) const {
    if (is_null(column)) return std::nullopt;
    return text(column);
}

Statement::Type Statement::type(int column) const {
    switch (::sqlite3_column_type(prepared_->handle, column)) {
        case SQLITE_INTEGER:
            return Type::integer;
        case SQLITE_FLOAT:
            return Type::real;
        case SQLITE_TEXT:
            return Type::text;
        case SQLITE_BLOB:
            return Type::blob;
        default:
            return Type::null;
    }
}

}  // namespace backstay::sqlite
