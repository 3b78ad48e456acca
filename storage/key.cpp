#include <string>

#include "storage/storage.h"

namespace backstay {

namespace {

// The length of the well-formed UTF-8 sequence at `position`, 0 when there is none (RFC 3629: no overlong forms, no
// surrogates, nothing above U+10FFFF).
std::size_t sequence_length(std::string_view text, std::size_t position) {
    const auto at = [&](std::size_t offset) -> unsigned {
        return position + offset < text.size() ? static_cast<unsigned char>(text[position + offset]) : 0U;
    };
    const auto tail = [&](std::size_t offset) { return (at(offset) & 0xC0U) == 0x80U; };
    const unsigned lead = at(0);
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
        const bool overlong = lead == 0xE0 && at(1) < 0xA0;
        const bool surrogate = lead == 0xED && at(1) > 0x9F;
        return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        const bool overlong = lead == 0xF0 && at(1) < 0x90;
        const bool beyond = lead == 0xF4 && at(1) > 0x8F;
        return tail(1) && tail(2) && tail(3) && !overlong && !beyond ? 4 : 0;
    }
    return 0;
}

Error refused(std::string_view why) { return Error(Errc::invalid, "object key " + std::string(why)); }

}  // namespace

Result<> Storage::remove_all(const std::vector<std::string>& keys) {
    for (const std::string& key : keys) TRY(remove(key));
    return {};
}

Result<> check_key(std::string_view key) {
    if (key.empty()) return refused("is empty");
    if (key.size() > 1024) return refused("is longer than 1024 bytes");
    for (std::size_t at = 0; at < key.size();) {
        const auto byte = static_cast<unsigned char>(key[at]);
        if (byte < 0x20 || byte == 0x7F) return refused("has a control character");
        if (byte == '\\') return refused("has a backslash");
        const std::size_t length = sequence_length(key, at);
        if (length == 0) return refused("is not UTF-8");
        // U+0080 to U+009F are control characters too, in two bytes.
        if (byte == 0xC2 && static_cast<unsigned char>(key[at + 1]) < 0xA0) return refused("has a control character");
        at += length;
    }
    for (std::size_t start = 0; start <= key.size();) {
        const std::size_t slash = std::min(key.find('/', start), key.size());
        const std::string_view segment = key.substr(start, slash - start);
        if (segment.empty()) return refused("has an empty segment");
        if (segment == "." || segment == "..") return refused("has a '.' or '..' segment");
        start = slash + 1;
    }
    return {};
}

}  // namespace backstay
