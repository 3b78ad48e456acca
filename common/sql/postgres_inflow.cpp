#include "common/sql/postgres_inflow.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "common/sql/postgres_values.h"
#include "common/text.h"

namespace backstay::sql {
namespace {

constexpr std::size_t kPiece = 256 << 10;

// What COPY reads as something else.
bool is_special(char c) { return c == '\\' || c == '\n' || c == '\r' || c == '\t'; }

Result<> check_text(std::string_view text) {
    bool wide = false;
    for (const char c : text) {
        if (c == '\0') return Error(Errc::invalid, "PostgreSQL holds no text with a NUL");
        wide = wide || static_cast<unsigned char>(c) >= 0x80U;
    }
    if (!wide || cut_utf8(text, text.size()).size() == text.size()) return {};
    return Error(Errc::invalid, "PostgreSQL holds no text that is not UTF-8");
}

Result<> add_text(std::string& out, std::string_view text) {
    TRY(check_text(text));
    while (true) {
        const auto special = std::ranges::find_if(text, is_special);
        out.append(text.begin(), special);
        if (special == text.end()) return {};
        out += '\\';
        out += *special == '\\' ? '\\' : *special == '\n' ? 'n' : *special == '\r' ? 'r' : 't';
        text.remove_prefix(static_cast<std::size_t>(special - text.begin()) + 1);
    }
}

// One cell in COPY's text format.
struct CellWriter {
    std::string& out;

    Result<> operator()(std::monostate /*null*/) const {
        out += "\\N";
        return {};
    }
    Result<> operator()(std::int64_t number) const {
        fmt::format_to(std::back_inserter(out), "{}", number);
        return {};
    }
    Result<> operator()(double number) const {
        fmt::format_to(std::back_inserter(out), "{}", number);
        return {};
    }
    Result<> operator()(std::string_view text) const { return add_text(out, text); }
    Result<> operator()(const Blob* bytes) const {
        out += '\\';  // COPY takes it off again
        append_bytes(out, *bytes);
        return {};
    }
};

class PostgresInflow final : public Inflow {
public:
    explicit PostgresInflow(pq::Connection& connection) : connection_(connection) {}
    ~PostgresInflow() override {
        if (open_) connection_.abandon_copy();
    }

    Result<> add(std::span<const Value> row) override {
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (i > 0) held_ += '\t';
            TRY(std::visit(CellWriter{held_}, row[i].held()));
        }
        held_ += '\n';
        return held_.size() < kPiece ? Result<>() : put();
    }
    Result<> finish() override {
        if (!held_.empty()) TRY(put());
        open_ = false;
        TRY(ours(connection_.end_copy()));
        return {};
    }

private:
    Result<> put() {
        TRY(ours(connection_.put_copy(held_)));
        held_.clear();
        return {};
    }

    pq::Connection& connection_;
    std::string held_;
    bool open_ = true;
};

}  // namespace

Result<std::unique_ptr<Inflow>> begin_postgres_inflow(pq::Connection& connection, const std::string& table,
                                                      std::span<const std::string> columns) {
    const std::string sql =
        fmt::format("COPY {} ({}) FROM STDIN", table, fmt::join(columns.begin(), columns.end(), ", "));
    TRY(ours(connection.begin_copy(sql)));
    return std::unique_ptr<Inflow>(std::make_unique<PostgresInflow>(connection));
}

}  // namespace backstay::sql
