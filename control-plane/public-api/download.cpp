// A backup to take away: URLs of its artifacts for a while, without a credential; or the ZIP that Odoo's own database
// manager restores, which the agent makes that has the key and PostgreSQL's programs.
#include <fmt/format.h>

#include "common/domain/reasons.h"
#include "common/domain/steps.h"
#include "common/log.h"
#include "control-plane/api/scope.h"
#include "control-plane/browse/browser.h"
#include "control-plane/dispatch/care.h"
#include "control-plane/public-api/copies.h"
#include "control-plane/public-api/public_routes.h"
#include "control-plane/store/destination_config.h"

namespace backstay::public_api {
namespace {

using api::Call;

constexpr std::int64_t kUsualSeconds = 3600;
constexpr std::int64_t kLeastSeconds = 300;
constexpr std::int64_t kMostSeconds = 86'400;
constexpr std::string_view kOdooZip = "odoo_zip";

class Links {
public:
    Links(const Call& call, const browse::Browser& browser, const Copy& copy, std::int64_t seconds)
        : call_(call), browser_(browser), copy_(copy), seconds_(seconds) {}

    // Opens nothing but words: presigning is reckoning alone.
    Result<> prepare(sql::Database& db) {
        if (copy_.rank != 0) return {};
        storage_ = TRY(browser_.reach.open(db, copy_.destination));
        return {};
    }

    Result<json::Value> url(std::string_view artifact) {
        const auto found = copy_.keys.find(std::string(artifact));
        if (found == copy_.keys.end()) return json::Value(nullptr);
        const std::string& key = found->second;
        const std::string name = key.substr(key.rfind('/') + 1);
        if (storage_) {
            auto presigned = TRY(storage_->presign_get(key, static_cast<std::uint32_t>(seconds_), name));
            if (presigned) return json::Value(*presigned);
        }
        streamed_ = true;
        const browse::StreamGrant grant{call_.organization_id, copy_.destination.id, key, name,
                                        call_.now + seconds_ * 1000};
        return json::Value(browser_.tokens.url(grant, call_.request));
    }
    bool streamed() const { return streamed_; }

private:
    const Call& call_;
    const browse::Browser& browser_;
    const Copy& copy_;
    std::int64_t seconds_;
    std::unique_ptr<Storage> storage_;
    bool streamed_ = false;
};

Result<http::Response> urls(const Call& call, sql::Database& db, const browse::Browser& browser) {
    const Item item = TRY(find_item(call, db, call.param("backupId")));
    const std::int64_t seconds = TRY(number_of(call, "expires_in", kUsualSeconds, {kLeastSeconds, kMostSeconds}));
    const Copy copy = TRY(best_copy(call, db, item, {}));
    TRY(api::note_download(call, db, "backup.link", item.shown.id, ""));
    Links links(call, browser, copy, seconds);
    if (auto ready = links.prepare(db); !ready) return browse::storage_problem(ready.error(), copy.destination.id);
    json::Object out;
    out["backup_id"] = item.shown.id;
    out["database_url"] = TRY(links.url(artifact::kDatabase));
    out["filestore_url"] = TRY(links.url(artifact::kFilestore));
    out["manifest_url"] = TRY(links.url(artifact::kManifest));
    out["expires_in"] = seconds;
    out["expires_at"] = to_rfc3339(call.now + seconds * 1000);
    out["use_streaming"] = links.streamed();
    return api::json_answer(200, json::Value(std::move(out)));
}

// What the agent says of it in words for whoever wanted it.
Error zip_problem(const Error& error, const std::string& destination) {
    if (error.code() == Errc::invalid || error.reason() == reason::kEncryptionKeyMissing) {
        return api::conflict("not_downloadable", error.message());
    }
    if (error.reason() == reason::kDiskSpaceLow) return api::problem(507, "scratch_full", error.message());
    return browse::storage_problem(error, destination);
}

Result<> make_zip(const Call& call, sql::Database& db, const DownloadParts& parts, Sink& sink,
                  const std::stop_token& stop) {
    const Item item = TRY(find_item(call, db, call.param("backupId")));
    const dispatch::Stored stored = item.backup ? dispatch::Stored(*item.backup) : dispatch::Stored(*item.snapshot);
    const std::string agent = TRY(dispatch::caring_agent(db, stored));
    const Copy copy = TRY(best_copy(call, db, item, agent));
    const auto slot =
        TRY(browse::take_slot(parts.browser.transfers.slots(), {"zips of agent " + agent, browse::kZipsPerAgent}));
    TRY(api::note_download(call, db, "backup.download", item.shown.id, kOdooZip));
    control_plane::StorageRequest request;
    request.action = kOdooZip;
    request.destination = TRY(store::open_config(parts.box, copy.destination));
    request.prefix = copy.folder();
    request.key = item.shown.id;
    auto fetched = parts.desk.fetch(agent, std::move(request), sink, stop, &db);
    if (fetched) return {};
    return zip_problem(fetched.error(), copy.destination.id);
}

void send_zip(const DownloadParts& parts, const Call& call, std::unique_ptr<http::Exchange> exchange) {
    http::Response head;
    head.headers.set("Content-Type", "application/zip");
    head.headers.set("Content-Disposition", browse::content_disposition(call.param("backupId") + ".zip"));
    const std::string& organization = call.organization_id;
    parts.browser.transfers.make(std::move(exchange), organization,
                                 {browse::transfers_of(organization), browse::zips_of(organization)}, std::move(head),
                                 [call, parts](sql::Database& db, Sink& sink, const std::stop_token& stop) {
                                     return make_zip(call, db, parts, sink, stop);
                                 });
}

void send_urls(const DownloadParts& parts, const Call& call, std::unique_ptr<http::Exchange> exchange) {
    parts.browser.transfers.ask(std::move(exchange), call.organization_id,
                                [call, parts](sql::Database& db) { return urls(call, db, parts.browser); });
}

Result<bool> wants_zip(const Call& call) {
    const std::string* format = call.request.query_value("format");
    if (format == nullptr || format->empty() || *format == "urls") return false;
    if (*format == kOdooZip) return true;
    return api::rule_broken("validation_error", "format", "must be one of urls, odoo_zip");
}

void download(const DownloadParts& parts, bool keys_only, const Call& call, std::unique_ptr<http::Exchange> exchange) {
    if (keys_only) {
        if (auto key = check_key(call); !key) return exchange->respond(api::error_answer(key.error()));
    }
    const auto zip = wants_zip(call);
    if (!zip) return exchange->respond(api::error_answer(zip.error()));
    return *zip ? send_zip(parts, call, std::move(exchange)) : send_urls(parts, call, std::move(exchange));
}

}  // namespace

void add_download_routes(api::RouteTable& routes, const DownloadParts& parts) {
    const auto add = [&](std::string_view pattern, auth::Permission permission, bool keys_only) {
        routes.add_loop({"GET", pattern, permission},
                        [parts, keys_only](const Call& call, std::unique_ptr<http::Exchange> exchange) {
                            download(parts, keys_only, call, std::move(exchange));
                        });
    };
    // For users raw data is a right of its own; keys of customers are made for it.
    add("/api/backups/{backupId}/download", auth::Permission::manage_storage, false);
    add("/api/public/v1/backups/{backupId}/download", auth::Permission::view_backups, true);
}

}  // namespace backstay::public_api
