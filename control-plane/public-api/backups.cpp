// Listing and showing backups.
#include <charconv>

#include "control-plane/api/scope.h"
#include "control-plane/public-api/items.h"
#include "control-plane/public-api/public_routes.h"

namespace backstay::public_api {
namespace {

using api::Call;

constexpr std::int64_t kPageSize = 20;
constexpr std::int64_t kLargestPage = 100;
constexpr std::int64_t kLastPage = 1'000'000;

// A value that is well-formed but none of these: 422.
Result<std::optional<std::string>> filter_value(const Call& call, std::string_view name,
                                                std::initializer_list<std::string_view> values) {
    const std::string* text = call.request.query_value(name);
    if (text == nullptr || text->empty()) return std::optional<std::string>();
    std::string allowed;
    for (const std::string_view value : values) {
        if (*text == value) return std::optional<std::string>(*text);
        allowed.append(allowed.empty() ? "" : ", ").append(value);
    }
    return api::rule_broken("validation_error", name, "must be one of " + allowed);
}

Result<operations::PublicFilter> filter_of(const Call& call, std::int64_t& page) {
    operations::PublicFilter filter;
    filter.organization_id = call.organization_id;
    filter.status = TRY(filter_value(call, "status", {"pending", "running", "completed", "failed", "cancelled"}));
    filter.type = TRY(filter_value(call, "backup_type", {"manual", "scheduled", "pre_deploy"}));
    const auto verified = TRY(filter_value(call, "is_verified", {"true", "false"}));
    if (verified) filter.verified = *verified == "true";
    page = TRY(number_of(call, "page", 1, {1, kLastPage}));
    filter.limit = TRY(number_of(call, "page_size", kPageSize, {1, kLargestPage}));
    filter.offset = (page - 1) * filter.limit;
    return filter;
}

Result<http::Response> list(Call& call, sql::Database& db) {
    TRY(check_key(call));
    const auto environment = TRY(api::find_environment(call, db, call.param("environmentId")));
    std::int64_t page = 1;
    auto filter = TRY(filter_of(call, page));
    filter.environment_id = environment.id;
    auto found = TRY(operations::list_public(db, filter));
    api::Names names(db, call.organization_id, call.now);
    json::Array items;
    for (operations::PublicBackup& row : found.rows) {
        const Item item = TRY(read_item(call, db, std::move(row)));
        items.push_back(TRY(item_answer(names, item)));
    }
    json::Object body;
    body["items"] = std::move(items);
    body["total"] = found.total;
    body["page"] = page;
    body["page_size"] = filter.limit;
    body["total_pages"] = (found.total + filter.limit - 1) / filter.limit;
    return api::json_answer(200, json::Value(std::move(body)));
}

Result<http::Response> show(Call& call, sql::Database& db) {
    TRY(check_key(call));
    const Item item = TRY(find_item(call, db, call.param("backupId")));
    api::Names names(db, call.organization_id, call.now);
    const json::Value answer = TRY(item_answer(names, item));
    return api::json_answer(200, answer);
}

}  // namespace

Result<std::int64_t> number_of(const Call& call, std::string_view name, std::int64_t usual, Bounds bounds) {
    const std::string* text = call.request.query_value(name);
    if (text == nullptr) return usual;
    std::int64_t number = 0;
    const char* end = text->data() + text->size();
    const auto [stopped, fault] = std::from_chars(text->data(), end, number);
    if (text->empty() || stopped != end || fault == std::errc::invalid_argument) {
        return api::problem(400, "invalid_parameter", std::string(name) + " must be a whole number");
    }
    if (fault == std::errc{} && number >= bounds.least && number <= bounds.most) return number;
    return api::rule_broken("validation_error", name,
                            "must be between " + std::to_string(bounds.least) + " and " + std::to_string(bounds.most));
}

void add_public_backup_routes(api::RouteTable& routes) {
    constexpr auto kView = auth::Permission::view_backups;
    routes.add({"GET", "/api/public/v1/environments/{environmentId}/backups", kView}, list);
    routes.add({"GET", "/api/public/v1/backups/{backupId}", kView}, show);
}

}  // namespace backstay::public_api
