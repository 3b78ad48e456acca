#include "common/ids.h"

#include <sys/random.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "common/hex.h"

namespace backstay {
namespace {

void fill_random(unsigned char* out, std::size_t size) {
    std::size_t done = 0;
    while (done < size) {
        const ssize_t got = getrandom(out + done, size - done, 0);
        if (got <= 0) std::abort();
        done += static_cast<std::size_t>(got);
    }
}

std::string format_uuid(std::array<unsigned char, 16>& raw, unsigned version) {
    raw[6] = static_cast<unsigned char>((raw[6] & 0x0f) | (version << 4));
    raw[8] = static_cast<unsigned char>((raw[8] & 0x3f) | 0x80);
    std::string text;
    text.reserve(36);
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        append_hex(text, std::as_bytes(std::span(&raw[i], 1)));
    }
    return text;
}

}  // namespace

std::string new_uuid() {
    std::array<unsigned char, 16> raw{};
    fill_random(raw.data(), raw.size());
    return format_uuid(raw, 4);
}

std::string new_ordered_uuid() {
    std::array<unsigned char, 16> raw{};
    fill_random(raw.data(), raw.size());
    const auto now =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    for (std::size_t i = 0; i < 6; ++i) {
        raw[i] = static_cast<unsigned char>(static_cast<std::uint64_t>(now) >> (8 * (5 - i)));
    }
    return format_uuid(raw, 7);
}

bool is_uuid(std::string_view text) {
    if (text.size() != 36) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (dash ? c != '-' : !hex) return false;
    }
    return true;
}

std::string random_token(std::size_t bytes) {
    static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::vector<unsigned char> raw(bytes);
    fill_random(raw.data(), raw.size());
    std::string text;
    std::uint32_t bits = 0;
    int held = 0;
    for (const unsigned char byte : raw) {
        bits = (bits << 8) | byte;
        for (held += 8; held >= 6; held -= 6) text += kAlphabet[(bits >> (held - 6)) & 63];
    }
    if (held > 0) text += kAlphabet[(bits << (6 - held)) & 63];
    return text;
}

}  // namespace backstay
