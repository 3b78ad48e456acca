#include "common/text.h"

namespace backstay {

std::string cut_utf8(std::string_view text, std::size_t most_bytes) {
    if (text.size() <= most_bytes) return std::string(text);
    // Back from the middle of a character to its first byte.
    std::size_t end = most_bytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    return std::string(text.substr(0, end));
}

namespace {

// One character of UTF-8, or one byte that is none.
struct Character {
    char32_t code = 0;
    std::size_t bytes = 1;
    bool valid = false;
};

Character first_of(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text.front());
    if (lead < 0x80) return {lead, 1, true};
    const std::size_t bytes = lead >= 0xF0 && lead < 0xF5 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1;
    if (bytes == 1 || lead >= 0xF5 || text.size() < bytes) return {};
    auto code = static_cast<char32_t>(lead & (0xFFU >> (bytes + 1)));
    for (std::size_t i = 1; i < bytes; ++i) {
        const auto next = static_cast<unsigned char>(text[i]);
        if ((next & 0xC0U) != 0x80U) return {};
        code = (code << 6U) | (next & 0x3FU);
    }
    const bool too_long = (bytes == 3 && code < 0x800) || (bytes == 4 && (code < 0x10000 || code > 0x10FFFF));
    const bool surrogate = code >= 0xD800 && code < 0xE000;
    return too_long || surrogate ? Character{} : Character{code, bytes, true};
}

bool within(char32_t code, char32_t first, char32_t last) { return code >= first && code <= last; }

bool is_command(char32_t code) {
    return code < 0x20 || within(code, 0x7F, 0x9F) || within(code, 0x200E, 0x200F) || within(code, 0x2028, 0x202E) ||
           within(code, 0x2066, 0x2069);
}

std::size_t columns_of(char32_t code) {
    if (within(code, 0x300, 0x36F) || within(code, 0x200B, 0x200D) || within(code, 0xFE00, 0xFE0F)) return 0;
    const bool wide = within(code, 0x1100, 0x115F) || within(code, 0x2E80, 0xA4CF) || within(code, 0xAC00, 0xD7A3) ||
                      within(code, 0xF900, 0xFAFF) || within(code, 0xFE30, 0xFE6F) || within(code, 0xFF00, 0xFF60) ||
                      within(code, 0xFFE0, 0xFFE6) || within(code, 0x1F300, 0x1FAFF) || within(code, 0x20000, 0x3FFFD);
    return wide ? 2 : 1;
}

std::string cleaned(std::string_view text, bool lines) {
    std::string clean;
    clean.reserve(text.size());
    while (!text.empty()) {
        const Character one = first_of(text);
        const bool stays = one.valid && (!is_command(one.code) || (lines && one.code == '\n'));
        clean += stays ? text.substr(0, one.bytes) : std::string_view(" ");
        text.remove_prefix(one.bytes);
    }
    return clean;
}

}  // namespace

std::string printable(std::string_view text) { return cleaned(text, false); }

std::string printable_lines(std::string_view text) { return cleaned(text, true); }

std::size_t columns_of(std::string_view text) {
    std::size_t columns = 0;
    while (!text.empty()) {
        const Character one = first_of(text);
        columns += one.valid ? columns_of(one.code) : 1;
        text.remove_prefix(one.bytes);
    }
    return columns;
}

std::string cut_columns(std::string_view text, std::size_t most) {
    std::size_t bytes = 0;
    std::size_t columns = 0;
    while (bytes < text.size()) {
        const Character one = first_of(text.substr(bytes));
        columns += one.valid ? columns_of(one.code) : 1;
        if (columns > most) break;
        bytes += one.bytes;
    }
    return std::string(text.substr(0, bytes));
}

}  // namespace backstay
