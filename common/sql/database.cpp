#include "common/sql/database.h"

#include <algorithm>

#include "common/sql/postgres_driver.h"
#include "common/sql/sqlite_driver.h"

namespace backstay::sql {

bool is_postgres_url(std::string_view store) {
    return store.starts_with("postgresql://") || store.starts_with("postgres://");
}

std::string without_password(std::string_view store) {
    std::string shown(store);
    if (!is_postgres_url(store)) return shown;
    const std::size_t begin = shown.find("//") + 2;
    const std::size_t end = std::min(shown.find_first_of("/?", begin), shown.size());
    const std::size_t at = shown.substr(0, end).rfind('@');
    const std::size_t colon = shown.find(':', begin);
    if (at != std::string::npos && colon < at) shown.erase(colon, at - colon);
    for (const std::string_view word : {"?password=", "&password=", "?sslpassword=", "&sslpassword="}) {
        const std::size_t found = shown.find(word);
        if (found == std::string::npos) continue;
        const std::size_t behind = std::min(shown.find('&', found + 1), shown.size());
        // "?a=1&password=x&b=2" → "?a=1&b=2", "?password=x&b=2" → "?b=2"
        const bool first_of_several = word.front() == '?' && behind < shown.size();
        shown.erase(first_of_several ? found + 1 : found, behind - found);
    }
    return shown;
}

std::string_view sqlstate_of(const Error& error) {
    const auto state = error.facts().find("sqlstate");
    return state == error.facts().end() ? std::string_view() : state->second;
}

Result<Database> Database::open(const std::string& store, const OpenOptions& options) {
    if (is_postgres_url(store)) return Database(TRY(open_postgres(store, options)));
    return Database(TRY(open_sqlite(store, options)));
}

Result<Statement> Database::query(std::string_view sql, std::span<const Value> values) {
    return Statement(TRY(driver_->query(sql, values)));
}

Result<std::vector<Statement>> Database::query_all(std::span<const Question> questions) {
    std::vector<Statement> answers;
    answers.reserve(questions.size());
    for (auto& cursor : TRY(driver_->query_all(questions))) answers.push_back(Statement(std::move(cursor)));
    return answers;
}

}  // namespace backstay::sql
