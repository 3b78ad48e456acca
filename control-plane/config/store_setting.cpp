#include "control-plane/config/store_setting.h"

#include <algorithm>
#include <string_view>

#include "common/files/files.h"
#include "common/sql/database.h"
#include "control-plane/config/settings.h"

namespace backstay {
namespace {

constexpr std::string_view kBlanks = " \t";

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

// Where the value of `store = "…"` stands in this line; npos: it is another line.
std::size_t begin_of_value(std::string_view line) {
    constexpr std::string_view kKey = "store";
    std::size_t at = line.find_first_not_of(kBlanks);
    if (at == std::string_view::npos || !line.substr(at).starts_with(kKey)) return std::string_view::npos;
    at = line.find_first_not_of(kBlanks, at + kKey.size());
    if (at == std::string_view::npos || line[at] != '=') return std::string_view::npos;
    return line.find_first_not_of(kBlanks, at + 1);
}

// Behind a string in "…" or '…'.
std::size_t end_of_value(std::string_view line, std::size_t begin) {
    const char quote = line[begin];
    for (std::size_t at = begin + 1; at < line.size(); ++at) {
        if (line[at] == '\\' && quote == '"') {
            ++at;
        } else if (line[at] == quote) {
            return at + 1;
        }
    }
    return line.size();
}

}  // namespace

Result<std::string> with_store(const std::string& text, const std::string& store) {
    std::string out;
    bool found = false;
    bool in_section = false;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
        const std::string_view line = std::string_view(text).substr(at, end - at);
        at = end;
        in_section = in_section || line.starts_with('[');
        const std::size_t begin = in_section || found ? std::string_view::npos : begin_of_value(line);
        if (begin == std::string_view::npos) {
            out += line;
            continue;
        }
        found = true;
        out.append(line.substr(0, begin)).append(quoted(store)).append(line.substr(end_of_value(line, begin)));
    }
    if (!found) out = "store = " + quoted(store) + "\n" + text;
    // Read as the server will: whatever was not understood above shows here.
    const Settings changed = TRY(settings_of(out, ""));
    const bool same = changed.store == (sql::is_postgres_url(store) || store.starts_with('/') ? store : "/" + store);
    if (!same) return Error(Errc::invalid, "`store` could not be changed").with_hint("change that line by hand");
    return out;
}

Result<std::string> change_store(const std::string& state_dir, const std::string& store) {
    const std::string path = state_dir + "/" + kSettingsFile;
    const std::string text = TRY(read_file(path, 1 << 20));
    const std::string changed = TRY(with_store(text, store).context(path));
    std::string kept = path + ".before";
    TRY(atomic_write(kept, text, 0600));
    TRY(atomic_write(path, changed, 0600));
    return kept;
}

}  // namespace backstay
