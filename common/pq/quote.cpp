#include "common/pq/quote.h"

namespace backstay::pq {

std::string quote_identifier(std::string_view name) {
    std::string quoted = "\"";
    for (const char character : name) {
        if (character == '"') quoted += '"';
        quoted += character;
    }
    return quoted + '"';
}

std::string quote_literal(std::string_view text) {
    std::string quoted = text.find('\\') == std::string_view::npos ? "'" : "E'";
    for (const char character : text) {
        if (character == '\'' || character == '\\') quoted += character;
        quoted += character;
    }
    return quoted + '\'';
}

}  // namespace backstay::pq
