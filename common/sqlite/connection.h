// Inside of common/sqlite only: the handle, its statement cache, and the translation of SQLite's codes.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/result.h"
#include "common/sqlite/statement.h"
#include "common/sqlite/value.h"
#include "common/text_hash.h"

namespace backstay::sqlite::detail {

struct Prepared {
    explicit Prepared(sqlite3_stmt* statement) : handle(statement) {}
    ~Prepared() { ::sqlite3_finalize(handle); }
    Prepared(const Prepared&) = delete;
    Prepared& operator=(const Prepared&) = delete;

    sqlite3_stmt* handle;
    // positions[i] is n of the "$n" that SQLite holds in its slot i + 1: SQLite numbers "$2 $1" by appearance.
    std::vector<std::size_t> positions;
    std::size_t highest = 0;
    bool in_use = false;
    bool cached = false;
    std::uint64_t used_at = 0;
};

struct Connection {
    sqlite3* handle = nullptr;
    std::unordered_map<std::string, std::unique_ptr<Prepared>, TextHash, std::equal_to<>> cache;
    std::uint64_t uses = 0;
    std::function<void(const Error& error)> on_damage;

    Connection() = default;
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    Result<Prepared*> take(std::string_view sql);
    void give_back(Prepared& prepared);
    // The last failure as our Error; damage is told of.
    Error failure(int code) const;

private:
    Result<std::unique_ptr<Prepared>> prepare(std::string_view sql);
    void make_room();
};

Result<> bind(Connection& connection, const Prepared& prepared, std::span<const Value> values);

}  // namespace backstay::sqlite::detail
