// Where requests go: the host that is signed, and the URL of a key in either way of addressing a bucket.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"
#include "storage/destination.h"

namespace backstay::s3 {

struct Endpoint {
    bool tls = true;
    std::string authority;  // "host" or "host:port" as it stands in the Host header: no default port
};

// "https://host[:port]" or "http://host[:port]"; IPv6 in brackets; no user, path, query or fragment but a lone "/".
Result<Endpoint> parse_endpoint(std::string_view url);

// Host header and encoded path of requests, by the configuration's way of addressing.
struct Address {
    bool tls = true;
    std::string host;
    std::string root;  // encoded: "/" or "/bucket/"

    std::string origin() const { return (tls ? "https://" : "http://") + host; }
    // The path of an object; "" is the bucket itself.
    std::string path(std::string_view key) const;
};

// A bucket that cannot be a host name (upper case, underscores, or dots under TLS, where no wildcard certificate
// matches) is put into the path whatever the configuration says.
Result<Address> find_address(const S3Config& config);

}  // namespace backstay::s3
