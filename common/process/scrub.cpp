#include "common/process/scrub.h"

#include <algorithm>
#include <cctype>

namespace backstay {
namespace {

constexpr std::string_view kMask = "***";
constexpr std::size_t kShortestSecret = 4;

bool ends_value(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0 || c == '&' || c == ',' || c == ';'; }

void mask_word(std::string& text, const std::string& secret) {
    for (std::size_t at = 0; (at = text.find(secret, at)) != std::string::npos; at += kMask.size()) {
        text.replace(at, secret.size(), kMask);
    }
}

// "password=secret", "password='two words'"
void mask_value(std::string& text, std::string_view key) {
    for (std::size_t at = 0; (at = text.find(key, at)) != std::string::npos;) {
        std::size_t first = at + key.size();
        std::size_t last = first;
        if (first < text.size() && (text[first] == '\'' || text[first] == '"')) {
            const char quote = text[first++];
            last = std::min(text.find(quote, first), text.size());
        } else {
            while (last < text.size() && !ends_value(text[last])) ++last;
        }
        text.replace(first, last - first, kMask);
        at = first + kMask.size();
    }
}

void mask_url_password(std::string& text) {
    for (std::size_t at = 0; (at = text.find("://", at)) != std::string::npos;) {
        at += 3;
        std::size_t end = at;
        std::size_t at_sign = std::string::npos;
        while (end < text.size() && !ends_value(text[end]) && text[end] != '/') {
            if (text[end] == '@') at_sign = end;
            ++end;
        }
        if (at_sign == std::string::npos) continue;
        const std::size_t colon = text.find(':', at);
        if (colon < at_sign) text.replace(colon + 1, at_sign - colon - 1, kMask);
    }
}

}  // namespace

std::string scrub(std::string_view text, const std::vector<std::string>& secrets) {
    std::string clean(text);
    for (const std::string& secret : secrets) {
        if (secret.size() >= kShortestSecret) mask_word(clean, secret);
    }
    mask_value(clean, "password=");
    mask_value(clean, "passwd=");
    mask_url_password(clean);
    return clean;
}

}  // namespace backstay
