#include "control-plane/browse/content.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <optional>

namespace backstay::browse {
namespace {

std::string quoted(std::string_view etag) {
    if (etag.starts_with('"')) return std::string(etag);
    return fmt::format("\"{}\"", etag);
}

std::string http_date(TimeMs at) {
    const std::time_t seconds = static_cast<std::time_t>(at / 1000);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[parts.tm_wday], parts.tm_mday,
                       kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

bool lists(std::string_view field, std::string_view etag) {
    if (field == "*") return true;
    for (std::size_t at = field.find(etag); at != std::string_view::npos; at = field.find(etag, at + 1)) {
        const std::string_view after = field.substr(at + etag.size());
        if (after.empty() || after.front() == ',' || after.front() == ' ') return true;
    }
    return false;
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

enum class Wish { whole, part, unsatisfiable };

// "bytes=first-last", "bytes=first-", "bytes=-count"; what is none of these counts as absent.
Wish read_range(std::string_view field, std::uint64_t size, std::uint64_t& first, std::uint64_t& last) {
    constexpr std::string_view kUnit = "bytes=";
    if (!field.starts_with(kUnit) || field.find(',') != std::string_view::npos) return Wish::whole;
    field.remove_prefix(kUnit.size());
    const std::size_t dash = field.find('-');
    if (dash == std::string_view::npos) return Wish::whole;
    const auto from = number(field.substr(0, dash));
    const auto to = number(field.substr(dash + 1));
    if (dash == 0) {
        if (!to) return Wish::whole;
        if (*to == 0 || size == 0) return Wish::unsatisfiable;
        first = size - std::min(size, *to);
        last = size - 1;
        return Wish::part;
    }
    if (!from || (!to && dash + 1 != field.size()) || (to && *to < *from)) return Wish::whole;
    if (*from >= size) return Wish::unsatisfiable;
    first = *from;
    last = to ? std::min(*to, size - 1) : size - 1;
    return Wish::part;
}

}  // namespace

std::string content_disposition(std::string_view name) {
    std::string plain;
    for (const char c : name) plain += c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '%' ? c : '_';
    return fmt::format("attachment; filename=\"{}\"; filename*=UTF-8''{}", plain, http::percent_encode(name, false));
}

ContentPlan plan_content(const http::Request& request, const ObjectInfo& object, std::string_view download_name) {
    ContentPlan plan;
    http::Headers& headers = plan.head.headers;
    const std::string etag =
        object.etag.empty() ? fmt::format("\"{}-{}\"", object.size_bytes, object.modified_at) : quoted(object.etag);
    headers.set("ETag", etag);
    headers.set("Last-Modified", http_date(object.modified_at));
    headers.set("Accept-Ranges", "bytes");
    if (lists(request.headers.get("If-None-Match"), etag)) {
        plan.head.status = 304;
        return plan;
    }
    headers.set("Content-Type", "application/octet-stream");
    headers.set("Content-Disposition", content_disposition(download_name));
    const std::string_view only_if = request.headers.get("If-Range");
    const bool ranged = only_if.empty() || only_if == etag;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    const Wish wish = ranged ? read_range(request.headers.get("Range"), object.size_bytes, first, last) : Wish::whole;
    if (wish == Wish::unsatisfiable) {
        plan.head.status = 416;
        headers.set("Content-Range", fmt::format("bytes */{}", object.size_bytes));
        return plan;
    }
    std::uint64_t length = object.size_bytes;
    if (wish == Wish::part) {
        plan.head.status = 206;
        plan.range = {first, last - first + 1};
        length = plan.range.count;
        headers.set("Content-Range", fmt::format("bytes {}-{}/{}", first, last, object.size_bytes));
    }
    headers.set("Content-Length", std::to_string(length));
    plan.has_body = length > 0;
    return plan;
}

}  // namespace backstay::browse
