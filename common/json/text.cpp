#include "common/json/text.h"

#include <fmt/format.h>

#include <iterator>

namespace backstay::json::detail {
namespace {

bool stands_for_itself(char c) { return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20; }

void write_escaped(std::string& out, char c) {
    switch (c) {
        case '"':
            out += "\\\"";
            return;
        case '\\':
            out += "\\\\";
            return;
        case '\b':
            out += "\\b";
            return;
        case '\f':
            out += "\\f";
            return;
        case '\n':
            out += "\\n";
            return;
        case '\r':
            out += "\\r";
            return;
        case '\t':
            out += "\\t";
            return;
        default:
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    }
}

}  // namespace

void write_string(std::string& out, std::string_view text) {
    out += '"';
    std::size_t begin = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (stands_for_itself(text[at])) continue;
        out += text.substr(begin, at - begin);
        write_escaped(out, text[at]);
        begin = at + 1;
    }
    out += text.substr(begin);
    out += '"';
}

void write_value(std::string& out, const boost::json::value& value) { out += boost::json::serialize(value); }

}  // namespace backstay::json::detail
