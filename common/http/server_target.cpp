#include <algorithm>
#include <optional>

#include "common/http/server_policy.h"

namespace backstay::http {

namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// How many octets follow this first one, or -1; `low` and `high` bound the second octet (RFC 3629 section 4).
int sequence_tail(unsigned char first, unsigned char& low, unsigned char& high) {
    low = 0x80;
    high = 0xbf;
    if (first < 0x80) return 0;
    if (first >= 0xc2 && first <= 0xdf) return 1;
    if (first >= 0xe0 && first <= 0xef) {
        if (first == 0xe0) low = 0xa0;
        if (first == 0xed) high = 0x9f;
        return 2;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        if (first == 0xf0) low = 0x90;
        if (first == 0xf4) high = 0x8f;
        return 3;
    }
    return -1;
}

bool valid_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        unsigned char low = 0;
        unsigned char high = 0;
        const int tail = sequence_tail(static_cast<unsigned char>(text[at++]), low, high);
        if (tail < 0 || text.size() - at < static_cast<std::size_t>(tail)) return false;
        for (int i = 0; i < tail; ++i) {
            const auto octet = static_cast<unsigned char>(text[at++]);
            if (octet < low || octet > high) return false;
            low = 0x80;
            high = 0xbf;
        }
    }
    return true;
}

enum class Plus { literal, space };

std::optional<std::string> decode(std::string_view text, Plus plus) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        char c = text[at];
        if (c == '+' && plus == Plus::space) c = ' ';
        if (text[at] == '%') {
            if (text.size() - at < 3) return std::nullopt;
            const int high = hex_digit(text[at + 1]);
            const int low = hex_digit(text[at + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            c = static_cast<char>(high * 16 + low);
            at += 2;
        }
        if (c == '\0') return std::nullopt;
        decoded += c;
    }
    if (!valid_utf8(decoded)) return std::nullopt;
    return decoded;
}

bool decode_query(std::string_view text, Request& request) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('&'), text.size());
        const std::string_view pair = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (pair.empty()) continue;
        const std::size_t equals = std::min(pair.find('='), pair.size());
        std::optional<std::string> name = decode(pair.substr(0, equals), Plus::space);
        std::optional<std::string> value = decode(pair.substr(std::min(equals + 1, pair.size())), Plus::space);
        if (!name || !value) return false;
        request.query.emplace_back(std::move(*name), std::move(*value));
    }
    return true;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text) { return decode(text, Plus::literal); }

bool decode_target(Request& request) {
    const std::string_view target = request.target;
    const std::size_t mark = std::min(target.find('?'), target.size());
    std::optional<std::string> path = decode(target.substr(0, mark), Plus::literal);
    if (!path) return false;
    for (const char c : *path) {
        if ((c >= 0 && c < 0x20) || c == 0x7f) return false;
    }
    request.path = std::move(*path);
    return decode_query(target.substr(std::min(mark + 1, target.size())), request);
}

}  // namespace backstay::http
