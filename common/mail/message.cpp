#include "common/mail/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "common/text.h"

namespace backstay::mail {
namespace {

constexpr std::size_t kAddressMost = 254;
constexpr std::size_t kSubjectMost = 300;
constexpr std::size_t kLineMost = 76;
constexpr std::size_t kWordBytes = 39;  // of UTF-8 in one encoded word: 52 characters of base64 and its frame

std::string base64(std::string_view bytes) {
    static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
        std::uint32_t group = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            group = (group << 8U) | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
        }
        for (std::size_t i = 0; i < 4; ++i) {
            out += i <= count ? kAlphabet[(group >> (18U - 6U * i)) & 63U] : '=';
        }
    }
    return out;
}

bool is_plain(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// RFC 2047: words of whole characters, folded.
std::string encoded(std::string_view text) {
    if (is_plain(text) && text.size() <= kLineMost && text.find("=?") == text.npos) return std::string(text);
    std::string out;
    while (!text.empty()) {
        const std::string word = cut_utf8(text, kWordBytes);
        if (word.empty()) break;  // no text at all: nothing of it is kept
        out += (out.empty() ? "" : "\r\n ") + fmt::format("=?UTF-8?B?{}?=", base64(word));
        text.remove_prefix(word.size());
    }
    return out;
}

std::string one_line(std::string_view text) {
    std::string out = cut_utf8(text, kSubjectMost);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
    return out;
}

std::string date_of(TimeMs time) {
    static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::time_t seconds = static_cast<std::time_t>(time / 1000);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    return fmt::format("{}, {} {} {} {:02}:{:02}:{:02} +0000", kDays.at(static_cast<std::size_t>(utc.tm_wday)),
                       utc.tm_mday, kMonths.at(static_cast<std::size_t>(utc.tm_mon)), utc.tm_year + 1900, utc.tm_hour,
                       utc.tm_min, utc.tm_sec);
}

}  // namespace

bool is_address(std::string_view text) {
    const std::size_t at = text.rfind('@');
    if (at == text.npos || at == 0 || at > 64 || at + 1 == text.size() || text.size() > kAddressMost) return false;
    const auto good = [](char c, std::string_view more) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || more.find(c) != more.npos;
    };
    const std::string_view local = text.substr(0, at);
    const std::string_view domain = text.substr(at + 1);
    return std::all_of(local.begin(), local.end(), [&](char c) { return good(c, ".!#$%&'*+-/=?^_`{|}~"); }) &&
           std::all_of(domain.begin(), domain.end(), [&](char c) { return good(c, ".-"); }) && local.front() != '-' &&
           domain.front() != '.' && domain.front() != '-';
}

Result<std::string> compose(const Message& message) {
    for (const std::string* address : {&message.from, &message.to}) {
        if (!is_address(*address)) return Error(Errc::invalid, "this is no mail address");
    }
    const bool named = !message.message_id.empty() && is_plain(message.message_id) &&
                       message.message_id.find_first_of(" <>@\"\\") == std::string::npos;
    if (!named) return Error(Errc::invalid, "this is no message id");
    const std::string domain = message.from.substr(message.from.rfind('@') + 1);
    std::string out;
    const auto field = [&](std::string_view name, std::string_view value) {
        out.append(name).append(": ").append(value).append("\r\n");
    };
    field("Date", date_of(message.date));
    field("From", message.from);
    field("To", message.to);
    field("Subject", encoded(one_line(message.subject)));
    field("Message-ID", "<" + message.message_id + "@" + domain + ">");
    field("Auto-Submitted", "auto-generated");
    field("MIME-Version", "1.0");
    field("Content-Type", "text/plain; charset=utf-8");
    field("Content-Transfer-Encoding", "base64");
    out += "\r\n";
    const std::string body = base64(message.body);
    for (std::size_t at = 0; at < body.size(); at += kLineMost) out.append(body, at, kLineMost).append("\r\n");
    return out;
}

}  // namespace backstay::mail
