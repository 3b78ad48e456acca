#include "common/http/server_policy.h"

#include <algorithm>
#include <array>

namespace backstay::http {

namespace {

constexpr int kMaxFields = 100;

std::optional<Refusal> bad(std::string_view message) { return Refusal{400, "bad_request", message}; }

bool same_word(std::string_view text, std::string_view lower_case) {
    return std::equal(text.begin(), text.end(), lower_case.begin(), lower_case.end(), [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
}

bool all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool host_character(char c) {
    constexpr std::string_view kOthers = "-._~!$&'()*+;=:[]%";
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
}

// How many characters at the front are such as most of a head is made of.
std::size_t plain_run(std::string_view bytes) {
    const auto end =
        std::find_if(bytes.begin(), bytes.end(), [](char c) { return static_cast<unsigned char>(c) <= 0x20; });
    return static_cast<std::size_t>(end - bytes.begin());
}

}  // namespace

HeadScan::State HeadScan::scan(std::string_view bytes, std::size_t& used) {
    for (used = 0; used < bytes.size();) {
        const char c = bytes[used++];
        if (c == '\0') return refuse("a NUL byte in the head");
        if (previous_ == '\r' && c != '\n') return refuse("a CR without LF in the head");
        if (c == '\n') {
            if (previous_ != '\r') return refuse("an LF without CR in the head");
            if (line_bytes_ == 0 && !first_line_) return State::end;
            if (line_bytes_ == 0) return refuse("an empty line where a request should begin");
            line_bytes_ = 0;
            first_line_ = false;
        } else if (c != '\r') {
            if (line_bytes_ == 0 && (c == ' ' || c == '\t')) return refuse("a line that begins with white space");
            const std::size_t run = plain_run(bytes.substr(used));
            used += run;
            line_bytes_ += 1 + run;
        }
        previous_ = c;
    }
    return State::more;
}

std::optional<Refusal> check_request_line(std::string_view line) {
    constexpr std::array<std::string_view, 7> kMethods = {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"};
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) return bad("a request line without three parts");
    const std::string_view method = line.substr(0, first);
    const std::string_view target = line.substr(first + 1, last - first - 1);
    const std::string_view version = line.substr(last + 1);
    if (target.empty() || target.find(' ') != std::string_view::npos) return bad("white space in the request line");
    if (!std::all_of(target.begin(), target.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '#'; })) {
        return bad("a character in the target that must be encoded");
    }
    if (version.size() != 8 || !version.starts_with("HTTP/") || !all_digits(version.substr(5, 1)) ||
        version[6] != '.' || !all_digits(version.substr(7))) {
        return bad("a version that is not HTTP/1.1");
    }
    if (version != "HTTP/1.1" && version != "HTTP/1.0") {
        return Refusal{505, "version_not_supported", "this server speaks HTTP/1.1"};
    }
    if (method.empty() || !std::all_of(method.begin(), method.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) {
        return bad("a method that is not a word of capital letters");
    }
    if (std::find(kMethods.begin(), kMethods.end(), method) == kMethods.end()) {
        return Refusal{501, "method_not_implemented", "this method is not implemented"};
    }
    if (target[0] != '/' && !(target == "*" && method == "OPTIONS")) return bad("a target that is not a path");
    return std::nullopt;
}

std::optional<Refusal> FieldRules::add(std::string_view name, std::string_view value) {
    if (++fields_ > kMaxFields) return Refusal{431, "head_too_large", "too many header fields"};
    for (const char c : value) {
        if ((c >= 0 && c < 0x20 && c != '\t') || c == 0x7f) return bad("a control character in a header field");
    }
    if (same_word(name, "host")) {
        ++hosts_;
        if (value.empty() || !std::all_of(value.begin(), value.end(), host_character)) return bad("an invalid Host");
    } else if (same_word(name, "content-length")) {
        ++lengths_;
        if (!all_digits(value) || value.size() > 19) return bad("an invalid Content-Length");
    } else if (same_word(name, "transfer-encoding")) {
        ++codings_;
        if (!same_word(value, "chunked")) {
            return Refusal{501, "coding_not_implemented", "the only transfer coding accepted is chunked"};
        }
    } else if (same_word(name, "expect")) {
        if (!same_word(value, "100-continue")) return Refusal{417, "expectation_failed", "an unknown expectation"};
        expects_continue_ = true;
    }
    return std::nullopt;
}

std::optional<Refusal> FieldRules::verdict(bool http_1_0) const {
    if (hosts_ > 1 || (hosts_ == 0 && !http_1_0)) return bad("there must be exactly one Host");
    if (lengths_ > 1) return bad("more than one Content-Length");
    if (codings_ > 1) return bad("more than one Transfer-Encoding");
    if (codings_ != 0 && lengths_ != 0) return bad("Transfer-Encoding beside Content-Length");
    if (codings_ != 0 && http_1_0) return bad("Transfer-Encoding in HTTP/1.0");
    return std::nullopt;
}

}  // namespace backstay::http
