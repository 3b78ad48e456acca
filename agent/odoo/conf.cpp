#include "agent/odoo/conf.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "common/domain/reasons.h"
#include "common/files/files.h"
#include "common/process/scrub.h"

namespace backstay::odoo {
namespace {

constexpr std::size_t kConfMax = 1 << 20;
constexpr std::string_view kHidden = "********";

std::string_view trim(std::string_view text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
    return text;
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

// Modules bring their own keys, so the words inside a name decide.
bool is_secret(std::string_view key) {
    constexpr std::array<std::string_view, 12> kWords{"pass",       "pwd",    "secret",     "token",
                                                      "api_key",    "apikey", "license",    "private",
                                                      "access_key", "auth",   "credential", "dsn"};
    const std::string name = lower(key);
    return name.ends_with("key") || std::any_of(kWords.begin(), kWords.end(), [&](std::string_view word) {
               return name.find(word) != std::string::npos;
           });
}

// A word of a line, with quotes as they stand, and what is before it.
struct Word {
    std::string_view gap;
    std::string_view text;
};

Word next_word(std::string_view& rest) {
    const auto blank = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
    std::size_t begin = 0;
    while (begin < rest.size() && blank(rest[begin])) ++begin;
    std::size_t end = begin;
    for (char quote = 0; end < rest.size() && (quote != 0 || !blank(rest[end])); ++end) {
        if (quote != 0 ? rest[end] == quote : rest[end] == '"' || rest[end] == '\'')
            quote = quote != 0 ? '\0' : rest[end];
    }
    const Word word{rest.substr(0, begin), rest.substr(begin, end - begin)};
    rest.remove_prefix(end);
    return word;
}

// Units of systemd, and whatever else holds commands and variables: NAME=secret, --db_password secret, -w secret.
// `hide_next`: the line before ended with an option whose value is a secret.
std::string hide_in_words(std::string_view line, bool& hide_next) {
    std::string out;
    for (std::string_view rest = line; !rest.empty();) {
        const Word word = next_word(rest);
        out += word.gap;
        if (word.text.empty()) continue;
        const std::size_t equals = word.text.find('=', 1);
        const std::string_view name = word.text.substr(0, equals);
        const bool option = name.starts_with("--");
        if (hide_next && !word.text.starts_with('-') && word.text != "\\") {
            out += kHidden;
            hide_next = false;
        } else if (equals != std::string_view::npos && is_secret(name)) {
            out.append(name).append("=").append(kHidden);
            hide_next = false;
        } else {
            out += word.text;
            // A backslash goes on in the next line.
            hide_next = word.text == "\\" ? hide_next : name == "-w" || (option && is_secret(name));
        }
    }
    return out;
}

struct Line {
    std::string_view key;  // empty: a comment, a section, an empty line or a continuation
    std::string_view value;
    std::string_view before_value;  // "key = "
};

Line split(std::string_view line) {
    Line out;
    if (line.empty() || line[0] == '#' || line[0] == ';' || line[0] == '[' || line[0] == ' ' || line[0] == '\t') {
        return out;
    }
    const std::size_t at = line.find_first_of("=:");
    if (at == std::string_view::npos) return out;
    out.key = trim(line.substr(0, at));
    out.value = trim(line.substr(at + 1));
    out.before_value = line.substr(0, at + 1);
    return out;
}

template <class Each>
void each_line(std::string_view text, Each&& each) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        each(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

}  // namespace

std::string Conf::get(const std::string& key) const {
    const auto found = options.find(key);
    if (found == options.end() || found->second == "False" || found->second == "None") return "";
    return found->second;
}

std::vector<std::string> Conf::addons_paths() const {
    std::vector<std::string> folders;
    const std::string all = get("addons_path");
    for (std::string_view rest = all; !rest.empty();) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        if (const std::string_view folder = trim(rest.substr(0, comma)); !folder.empty()) folders.emplace_back(folder);
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return folders;
}

Conf parse_conf(std::string file, std::string text) {
    Conf conf{std::move(file), std::move(text), {}};
    bool ours = true;  // keys before any section are Odoo's too
    std::string last;
    each_line(conf.text, [&](std::string_view line) {
        const std::string_view bare = trim(line);
        if (!bare.empty() && bare.front() == '[') {
            ours = bare == "[options]";
            last.clear();
            return;
        }
        if (!ours || bare.empty() || bare.front() == '#' || bare.front() == ';') return;
        if (line.front() == ' ' || line.front() == '\t') {
            if (!last.empty()) conf.options[last].append(bare);
            return;
        }
        const Line parts = split(line);
        last = std::string(parts.key);
        if (!last.empty()) conf.options.insert_or_assign(last, std::string(parts.value));
    });
    return conf;
}

Result<Conf> read_conf(const std::string& path) {
    std::string text = TRY(read_file(path, kConfMax).context("read odoo.conf").reason(reason::kConfigMissing));
    return parse_conf(path, std::move(text));
}

std::string redact_conf(std::string_view text) {
    std::string out;
    bool hiding = false;        // a secret's continuation lines are secret too
    bool unit_goes_on = false;  // a unit's line ended with a backslash
    bool hide_next = false;
    each_line(text, [&](std::string_view line) {
        const bool continues = !line.empty() && (line.front() == ' ' || line.front() == '\t');
        if (continues && hiding) return;
        // A commented-out password is often the former or the real one.
        std::string_view bare = line;
        while (!bare.empty() && (bare.front() == '#' || bare.front() == ';' || bare.front() == ' ')) {
            bare.remove_prefix(1);
        }
        const Line parts = split(bare);
        hiding = !parts.key.empty() && is_secret(parts.key) && !parts.value.empty();
        const auto lead = static_cast<std::size_t>(bare.data() - line.data());
        if (hiding) {
            out.append(line.substr(0, lead)).append(parts.before_value).append(" ").append(kHidden);
        } else {
            const bool of_unit = lower(parts.key) == "environment" || lower(parts.key).starts_with("exec");
            const bool goes_on = unit_goes_on;
            if (of_unit || goes_on) {
                const std::size_t head = of_unit ? lead + parts.before_value.size() : 0;
                out.append(line.substr(0, head)).append(scrub(hide_in_words(line.substr(head), hide_next), {}));
            } else {
                out.append(scrub(line, {}));
            }
            unit_goes_on = (of_unit || goes_on) && line.ends_with('\\');
            hide_next = unit_goes_on && hide_next;
        }
        out += '\n';
    });
    return out;
}

}  // namespace backstay::odoo
