#include "control-plane/api/answer.h"

#include <fmt/format.h>

#include <charconv>

namespace backstay::api {
namespace {

constexpr const char* kStatusFact = "http_status";
constexpr const char* kDetailFact = "http_detail";
constexpr const char* kRetryFact = "http_retry_after";

Errc errc_of(int status) {
    switch (status) {
        case 401:
        case 403:
            return Errc::denied;
        case 404:
            return Errc::not_found;
        case 409:
            return Errc::conflict;
        case 502:
        case 503:
            return Errc::unavailable;
        case 507:
            return Errc::exhausted;
        default:
            return status < 500 ? Errc::invalid : Errc::io;
    }
}

struct Shown {
    int status;
    std::string_view code;
};

Shown shown_as(Errc code) {
    switch (code) {
        case Errc::invalid:
            return {400, "invalid_request"};
        case Errc::not_found:
            return {404, "not_found"};
        case Errc::conflict:
            return {409, "conflict"};
        case Errc::denied:
            return {403, "forbidden"};
        case Errc::unavailable:
            return {503, "unavailable"};
        case Errc::timed_out:
            return {504, "timeout"};
        case Errc::exhausted:
            return {507, "storage_full"};
        case Errc::cancelled:
            return {409, "cancelled"};
        case Errc::corrupted:
        case Errc::io:
            return {500, "internal_error"};
    }
    return {500, "internal_error"};
}

http::Response answer_of(int status, std::string_view code, std::string_view message, const std::string& detail) {
    json::Object body;
    body.emplace("error", code);
    body.emplace("message", message);
    if (!detail.empty()) {
        if (auto parsed = json::parse(detail)) body.emplace("detail", std::move(*parsed));
    }
    return json_answer(status, json::Value(std::move(body)));
}

http::Response retry_answer(int status, const Error& error, const std::string& seconds) {
    json::Object body;
    body.emplace("error", error.reason());
    body.emplace("message", error.message());
    std::int64_t number = 1;
    std::from_chars(seconds.data(), seconds.data() + seconds.size(), number);
    body.emplace("retry_after", number);
    http::Response response = json_answer(status, json::Value(std::move(body)));
    response.headers.set("Retry-After", seconds);
    return response;
}

std::string detail_text(const json::Faults& faults) {
    json::Array detail;
    for (const json::Fault& fault : faults) {
        json::Object item;
        item.emplace("field", fault.field);
        item.emplace("message", fault.message);
        detail.push_back(std::move(item));
    }
    return json::serialize(detail);
}

}  // namespace

http::Response json_answer(int status, const json::Value& value) {
    http::Response response;
    response.status = status;
    response.headers.set("Content-Type", "application/json");
    response.body = json::serialize(value);
    return response;
}

http::Response json_text_answer(std::string text) {
    http::Response response;
    response.headers.set("Content-Type", "application/json");
    response.body = std::move(text);
    return response;
}

http::Response list_answer(std::string_view name, const std::vector<std::string>& items, std::int64_t total) {
    return json_text_answer(fmt::format(R"({{"{}":[{}],"total":{}}})", name, fmt::join(items, ","), total));
}

http::Response message_answer(int status, std::string_view message) {
    json::Object body;
    body.emplace("message", message);
    return json_answer(status, json::Value(std::move(body)));
}

http::Response no_content() {
    http::Response response;
    response.status = 204;
    return response;
}

Error problem(int status, std::string_view code, std::string message) {
    return Error(errc_of(status), std::move(message)).with_reason(code).with_fact(kStatusFact, std::to_string(status));
}

Error problem(const json::Faults& faults) {
    return problem(400, "validation_error", json::to_error(faults).message())
        .with_fact(kDetailFact, detail_text(faults));
}

Error rule_broken(std::string_view code, std::string_view field, std::string message) {
    const json::Faults faults{{std::string(field), message}};
    return rules_broken(code, std::move(message), faults);
}

Error rules_broken(std::string_view code, std::string message, const json::Faults& faults) {
    return problem(422, code, std::move(message)).with_fact(kDetailFact, detail_text(faults));
}

Error not_found(std::string_view what) {
    return problem(404, "not_found", std::string("there is no such ").append(what));
}

Error conflict(std::string_view code, std::string message) { return problem(409, code, std::move(message)); }

Error conflict(std::string_view code, std::string message, const json::Faults& faults) {
    return conflict(code, std::move(message)).with_fact(kDetailFact, detail_text(faults));
}

Error too_many(std::string_view code, std::string message, std::int64_t retry_after_s) {
    return problem(429, code, std::move(message)).with_fact(kRetryFact, std::to_string(retry_after_s));
}

bool is_problem(const Error& error) { return error.facts().contains(kStatusFact); }

http::Response error_answer(const Error& error) {
    const auto& facts = error.facts();
    const auto detail = facts.find(kDetailFact);
    const std::string detail_json = detail == facts.end() ? "" : detail->second;
    if (const auto fact = facts.find(kStatusFact); fact != facts.end()) {
        int status = 500;
        std::from_chars(fact->second.data(), fact->second.data() + fact->second.size(), status);
        const auto retry = facts.find(kRetryFact);
        if (retry != facts.end()) return retry_answer(status, error, retry->second);
        return answer_of(status, error.reason(), error.message(), detail_json);
    }
    const Shown shown = shown_as(error.code());
    const bool ours = shown.status == 500;
    return answer_of(shown.status, error.reason().empty() || ours ? shown.code : std::string_view(error.reason()),
                     ours ? "something went wrong here; the log has more under this request's id" : error.message(),
                     detail_json);
}

http::Response error_answer(int status, std::string_view code, std::string_view message) {
    return answer_of(status, code, message, "");
}

}  // namespace backstay::api
