#include "control-plane/browse/listing.h"

#include <utility>

#include "control-plane/browse/listing_guard.h"
#include "control-plane/browse/paths.h"
#include "control-plane/browse/reach.h"
#include "control-plane/browse/records.h"

namespace backstay::browse {
namespace {

constexpr std::size_t kMostEntries = 1000;
constexpr std::size_t kMostCursor = 8192;

json::Value text_or_null(const std::optional<std::string>& text) {
    return text && !text->empty() ? json::Value(*text) : json::Value();
}

std::string_view last_segment(std::string_view path) {
    if (path.ends_with('/')) path.remove_suffix(1);
    return file_name(path);
}

json::Object entry_of(std::string_view path, bool is_dir, const ObjectInfo* object, const Joined& joined) {
    json::Object entry;
    entry["name"] = last_segment(path);
    entry["path"] = path;
    entry["isDir"] = is_dir;
    entry["sizeBytes"] = object == nullptr ? json::Value() : json::Value(object->size_bytes);
    entry["lastModified"] = object == nullptr ? json::Value() : json::Value(to_rfc3339(object->modified_at));
    entry["etag"] = object == nullptr || object->etag.empty() ? json::Value() : json::Value(object->etag);
    entry["kind"] = joined.of.kind;
    entry["backupId"] = text_or_null(joined.backup_id);
    entry["snapshotId"] = text_or_null(joined.snapshot_id);
    entry["environmentId"] = text_or_null(joined.environment_id);
    entry["linked"] = joined.linked;
    entry["orphan"] = !is_dir && joined.orphan();
    return entry;
}

// Nobody sees what another organization keeps in the same place; a key limited to one project sees its tree, and the
// folders above it.
bool may_see(const api::Call& call, const Joined& joined, bool is_dir, std::string_view path) {
    if (!joined.ours) return false;
    if (!call.principal.project_id) return true;
    const Attribution& of = joined.of;
    if (!of.project_id.empty()) return of.project_id == *call.principal.project_id;
    return is_dir && (path == "v1/" || path == "v1/" + call.organization_id + "/");
}

// Valid for this listing alone, so that nobody goes on where he may not begin.
std::string cursor_context(const api::Call& call, const Level& level) {
    return "cursor:" + call.organization_id + ":" + call.principal.project_id.value_or("") + ":" + level.destination +
           ":" + level.prefix;
}

// What a driver needs to go on is the last key seen, also where the caller must not see it.
Result<std::string> open_cursor(const api::Call& call, const SecretBox& box, const Level& level) {
    if (level.cursor.empty()) return std::string();
    auto after = level.cursor.size() > kMostCursor ? Error(Errc::invalid, "too long")
                                                   : box.open(level.cursor, cursor_context(call, level));
    if (!after) return api::problem(400, "invalid_parameter", "cursor must be the nextToken of the page before");
    return after;
}

}  // namespace

Result<http::Response> browse_level(const api::Call& call, sql::Database& db, Storage& storage, const SecretBox& box,
                                    const Level& level) {
    ListQuery query;
    query.prefix = level.prefix;
    query.one_level = true;
    query.max_entries = kMostEntries;
    query.continue_after = TRY(open_cursor(call, box, level));
    const auto page = storage.list(query);
    if (!page) return storage_problem(page.error(), level.destination);
    TRY(ListingGuard().check(query, *page));
    Records records(db, call.organization_id, call.now - kUnheardGraceMs);
    json::Array files;
    for (const std::string& folder : page->folders) {
        const Joined joined = TRY(records.join_folder(folder));
        if (may_see(call, joined, true, folder)) files.push_back(entry_of(folder, true, nullptr, joined));
    }
    for (const ObjectInfo& object : page->objects) {
        const Joined joined = TRY(records.join(object));
        if (may_see(call, joined, false, object.key)) files.push_back(entry_of(object.key, false, &object, joined));
    }
    json::Object body;
    body["files"] = std::move(files);
    body["truncated"] = !page->next.empty();
    body["nextToken"] =
        page->next.empty() ? json::Value() : json::Value(box.seal(page->next, cursor_context(call, level)));
    return api::json_answer(200, json::Value(std::move(body)));
}

}  // namespace backstay::browse
