#include "common/sqlite/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace backstay::sqlite::detail {
namespace {

// More SQL texts than the program has would be a bug (text built at run time); the cache stays bounded all the same.
constexpr std::size_t kMaxCached = 256;

Errc constraint_code(int extended) {
    switch (extended) {
        case SQLITE_CONSTRAINT_UNIQUE:
        case SQLITE_CONSTRAINT_PRIMARYKEY:
        case SQLITE_CONSTRAINT_ROWID:
        case SQLITE_CONSTRAINT_FOREIGNKEY:
        case SQLITE_CONSTRAINT_TRIGGER:
            return Errc::conflict;
        default:
            return Errc::invalid;
    }
}

Errc code_of(int extended) {
    switch (extended & 0xff) {
        case SQLITE_CONSTRAINT:
            return constraint_code(extended);
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return Errc::unavailable;
        case SQLITE_FULL:
        case SQLITE_TOOBIG:
        case SQLITE_NOMEM:
            return Errc::exhausted;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return Errc::corrupted;
        case SQLITE_INTERRUPT:
            return Errc::cancelled;
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH:
            return Errc::denied;
        case SQLITE_ERROR:
        case SQLITE_MISMATCH:
        case SQLITE_RANGE:
            return Errc::invalid;
        default:
            return Errc::io;
    }
}

Result<> read_positions(Prepared& prepared) {
    const int count = ::sqlite3_bind_parameter_count(prepared.handle);
    for (int slot = 1; slot <= count; ++slot) {
        const char* name = ::sqlite3_bind_parameter_name(prepared.handle, slot);
        const std::string_view text = name == nullptr ? "" : name;
        std::size_t number = 0;
        const auto parsed = text.size() < 2 || text.front() != '$'
                                ? std::from_chars_result{text.data(), std::errc::invalid_argument}
                                : std::from_chars(text.data() + 1, text.data() + text.size(), number);
        if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || number == 0) {
            return Error(Errc::invalid, fmt::format("parameter {} of a statement is \"{}\", not $1 … $n", slot, text));
        }
        prepared.positions.push_back(number);
        prepared.highest = std::max(prepared.highest, number);
    }
    return {};
}

int bind_one(sqlite3_stmt* statement, int slot, const Value& value) {
    struct Binder {
        sqlite3_stmt* statement;
        int slot;
        int operator()(std::monostate) const { return ::sqlite3_bind_null(statement, slot); }
        int operator()(std::int64_t number) const { return ::sqlite3_bind_int64(statement, slot, number); }
        int operator()(double number) const { return ::sqlite3_bind_double(statement, slot, number); }
        int operator()(std::string_view text) const {
            // A null pointer would bind NULL; an empty text is a text.
            const char* bytes = text.data() == nullptr ? "" : text.data();
            return ::sqlite3_bind_text64(statement, slot, bytes, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
        }
        int operator()(const Blob* blob) const {
            if (blob->empty()) return ::sqlite3_bind_zeroblob(statement, slot, 0);
            return ::sqlite3_bind_blob64(statement, slot, blob->data(), blob->size(), SQLITE_TRANSIENT);
        }
    };
    return std::visit(Binder{statement, slot}, value.held());
}

}  // namespace

Error Connection::failure(int code) const {
    const int extended = handle == nullptr ? code : ::sqlite3_extended_errcode(handle);
    const std::string message = handle == nullptr ? ::sqlite3_errstr(code) : ::sqlite3_errmsg(handle);
    Error error(code_of(extended), "database: " + message);
    if ((extended & 0xff) == SQLITE_CONSTRAINT) {
        const std::size_t colon = message.find(": ");
        error.add_fact("constraint", colon == std::string::npos ? message : message.substr(colon + 2));
    }
    if (error.code() == Errc::corrupted && on_damage) on_damage(error);
    return error;
}

Result<> bind(Connection& connection, const Prepared& prepared, std::span<const Value> values) {
    if (values.size() != prepared.highest) {
        return Error(Errc::invalid,
                     fmt::format("a statement takes {} values, {} were given", prepared.highest, values.size()));
    }
    for (std::size_t i = 0; i < prepared.positions.size(); ++i) {
        const int code = bind_one(prepared.handle, static_cast<int>(i) + 1, values[prepared.positions[i] - 1]);
        if (code != SQLITE_OK) return connection.failure(code);
    }
    return {};
}

Connection::~Connection() {
    cache.clear();
    ::sqlite3_close_v2(handle);
}

Result<std::unique_ptr<Prepared>> Connection::prepare(std::string_view sql) {
    sqlite3_stmt* raw = nullptr;
    const char* tail = nullptr;
    const int code =
        ::sqlite3_prepare_v3(handle, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &raw, &tail);
    if (code != SQLITE_OK) return failure(code);
    auto prepared = std::make_unique<Prepared>(raw);
    const std::string_view rest(tail, static_cast<std::size_t>(sql.data() + sql.size() - tail));
    if (raw == nullptr || rest.find_first_not_of(" \t\r\n;") != std::string_view::npos) {
        return Error(Errc::invalid, "one statement at a time");
    }
    TRY(read_positions(*prepared));
    return prepared;
}

void Connection::make_room() {
    if (cache.size() < kMaxCached) return;
    auto oldest = cache.end();
    for (auto it = cache.begin(); it != cache.end(); ++it) {
        if (it->second->in_use) continue;
        if (oldest == cache.end() || it->second->used_at < oldest->second->used_at) oldest = it;
    }
    if (oldest != cache.end()) cache.erase(oldest);
}

Result<Prepared*> Connection::take(std::string_view sql) {
    const auto found = cache.find(sql);
    if (found != cache.end() && !found->second->in_use) {
        found->second->in_use = true;
        found->second->used_at = ++uses;
        return found->second.get();
    }
    auto prepared = TRY(prepare(sql));
    prepared->in_use = true;
    prepared->used_at = ++uses;
    // The same text in use twice at once (a query inside its own loop): the second one lives outside the cache.
    if (found != cache.end()) return prepared.release();
    prepared->cached = true;
    make_room();
    Prepared* raw = prepared.get();
    cache.emplace(sql, std::move(prepared));
    return raw;
}

void Connection::give_back(Prepared& prepared) {
    if (!prepared.cached) {
        delete &prepared;
        return;
    }
    // The error of reset repeats that of the last step, which the caller has seen.
    ::sqlite3_reset(prepared.handle);
    ::sqlite3_clear_bindings(prepared.handle);
    prepared.in_use = false;
}

}  // namespace backstay::sqlite::detail
