#include "agent/jobs/odoo_zip/sql_lines.h"

#include <fmt/format.h>

namespace backstay::odoo_zip {
namespace {

constexpr std::size_t kLongestLine = 64 * 1024;
constexpr std::size_t kFlushAt = 256 * 1024;
constexpr std::string_view kDataEnd = "\\.\n";
constexpr std::string_view kNameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_\"-";

bool begins_data(std::string_view line) { return line.starts_with("COPY ") && line.ends_with(" FROM stdin;\n"); }

}  // namespace

Result<> SqlLines::write(ByteSpan bytes) {
    std::string_view text = as_text(bytes);
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view piece = text.substr(0, end == std::string_view::npos ? end : end + 1);
        text.remove_prefix(piece.size());
        take(piece, end != std::string_view::npos);
        TRY(flush(kFlushAt));
    }
    return {};
}

void SqlLines::take(std::string_view piece, bool ends) {
    if (passing_) {
        out_.append(piece);
        passing_ = !ends;
        return;
    }
    line_.append(piece);
    if (ends) return close_line();
    if (line_.size() <= (in_data_ ? kDataEnd.size() : kLongestLine)) return;
    out_.append(line_);
    line_.clear();
    passing_ = true;
}

void SqlLines::close_line() {
    if (in_data_) {
        in_data_ = line_ != kDataEnd;
        out_.append(line_);
    } else {
        in_data_ = begins_data(line_);
        edit_(line_, out_);
    }
    line_.clear();
}

Result<> SqlLines::flush(std::size_t least) {
    if (out_.size() < least || out_.empty()) return {};
    TRY(next_.write(as_bytes(out_)));
    out_.clear();
    return {};
}

Result<> SqlLines::finish() {
    out_.append(line_);
    line_.clear();
    return flush(0);
}

void keep_unaccent(std::string_view line, std::string& out) {
    out.append(line);
    constexpr std::string_view kBegin = "CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA ";
    if (!line.starts_with(kBegin) || !line.ends_with(";\n")) return;
    const std::string_view schema = line.substr(kBegin.size(), line.size() - kBegin.size() - 2);
    if (schema.find_first_not_of(kNameCharacters) != std::string_view::npos) return;
    out.append(
        fmt::format("DO $$ BEGIN ALTER FUNCTION {}.unaccent(text) IMMUTABLE; EXCEPTION WHEN insufficient_privilege OR "
                    "undefined_function THEN NULL; END $$;\n",
                    schema));
}

}  // namespace backstay::odoo_zip
