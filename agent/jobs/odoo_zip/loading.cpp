#include "agent/jobs/odoo_zip/loading.h"

#include <fmt/format.h>

#include "agent/jobs/odoo_zip/sql_lines.h"
#include "common/domain/reasons.h"
#include "common/ids.h"

namespace backstay::odoo_zip {
namespace {

// Under a key that the script cannot know, psql obeys no command of its own from here on; the dump's own pair would be
// one.
std::string restrict_key() {
    std::string key = new_uuid();
    std::erase(key, '-');
    return key;
}

void edit(std::string_view line, std::string& out) {
    if (line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ")) return;
    const std::size_t before = out.size();
    keep_unaccent(line, out);
    if (out.size() == before + line.size()) return;
    // Only a superuser may do that to a function of an extension.
    out.insert(before + line.size(), "SET ROLE NONE;\n");
    out.append("RESET ROLE;\n");
}

// As libpq wants it: blanks and backslashes escaped.
std::string option_value(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == ' ' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

Error explain(Error error) {
    const auto found = error.facts().find("stderr");
    const std::string said = found == error.facts().end() ? error.message() : found->second;
    if (said.find("invalid command \\restrict") != std::string::npos) {
        return Error(Errc::invalid, "this psql cannot be kept from obeying commands in somebody else's script")
            .with_reason(reason::kPgToolTooOld)
            .with_hint("update the PostgreSQL client to a release of August 2025 or later");
    }
    if (error.code() == Errc::cancelled) return std::move(error).with_reason(reason::kCancelled);
    return Error(Errc::corrupted, fmt::format("dump.sql cannot be loaded: {}", said))
        .with_reason(reason::kStructureInvalid);
}

}  // namespace

Result<> load_script(const Loading& loading, Source& script) {
    ProcessSpec spec;
    spec.argv = {loading.psql.path, "-X", "-q", "--no-password", "-v", "ON_ERROR_STOP=1", "-f", "-"};
    spec.environment = tool_environment(loading.cluster);
    // In the environment, so that its name is never taken for a connection string.
    spec.environment["PGDATABASE"] = loading.database;
    spec.environment["PGAPPNAME"] = "backstay import";
    spec.environment["PGOPTIONS"] = "-c synchronous_commit=off -c statement_timeout=0 -c lock_timeout=0";
    if (!loading.owner.empty()) spec.environment["PGOPTIONS"] += " -c role=" + option_value(loading.owner);
    spec.pipe_stdin = true;
    spec.pipe_stdout = false;
    spec.stop = loading.stop;
    auto child = TRY(Subprocess::start(std::move(spec)));
    SqlLines lines(child->input(), edit);
    Result<> fed = child->input().write(as_bytes(fmt::format("\\restrict {}\n", restrict_key())));
    std::vector<std::byte> buffer(256 * 1024);
    while (fed) {
        const std::size_t count = TRY(script.read(buffer));
        if (count == 0) break;
        fed = lines.write(ByteSpan(buffer).first(count));
    }
    if (fed) fed = lines.finish();
    if (fed) fed = child->input().finish();
    // Of a child that went away, its own words are the reason.
    auto ended = child->wait_success();
    if (!ended) return explain(std::move(ended).error());
    return fed;
}

}  // namespace backstay::odoo_zip
