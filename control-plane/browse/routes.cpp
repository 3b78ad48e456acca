#include "common/log.h"
#include "control-plane/api/answer.h"
#include "control-plane/api/scope.h"
#include "control-plane/browse/attribution.h"
#include "control-plane/browse/browser.h"
#include "control-plane/browse/listing.h"
#include "control-plane/browse/paths.h"
#include "control-plane/browse/removal.h"
#include "control-plane/browse/summary.h"

namespace backstay::browse {
namespace {

using api::Call;
using auth::Permission;

constexpr std::uint64_t kMostUpload = 5ULL << 30U;
constexpr std::uint64_t kMultipartFrame = 64 * 1024;

Result<std::string> path_of(const Call& call) {
    const std::string* path = call.request.query_value("path");
    if (path == nullptr) return api::problem(400, "path_required", "name the file by ?path=");
    return object_path(*path);
}

Result<http::Response> browse(Call& call, sql::Database& db, const Browser& browser) {
    const auto row = TRY(api::find_destination(call, db, call.param("destId")));
    std::string prefix = TRY(folder_prefix(api::query_of(call, "prefix")));
    const auto storage = TRY(browser.reach.open(db, row));
    return browse_level(call, db, *storage, browser.secrets,
                        {row.id, std::move(prefix), api::query_of(call, "cursor")});
}

// A key of one project sees whole destinations nowhere.
Result<> refuse_project_keys(const Call& call) {
    if (!call.principal.project_id) return {};
    return api::problem(403, "forbidden", "this shows what all projects of the organization have stored");
}

Result<http::Response> analytics(Call& call, sql::Database& db) {
    TRY(refuse_project_keys(call));
    const auto row = TRY(api::find_destination(call, db, call.param("destId")));
    json::Object body;
    body["analytics"] = TRY(latest_analytics(db, row.id));
    return api::json_answer(200, json::Value(std::move(body)));
}

Result<http::Response> project_storage(Call& call, sql::Database& db) {
    const auto project = TRY(api::find_project(call, db, call.param("id")));
    const json::Value summary = TRY(project_summary(db, project));
    return api::json_answer(200, summary);
}

bool wants_json(const Call& call) {
    return call.request.headers.get("Accept").find("application/json") != std::string_view::npos;
}

http::Response link_answer(const std::string& url) {
    json::Object body;
    body["url"] = url;
    body["expiresIn"] = kStreamSeconds;
    return api::json_answer(200, json::Value(std::move(body)));
}

// A link where the store can presign, or the caller asks for JSON; nothing when the content itself is to be sent.
Result<std::optional<http::Response>> link_for(const Call& call, sql::Database& db, const Browser& browser,
                                               const store::DestinationRow& row, const std::string& path,
                                               const std::stop_token& stop) {
    if (!attribute(path).is_of(call.organization_id)) {
        return api::problem(404, "file_not_found", "the destination has no such file");
    }
    const auto storage = TRY(browser.reach.open(db, row, stop));
    if (const auto object = storage->stat(path); !object) return storage_problem(object.error(), row.id);
    auto presigned = storage->presign_get(path, static_cast<std::uint32_t>(kStreamSeconds), file_name(path));
    if (!presigned) return storage_problem(presigned.error(), row.id);
    if (*presigned) return std::optional(link_answer(**presigned));
    if (!wants_json(call)) return std::optional<http::Response>();
    const StreamGrant grant{call.organization_id, row.id, path, "", call.now + kStreamSeconds * 1000};
    return std::optional(link_answer(browser.tokens.url(grant, call.request)));
}

void download(const Browser& browser, Transfers& transfers, const Call& call,
              std::unique_ptr<http::Exchange> exchange) {
    const auto path = path_of(call);
    if (!path) return exchange->respond(api::error_answer(path.error()));
    Transfers::Order order{call.organization_id, call.param("destId"), *path, "", {}, ""};
    order.instead = [&browser, call, path = *path](
                        sql::Database& db, const std::stop_token& stop) -> Result<std::optional<http::Response>> {
        const auto row = TRY(api::find_destination(call, db, call.param("destId")));
        auto link = TRY(link_for(call, db, browser, row, path, stop));
        TRY(api::note_download(call, db, link ? "storage.link" : "storage.download", row.id, path));
        return link;
    };
    transfers.send(std::move(exchange), std::move(order));
}

void stream(Browser& browser, const Call& call, std::unique_ptr<http::Exchange> exchange) {
    auto grant = browser.tokens.open(call.param("token"), browser.clock.now_ms());
    if (!grant) return exchange->respond(api::error_answer(grant.error()));
    Transfers::Order order{grant->organization_id, grant->destination_id, grant->key, grant->download_name, {},
                           call.param("token")};
    Call user = call;
    user.organization_id = grant->organization_id;
    user.principal.name = "link";
    order.instead = [user, at = *grant](sql::Database& db,
                                        const std::stop_token&) -> Result<std::optional<http::Response>> {
        TRY(api::note_download(user, db, "storage.download", at.destination_id, at.key));
        return std::optional<http::Response>();
    };
    browser.transfers.send(std::move(exchange), std::move(order));
}

struct DeleteRequest {
    std::optional<std::string> path;
};
BOOST_DESCRIBE_STRUCT(DeleteRequest, (), (path))

Result<http::Response> remove(Call& call, sql::Database& db, const Reach& reach) {
    const auto row = TRY(api::find_destination(call, db, call.param("destId")));
    const std::string force = TRY(api::choice_of(call, "force", {"true", "false"}));
    std::string path;
    if (call.request.query_value("path") != nullptr) {
        path = TRY(path_of(call));
    } else {
        const auto body = TRY(api::body<DeleteRequest>(call));
        if (!body.path) return api::problem(400, "path_required", "name the file by ?path=, or in the body");
        path = TRY(object_path(*body.path));
    }
    if (force == "true" && call.principal.role < auth::Role::admin)
        return api::problem(403, "forbidden", "only owners and admins delete what a backup needs");
    const auto storage = TRY(reach.open(db, row));
    TRY(remove_file(call, db, *storage, row, path, force == "true"));
    return api::message_answer(200, "the file is deleted");
}

struct CleanupRequest {
    std::int64_t retention_days = 30;
    bool force = false;
};
BOOST_DESCRIBE_STRUCT(CleanupRequest, (), (retention_days, force))

// The one member of the contract in snake_case (contract/seeds): not decoded like others.
Result<ScanWish> clean_up_of(const Call& call) {
    const json::Value value = TRY(api::body_value(call));
    CleanupRequest request;
    json::Faults faults;
    const json::DecodeOptions as_is{json::Names::as_is, json::Unknown::refuse, json::Missing::keep_default};
    if (!json::decode_into(value, request, faults, as_is)) return api::problem(faults);
    if (request.retention_days < 1 || request.retention_days > 3650)
        return api::rule_broken("out_of_range", "retention_days", "must be from 1 to 3650");
    if (request.force && call.principal.role < auth::Role::admin)
        return api::problem(403, "forbidden", "only owners and admins delete what may be a backup");
    return ScanWish{ScanKind::orphans, request.retention_days, request.force};
}

Result<http::Response> order_scan(Call& call, sql::Transaction& tx, Browser& browser, ScanKind kind) {
    const auto row = TRY(api::find_destination(call, tx.database(), call.param("destId")));
    const ScanWish wish = kind == ScanKind::orphans ? TRY(clean_up_of(call)) : ScanWish{kind, 0, false};
    TRY(queue_scan(tx.database(), row, wish, call.principal.name, call.now));
    TRY(api::note_audit(call, tx.database(), std::string("storage.").append(word_of(kind)), row.id,
                        wish.force ? "force" : ""));
    call.after_commit.emplace_back([&browser] { browser.scans.kick(); });
    constexpr std::string_view kMessages[] = {"the scan is queued", "the scan and the clean-up of orphans are queued",
                                              "the scan and the clean-up of records are queued"};
    return api::message_answer(202, kMessages[static_cast<std::size_t>(kind)]);
}

}  // namespace

void add_browse_routes(api::RouteTable& routes, Browser& browser) {
    const auto spec = [](std::string_view method, std::string_view pattern, Permission permission) {
        return api::RouteSpec{.method = method, .pattern = pattern, .permission = permission};
    };
    api::RouteSpec browsing = spec("GET", "/api/storage/destinations/{destId}/browse", Permission::view_storage);
    browsing.slow = browsing.storage = true;
    routes.add(browsing, [&browser](Call& call, sql::Database& db) { return browse(call, db, browser); });
    routes.add(spec("GET", "/api/storage/destinations/{destId}/analytics", Permission::view_storage), analytics);
    routes.add(spec("GET", "/api/projects/{id}/storage", Permission::view_storage), project_storage);
    routes.add_loop(spec("GET", "/api/storage/destinations/{destId}/download", Permission::manage_storage),
                    [&browser](const Call& call, std::unique_ptr<http::Exchange> exchange) {
                        download(browser, browser.transfers, call, std::move(exchange));
                    });
    api::RouteSpec removing = spec("DELETE", "/api/storage/destinations/{destId}/files", Permission::manage_storage);
    removing.slow = removing.storage = true;
    routes.add(removing, [&browser](Call& call, sql::Database& db) { return remove(call, db, browser.reach); });
    for (const auto& [path, kind] : {std::pair{"/api/storage/destinations/{destId}/scan", ScanKind::look},
                                     std::pair{"/api/storage/destinations/{destId}/cleanup-orphans", ScanKind::orphans},
                                     std::pair{"/api/storage/destinations/{destId}/scan-cleanup", ScanKind::records}}) {
        routes.add_write(
            spec("POST", path, Permission::manage_storage),
            [&browser, kind = kind](Call& call, sql::Transaction& tx) { return order_scan(call, tx, browser, kind); });
    }
    api::RouteSpec uploading = spec("POST", "/api/storage/destinations/{destId}/upload", Permission::manage_storage);
    uploading.streamed_body = kMostUpload + kMultipartFrame;
    routes.add_loop(uploading, [&browser](const Call& call, std::unique_ptr<http::Exchange> exchange) {
        browser.uploads.take(call, std::move(exchange), kMostUpload);
    });
    for (const std::string_view method : {"GET", "HEAD"}) {
        api::RouteSpec open = spec(method, "/api/storage/stream/{token}", Permission::manage_storage);
        open.access = api::Access::open;
        routes.add_loop(open, [&browser](const Call& call, std::unique_ptr<http::Exchange> exchange) {
            stream(browser, call, std::move(exchange));
        });
    }
}

}  // namespace backstay::browse
