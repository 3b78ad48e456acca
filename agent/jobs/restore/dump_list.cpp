#include "agent/jobs/restore/dump_list.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "common/pq/quote.h"

namespace backstay::restore {
namespace {

// "3456; 1259 16385 TABLE public sale_order odoo" → "TABLE public sale_order odoo"
std::string_view description(std::string_view line) {
    std::size_t at = line.find("; ");
    if (at == std::string_view::npos) return {};
    at += 2;
    for (int number = 0; number < 2; ++number) {
        at = line.find(' ', at);
        if (at == std::string_view::npos) return {};
        ++at;
    }
    return line.substr(at);
}

template <class Each>
void for_lines(std::string_view text, Each each) {
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        each(text.substr(0, end));
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
}

// A word of SQL with where it stands; a quoted one is unquoted in `name`.
struct Word {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::string name;
    bool quoted = false;
};

std::optional<Word> next_word(std::string_view sql, std::size_t at) {
    while (at < sql.size() && sql[at] != '"' && std::isalnum(static_cast<unsigned char>(sql[at])) == 0 &&
           sql[at] != '_' && (static_cast<unsigned char>(sql[at]) & 0x80U) == 0) {
        ++at;
    }
    if (at >= sql.size()) return std::nullopt;
    Word word;
    word.begin = at;
    if (sql[at] == '"') {
        word.quoted = true;
        for (++at; at < sql.size(); ++at) {
            if (sql[at] == '"') {
                if (at + 1 >= sql.size() || sql[at + 1] != '"') break;
                ++at;
            }
            word.name += sql[at];
        }
        word.end = std::min(at + 1, sql.size());
        return word;
    }
    while (at < sql.size() && (std::isalnum(static_cast<unsigned char>(sql[at])) != 0 || sql[at] == '_' ||
                               sql[at] == '$' || (static_cast<unsigned char>(sql[at]) & 0x80U) != 0)) {
        word.name += sql[at++];
    }
    word.end = at;
    return word;
}

// Where a statement names roles: the word behind the last TO or FROM, behind ROLE, behind GRANTED BY.
std::vector<Word> role_words(std::string_view sql) {
    std::vector<Word> words;
    for (auto word = next_word(sql, 0); word; word = next_word(sql, word->end)) words.push_back(*word);
    std::vector<Word> roles;
    const auto keyword = [&](std::size_t i, std::string_view text) {
        return !words[i].quoted && words[i].name == text;
    };
    std::size_t grantee = 0;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        if (keyword(i, "TO") || keyword(i, "FROM")) grantee = i + 1;
        const bool role = keyword(i, "ROLE") || (keyword(i, "BY") && i > 0 && keyword(i - 1, "GRANTED"));
        if (role) roles.push_back(words[i + 1]);
    }
    if (grantee != 0) roles.push_back(words[grantee]);
    std::sort(roles.begin(), roles.end(), [](const Word& a, const Word& b) { return a.begin > b.begin; });
    return roles;
}

bool is_rights_statement(std::string_view line) {
    return line.starts_with("GRANT ") || line.starts_with("REVOKE ") || line.starts_with("ALTER DEFAULT PRIVILEGES ");
}

}  // namespace

DumpLists split_list(std::string_view toc) {
    DumpLists lists;
    for_lines(toc, [&](std::string_view line) {
        if (line.empty() || line.front() == ';') return;
        const std::string_view what = description(line);
        if (what.empty()) return;
        ++lists.entries;
        if (what.starts_with("COMMENT - EXTENSION ")) return;  // only an extension's owner may, and it says nothing
        std::string* list = &lists.main;
        if (what.starts_with("ACL ") || what.starts_with("DEFAULT ACL ")) list = &lists.rights;
        if (what.starts_with("EXTENSION ") || what.starts_with("SCHEMA ")) list = &lists.first;
        list->append(line).append("\n");
    });
    return lists;
}

MappedRights map_rights(std::string_view sql, const std::map<std::string, std::string>& renamed,
                        const std::set<std::string>& known) {
    MappedRights mapped;
    for_lines(sql, [&](std::string_view line) {
        if (!is_rights_statement(line)) return;
        std::string statement(line);
        bool complete = true;
        // From the end, so that earlier places stay where they are.
        for (const Word& word : role_words(line)) {
            if (!word.quoted && word.name == "PUBLIC") continue;
            const auto other = renamed.find(word.name);
            const std::string role = other == renamed.end() ? word.name : other->second;
            if (!known.contains(role)) {
                mapped.missing_roles.insert(role);
                complete = false;
            }
            statement.replace(word.begin, word.end - word.begin, pq::quote_identifier(role));
        }
        if (complete) mapped.statements.push_back(std::move(statement));
    });
    return mapped;
}

}  // namespace backstay::restore
