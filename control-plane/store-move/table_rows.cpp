#include "control-plane/store-move/table_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace backstay::store_move {
namespace {

constexpr std::int64_t kPiece = 2'000;  // rows that PostgreSQL gives at once
constexpr std::size_t kHeld = 64 << 10;

void read(sql::Statement& from, int column, Cell& into) {
    into.type = from.type(column);
    switch (into.type) {
        case sql::Type::null:
            return;
        case sql::Type::integer:
            into.integer = from.integer(column);
            return;
        case sql::Type::real:
            into.real = from.real(column);
            return;
        case sql::Type::text:
            into.text = from.text(column);
            return;
        case sql::Type::blob:
            into.blob = from.blob(column);
            return;
    }
}

std::string shown(const Cell& cell) {
    switch (cell.type) {
        case sql::Type::integer:
            return std::to_string(cell.integer);
        case sql::Type::text:
            return cell.text;
        case sql::Type::null:
            return "NULL";
        case sql::Type::real:
            return fmt::format("{}", cell.real);
        case sql::Type::blob:
            return fmt::format("{} bytes", cell.blob.size());
    }
    return {};
}

void add_number(std::string& out, std::uint64_t number) {
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>((number >> shift) & 0xFFU);
}

void add_bytes(std::string& out, std::string_view bytes) {
    add_number(out, bytes.size());
    out += bytes;
}

}  // namespace

sql::Value Cell::value() const {
    switch (type) {
        case sql::Type::null:
            return nullptr;
        case sql::Type::integer:
            return integer;
        case sql::Type::real:
            return real;
        case sql::Type::text:
            return text;
        case sql::Type::blob:
            return blob;
    }
    return nullptr;
}

Result<TableRows> TableRows::open(sql::Database& db, const Table& table) {
    // SQLite puts NULL first by itself, PostgreSQL last.
    const std::string rows =
        fmt::format("SELECT {} FROM {} ORDER BY {} NULLS FIRST", fmt::join(table.column_names(), ", "), table.name,
                    fmt::join(table.key, " NULLS FIRST, "));
    if (db.dialect() == sql::Dialect::sqlite) {
        TableRows all(db, table, "");
        all.piece_.emplace(TRY(db.query(rows)));
        return all;
    }
    TRY(db.run_script(fmt::format("CLOSE ALL; DECLARE rows_of_{} NO SCROLL CURSOR FOR {}", table.name, rows)));
    return TableRows(db, table, fmt::format("FETCH {} FROM rows_of_{}", kPiece, table.name));
}

Result<bool> TableRows::step_piece() {
    if (!piece_ || !TRY(piece_->step())) return false;
    ++in_piece_;
    for (std::size_t i = 0; i < cells_.size(); ++i) read(*piece_, static_cast<int>(i), cells_[i]);
    return true;
}

Result<bool> TableRows::step() {
    if (TRY(step_piece())) return true;
    const bool was_last = piece_ && in_piece_ < kPiece;
    if (next_.empty() || was_last) return false;
    piece_.reset();
    in_piece_ = 0;
    piece_.emplace(TRY(db_->query(next_)));
    return step_piece();
}

std::string TableRows::place() const {
    std::string text = table_->name;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
        const std::string& column = table_->columns[i].name;
        if (std::ranges::find(table_->key, column) == table_->key.end()) continue;
        text += ", " + column + " " + shown(cells_[i]);
    }
    return text;
}

void RowDigest::add(const std::vector<Cell>& row) {
    for (const Cell& cell : row) {
        switch (cell.type) {
            case sql::Type::null:
                held_ += 'n';
                break;
            case sql::Type::integer:
                held_ += 'i';
                add_number(held_, static_cast<std::uint64_t>(cell.integer));
                break;
            case sql::Type::real:
                held_ += 'r';
                add_number(held_, std::bit_cast<std::uint64_t>(cell.real));
                break;
            case sql::Type::text:
                held_ += 't';
                add_bytes(held_, cell.text);
                break;
            case sql::Type::blob:
                held_ += 'b';
                add_bytes(held_, as_text(cell.blob));
                break;
        }
    }
    if (held_.size() < kHeld) return;
    digest_.update(as_bytes(held_));
    held_.clear();
}

std::string RowDigest::hex() {
    digest_.update(as_bytes(held_));
    held_.clear();
    return digest_.hex();
}

}  // namespace backstay::store_move
