#include "control-plane/notify/webhook.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "common/crypto/hmac.h"

namespace backstay::notify {
namespace {

constexpr std::uint64_t kTotalMs = 15'000;
constexpr std::size_t kAnswerMost = 64 * 1024;
constexpr std::size_t kUrlMost = 2000;

Error refused(std::string_view code, std::string message) {
    return Error(Errc::invalid, std::move(message)).with_reason(code);
}

// The host of "https://host:port/path", without brackets; empty: none, or with a user.
std::string host_of(std::string_view rest) {
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    if (authority.find('@') != authority.npos) return "";
    if (authority.starts_with('[')) {
        const std::size_t end = authority.find(']');
        return end == authority.npos ? "" : std::string(authority.substr(1, end - 1));
    }
    return std::string(authority.substr(0, authority.find(':')));
}

bool is_out_of_bounds(const std::string& host, http::AddressRule rule) {
    if (rule == http::AddressRule::only_public && (host == "localhost" || host.ends_with(".localhost"))) return true;
    sockaddr_in four{};
    four.sin_family = AF_INET;
    sockaddr address{};
    if (::inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1) {
        std::memcpy(&address, &four, sizeof address);
        return !http::may_connect(rule, address);
    }
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    if (::inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) == 1) {
        // may_connect reads as much as the family says.
        return !http::may_connect(rule, *reinterpret_cast<const sockaddr*>(&six));  // NOLINT
    }
    return false;
}

}  // namespace

std::string sign(std::string_view secret, std::int64_t timestamp, std::string_view body) {
    const std::string digest = hmac_sha256(secret, fmt::format("{}.{}", timestamp, body));
    std::string text = "sha256=";
    for (const char byte : digest) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return text;
}

Sent call_webhook(http::Client& client, const std::string& url, std::string_view secret,
                  const alerts::Delivery& delivery, TimeMs now, const std::stop_token& stop) {
    http::ClientRequest request;
    request.method = "POST";
    request.url = url;
    request.body = delivery.body;
    request.total_ms = kTotalMs;
    request.body_limit = kAnswerMost;
    request.stop = stop;
    const std::int64_t timestamp = now / 1000;
    request.headers.set("Content-Type", "application/json");
    request.headers.set("X-Backstay-Event", delivery.event);
    request.headers.set("X-Backstay-Delivery", delivery.id);
    request.headers.set("X-Backstay-Timestamp", std::to_string(timestamp));
    request.headers.set("X-Backstay-Signature", sign(secret, timestamp, delivery.body));
    const auto answer = client.perform(request);
    if (!answer) {
        const bool out_of_bounds = answer.error().facts().contains(http::kAddressRefused);
        return {std::nullopt, answer.error().message(), out_of_bounds || answer.error().code() == Errc::invalid};
    }
    if (answer->status >= 200 && answer->status < 300) return {answer->status, "", false};
    if (answer->status >= 300 && answer->status < 400) {
        return {answer->status, "redirects are not followed", false};
    }
    return {answer->status, fmt::format("the receiver answered {}", answer->status), answer->status == 410};
}

Result<> check_url(std::string_view url, http::AddressRule rule) {
    const bool plain = url.starts_with("http://");
    if (!plain && !url.starts_with("https://")) return refused("invalid_url", "must be an https URL");
    if (plain && rule == http::AddressRule::only_public) return refused("invalid_url", "must be an https URL");
    const bool odd = std::any_of(url.begin(), url.end(), [](char c) { return c <= ' ' || c > '~' || c == '\\'; });
    const std::string host = host_of(url.substr(url.find("//") + 2));
    if (odd || host.empty() || url.size() > kUrlMost) {
        return refused("invalid_url",
                       "must be a URL of at most 2000 printable ASCII characters with a host and no user");
    }
    if (is_out_of_bounds(host, rule)) {
        return refused("target_not_allowed", "loopback, private and link-local addresses are not called from here");
    }
    return {};
}

}  // namespace backstay::notify
