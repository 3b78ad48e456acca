#include "control-plane/cli/installation_session.h"

#include <algorithm>
#include <cstdio>

#include "common/text.h"
#include "control-plane/store/store.h"

namespace backstay::cli {
namespace {

void print_line(const std::string& line) { std::fprintf(stdout, "%s\n", line.c_str()); }

// Characters, not bytes: names may hold any letters.
std::size_t width_of(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string padded(const std::string& text, std::size_t width) {
    return text + std::string(width - std::min(width, width_of(text)), ' ');
}

}  // namespace

Result<Session> Session::open(const Common& common) {
    auto settings = TRY(load_settings(common.state_dir));
    const std::string store = TRY(ready_store(settings, ""));
    auto db = TRY(store::open_store(store));
    return Session{std::move(settings), std::move(db), SystemClock().now_ms()};
}

Result<store::Organization> Session::organization(const std::string& slug) {
    auto found = TRY(store::Organizations(db).by_slug(slug));
    if (!found) {
        return Error(Errc::not_found, "there is no organization " + slug)
            .with_hint("`backstay-control org list` shows those that there are");
    }
    return std::move(*found);
}

void print(const Common& common, const json::Object& object, const Lines& lines) {
    if (common.json) return print_line(json::serialize(json::Value(object)));
    std::size_t width = 0;
    for (const auto& [key, value] : lines) width = std::max(width, width_of(key));
    for (const auto& [key, value] : lines)
        print_line(printable(value.empty() ? key : padded(key, width) + "  " + value));
}

void print_table(const Common& common, const json::Value& listing, const std::vector<std::string>& headings,
                 const std::vector<std::vector<std::string>>& rows) {
    if (common.json) return print_line(json::serialize(listing));
    std::vector<std::size_t> widths;
    for (const std::string& heading : headings) widths.push_back(width_of(heading));
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
    }
    const auto line_of = [&widths](const std::vector<std::string>& cells) {
        std::string line;
        for (std::size_t i = 0; i < cells.size(); ++i) {
            line += i + 1 == cells.size() ? cells[i] : padded(cells[i], widths[i] + 2);
        }
        return printable(line);
    };
    print_line(line_of(headings));
    for (const auto& row : rows) print_line(line_of(row));
}

}  // namespace backstay::cli
