#include "common/hex.h"

#include <string_view>

namespace backstay {

void append_hex(std::string& out, ByteSpan bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (const std::byte byte : bytes) {
        const auto value = std::to_integer<unsigned>(byte);
        out += kDigits[value >> 4U];
        out += kDigits[value & 15U];
    }
}

}  // namespace backstay
