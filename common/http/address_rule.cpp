#include "common/http/address_rule.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace backstay::http {
namespace {

enum class Kind { open, local, special };  // `local`: loopback, private, shared, and those of examples

struct Network4 {
    std::uint32_t first;
    int bits;
    Kind kind;
};

constexpr std::uint32_t ip(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
    return (a << 24U) | (b << 16U) | (c << 8U) | d;
}

// The first that fits counts.
constexpr std::array<Network4, 15> kNetworks4 = {{
    {ip(100, 100, 100, 200), 32, Kind::special},  // Alibaba's metadata
    {ip(168, 63, 129, 16), 32, Kind::special},    // Azure's
    {ip(0, 0, 0, 0), 8, Kind::special},
    {ip(169, 254, 0, 0), 16, Kind::special},
    {ip(224, 0, 0, 0), 3, Kind::special},   // multicast, reserved, broadcast
    {ip(192, 0, 0, 0), 24, Kind::special},  // protocols, and Oracle's metadata
    {ip(192, 0, 2, 0), 24, Kind::local},
    {ip(198, 51, 100, 0), 24, Kind::local},
    {ip(203, 0, 113, 0), 24, Kind::local},
    {ip(198, 18, 0, 0), 15, Kind::local},
    {ip(10, 0, 0, 0), 8, Kind::local},
    {ip(100, 64, 0, 0), 10, Kind::local},
    {ip(127, 0, 0, 0), 8, Kind::local},
    {ip(172, 16, 0, 0), 12, Kind::local},
    {ip(192, 168, 0, 0), 16, Kind::local},
}};

Kind kind_of(std::uint32_t address) {
    for (const Network4& network : kNetworks4) {
        if ((address ^ network.first) >> (32 - network.bits) == 0) return network.kind;
    }
    return Kind::open;
}

using Bytes16 = std::array<std::uint8_t, 16>;

bool begins(const Bytes16& address, std::initializer_list<std::uint8_t> prefix) {
    return std::equal(prefix.begin(), prefix.end(), address.begin());
}

Kind inner(const Bytes16& address, std::size_t at) {
    return kind_of(ip(address[at], address[at + 1], address[at + 2], address[at + 3]));
}

Kind kind_of(const Bytes16& address) {
    if (begins(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF})) return inner(address, 12);     // mapped
    if (begins(address, {0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) return inner(address, 12);  // NAT64
    if (begins(address, {0x20, 0x02})) return inner(address, 2);                                    // 6to4
    if (begins(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})) {
        const bool loopback = begins(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
        return loopback ? Kind::local : inner(address, 12);  // compatible; among them "::"
    }
    if (begins(address, {0xFD, 0x00, 0x0E, 0xC2})) return Kind::special;          // Amazon's metadata
    if (begins(address, {0xFD, 0x20, 0x00, 0xCE})) return Kind::special;          // Google's
    if ((address[0] & 0xFEU) == 0xFCU) return Kind::local;                        // fc00::/7
    if (address[0] == 0xFE && (address[1] & 0xC0U) == 0xC0U) return Kind::local;  // fec0::/10, site-local of old
    if (begins(address, {0x20, 0x01, 0x0D, 0xB8})) return Kind::local;            // documentation
    if (begins(address, {0x20, 0x01, 0x00, 0x00})) return Kind::special;          // Teredo
    return (address[0] & 0xE0U) == 0x20U ? Kind::open : Kind::special;            // 2000::/3 is what is routed
}

}  // namespace

bool may_connect(AddressRule rule, const sockaddr& address) {
    if (rule == AddressRule::any) return true;
    Kind kind = Kind::special;
    if (address.sa_family == AF_INET) {
        sockaddr_in four{};
        std::memcpy(&four, &address, sizeof four);
        kind = kind_of(ntohl(four.sin_addr.s_addr));
    } else if (address.sa_family == AF_INET6) {
        sockaddr_in6 six{};
        std::memcpy(&six, &address, sizeof six);
        Bytes16 bytes{};
        std::memcpy(bytes.data(), &six.sin6_addr, bytes.size());
        kind = kind_of(bytes);
    }
    return kind == Kind::open || (kind == Kind::local && rule == AddressRule::no_special);
}

}  // namespace backstay::http
