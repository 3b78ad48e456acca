#include "control-plane/api/call.h"

#include <algorithm>
#include <cassert>
#include <charconv>

namespace backstay::api {
namespace {

Result<std::int64_t> whole_number(const Call& call, std::string_view name, std::int64_t absent) {
    const std::string* text = call.request.query_value(name);
    if (text == nullptr) return absent;
    std::int64_t number = 0;
    const char* end = text->data() + text->size();
    const auto [stopped, fault] = std::from_chars(text->data(), end, number);
    if (fault != std::errc{} || stopped != end || number < 0) {
        return problem(400, "invalid_parameter", std::string(name) + " must be a whole number, not negative");
    }
    return number;
}

}  // namespace

const std::string& Call::param(std::string_view name) const {
    const auto found = params.find(name);
    assert(found != params.end());
    return found->second;
}

std::string request_line(const http::Request& request) { return request.method + " " + request.path; }

std::string query_of(const Call& call, std::string_view name) {
    const std::string* text = call.request.query_value(name);
    return text != nullptr ? *text : std::string();
}

Result<json::Value> body_value(const Call& call) {
    if (call.request.body.empty()) return json::Value(json::Object{});
    const std::string_view type = call.request.headers.get("Content-Type");
    const std::string_view media = type.substr(0, type.find(';'));
    // curl -d calls everything a form; no browser's form can carry a credential here.
    const bool stated = !media.empty() && media != "application/x-www-form-urlencoded";
    if (stated && media.find("json") == std::string_view::npos) {
        return problem(415, "unsupported_media_type", "the body must be application/json");
    }
    auto value = json::parse(call.request.body);
    if (!value) return problem(400, "invalid_json", value.error().message());
    return value;
}

Result<store::Page> page_of(const Call& call, std::int64_t usual, std::int64_t most) {
    const std::int64_t limit = TRY(whole_number(call, "limit", usual));
    const std::int64_t offset = TRY(whole_number(call, "offset", 0));
    return store::Page{limit == 0 ? usual : std::min(limit, most), offset};
}

Result<std::string> choice_of(const Call& call, std::string_view name, std::initializer_list<std::string_view> values) {
    std::string text = query_of(call, name);
    if (text.empty() || std::find(values.begin(), values.end(), text) != values.end()) return text;
    std::string allowed;
    for (const std::string_view value : values) allowed.append(allowed.empty() ? "" : ", ").append(value);
    return problem(400, "invalid_parameter", std::string(name) + " must be one of " + allowed);
}

}  // namespace backstay::api
