// HTTP requests by libcurl: blocking, one call at a time per Client, TCP or Unix socket. Any thread, one at a time.
// TLS peers are verified always unless the caller says otherwise; redirects are never followed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "common/bytes.h"
#include "common/http/address_rule.h"
#include "common/http/message.h"
#include "common/result.h"

namespace backstay::http {

inline constexpr const char* kAddressRefused = "address_refused";

struct ClientOptions {
    std::string unix_socket;  // not empty: connect there, whatever the URL's host says
    std::string ca_file;      // PEM bundle; empty: the system's
    std::string ca_pem;       // the same as text, instead of a file; trusts nobody else
    bool verify_tls = true;
    // Any but `any` also keeps off proxies: one would connect for us, to whatever the name means to it.
    AddressRule address_rule = AddressRule::any;
    std::uint64_t connect_ms = 10'000;
    std::uint64_t stall_ms = 60'000;  // no byte in either direction for so long: timed_out
    std::string user_agent = "backstay";
};

struct ClientResponse {
    int status = 0;
    Headers headers;
    std::string body;
};

struct ClientRequest {
    std::string method = "GET";
    std::string url;  // sent as it is: the caller encodes
    Headers headers;
    std::string body;
    // Sends these bytes instead of `body`, without a copy; the caller keeps them until the call returns.
    ByteSpan body_bytes;
    // Streams the body instead of `body`, exactly so many bytes; without a size, in chunks until its end.
    Source* body_source = nullptr;
    std::uint64_t body_source_bytes = 0;
    bool body_source_unsized = false;
    // Takes the body of a 2xx answer piece by piece instead of ClientResponse::body; other answers still come in
    // `body`.
    Sink* body_sink = nullptr;
    // Sees status and headers of a 2xx answer before its first body byte (or at its end when it has none); an error
    // ends the call with it. The response's body is still empty then.
    std::function<Result<>(const ClientResponse&)> on_head;
    std::uint64_t total_ms = 0;        // whole exchange; 0: only the stall limit
    std::uint64_t stall_ms = 0;        // instead of ClientOptions::stall_ms; 0: that one
    std::size_t body_limit = 8 << 20;  // of ClientResponse::body; more is exhausted
    std::stop_token stop;              // a stop request ends the call with cancelled
};

// An answer of any status is a success here; an error means that there was none. unavailable: refused, reset, no name,
// no route, or the answer broke off; timed_out; denied: TLS verification failed, or no address that the rule allows
// (fact kAddressRefused); cancelled.
class Client {
public:
    explicit Client(ClientOptions options);
    ~Client();
    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;

    Result<ClientResponse> perform(const ClientRequest& request);
    // For text/event-stream and the like: `on_bytes` sees pieces as they arrive; false ends the call as a success.
    Result<ClientResponse> stream(const ClientRequest& request, const std::function<bool(std::string_view)>& on_bytes);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace backstay::http
