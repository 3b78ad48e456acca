#include "storage/s3/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "common/http/message.h"

namespace backstay::s3 {

namespace {

bool is_host_name(std::string_view host) {
    return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
               c == '_';
    });
}

bool is_bracketed_ipv6(std::string_view host) {
    return host.size() > 4 && host.front() == '[' && host.back() == ']' &&
           host.find_first_not_of("0123456789abcdefABCDEF:.", 1) == host.size() - 1;
}

bool fits_host_name(std::string_view bucket, bool tls) {
    return bucket.size() <= 63 && std::all_of(bucket.begin(), bucket.end(), [&](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || (c == '.' && !tls);
           });
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view url) {
    const Error refused(Errc::invalid, "must be https://host[:port] or http://host[:port]");
    Endpoint endpoint;
    if (url.starts_with("https://")) {
        url.remove_prefix(8);
    } else if (url.starts_with("http://")) {
        url.remove_prefix(7);
        endpoint.tls = false;
    } else {
        return refused;
    }
    if (url.ends_with('/')) url.remove_suffix(1);
    const std::size_t colon = url.ends_with(']') ? url.npos : url.rfind(':');
    const std::string_view host = url.substr(0, colon);
    if (!is_host_name(host) && !is_bracketed_ipv6(host)) return refused;
    endpoint.authority = host;
    if (colon == url.npos) return endpoint;
    const std::string_view digits = url.substr(colon + 1);
    unsigned port = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (failed != std::errc() || end != digits.data() + digits.size() || port == 0 || port > 65535) return refused;
    // Clients leave the default port out of the Host header, and what is signed must be what is sent.
    if (port != (endpoint.tls ? 443U : 80U)) endpoint.authority += fmt::format(":{}", port);
    return endpoint;
}

std::string Address::path(std::string_view key) const { return root + http::percent_encode(key, true); }

Result<Address> find_address(const S3Config& config) {
    const std::string url = config.endpoint.empty() ? fmt::format("https://s3.{}.amazonaws.com{}", config.region,
                                                                  config.region.starts_with("cn-") ? ".cn" : "")
                                                    : config.endpoint;
    const Endpoint endpoint = TRY(parse_endpoint(url).context("endpoint"));
    const bool ip =
        endpoint.authority.front() == '[' || endpoint.authority.find_first_not_of("0123456789.:") == std::string::npos;
    if (config.path_style || ip || !fits_host_name(config.bucket, endpoint.tls)) {
        return Address{endpoint.tls, endpoint.authority,
                       fmt::format("/{}/", http::percent_encode(config.bucket, false))};
    }
    return Address{endpoint.tls, fmt::format("{}.{}", config.bucket, endpoint.authority), "/"};
}

}  // namespace backstay::s3
