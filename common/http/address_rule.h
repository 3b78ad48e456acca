// Which addresses a client may connect to when somebody else chooses the host (server-side request forgery). Looked at
// when the socket is opened, with the very address that is connected to: what a name resolves to later changes nothing.
#pragma once

struct sockaddr;

namespace backstay::http {

enum class AddressRule {
    any,
    // Not: unspecified, link-local, multicast, broadcast, reserved, and the addresses under which clouds tell their
    // machines secrets.
    no_special,
    // Moreover not: loopback, private networks (RFC 1918, RFC 4193) and shared ones (RFC 6598).
    only_public,
};

// IPv4 inside IPv6 (mapped, compatible, NAT64, 6to4) counts as that IPv4 address. Other families than these two are
// allowed by `any` only.
bool may_connect(AddressRule rule, const sockaddr& address);

}  // namespace backstay::http
