#include "agent/setup/config_text.h"

#include <fmt/format.h>

#include "agent/setup/host.h"

namespace backstay::setup {
namespace {

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// Where the value that begins at `at` ends; nullopt: not on this line.
std::optional<std::size_t> end_of_value(std::string_view line, std::size_t at) {
    int depth = 0;
    char quote = 0;
    std::size_t end = at;
    for (std::size_t i = at; i < line.size(); ++i) {
        const char c = line[i];
        if (quote != 0) {
            if (c == '\\' && quote == '"') {
                ++i;
            } else if (c == quote) {
                quote = 0;
            }
        } else if (c == '#') {
            break;
        } else {
            if (c == '"' || c == '\'') quote = c;
            if (c == '[' || c == '{') ++depth;
            if (c == ']' || c == '}') --depth;
        }
        if (c != ' ' && c != '\t' && c != '\r') end = i + 1;
    }
    const bool several = line.substr(at).starts_with("\"\"\"") || line.substr(at).starts_with("'''");
    if (depth != 0 || quote != 0 || several) return std::nullopt;
    return end;
}

bool is_header(std::string_view line, std::string_view table) {
    line = trimmed(line);
    return line.starts_with(table) &&
           (line.size() == table.size() || line.find_first_not_of(" \t", table.size()) == line.find('#', table.size()));
}

// The lines of a table, without its header: [first, last).
struct Range {
    std::size_t first = 0, last = 0;
};

std::optional<Range> find_table(const std::vector<std::string>& lines, std::string_view table, std::size_t nth) {
    std::size_t at = 0;
    if (!table.empty()) {
        for (std::size_t seen = 0;; ++at) {
            if (at == lines.size()) return std::nullopt;
            if (is_header(lines[at], table) && seen++ == nth) break;
        }
        ++at;
    }
    Range range{at, at};
    while (range.last < lines.size() && !trimmed(lines[range.last]).starts_with('[')) ++range.last;
    return range;
}

}  // namespace

std::string toml_text(std::string_view text) {
    std::string value = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') value += '\\';
        value += c;
    }
    return value + '"';
}

std::string toml_text(const std::vector<std::string>& texts) {
    std::string list;
    for (const std::string& text : texts) list += (list.empty() ? "" : ", ") + toml_text(text);
    return fmt::format("[{}]", list);
}

std::optional<std::string> set_value(const std::string& text, std::string_view table, std::size_t nth,
                                     std::string_view key, std::string_view value) {
    std::vector<std::string> lines = lines_of(text);
    const auto range = find_table(lines, table, nth);
    if (!range) return std::nullopt;
    const std::string whole = fmt::format("{} = {}", key, value);
    bool found = false;
    std::size_t behind = range->first;
    for (std::size_t i = range->first; i < range->last && !found; ++i) {
        const std::string line = lines[i];
        const std::size_t equals = line.find('=');
        if (equals == std::string::npos || trimmed(line).starts_with('#')) continue;
        behind = i + 1;
        if (trimmed(line.substr(0, equals)) != key) continue;
        const std::size_t begin = std::min(line.find_first_not_of(" \t", equals + 1), line.size());
        const auto end = end_of_value(line, begin);
        if (!end) return std::nullopt;
        lines[i] = line.substr(0, begin) + std::string(value) + line.substr(*end);
        found = true;
    }
    if (!found) lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(behind), whole);
    std::string changed;
    for (const std::string& line : lines) changed += line + "\n";
    return changed;
}

std::string append_table(const std::string& text, std::string_view table) {
    const char* gap = text.empty() ? "" : text.ends_with('\n') ? "\n" : "\n\n";
    return fmt::format("{}{}# By `backstay setup`.\n{}", text, gap, table);
}

}  // namespace backstay::setup
