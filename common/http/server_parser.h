// Reads one request from bytes as they come: policy scan, then Boost.Beast's parser, then the rules over the fields.
// No I/O. One object per request; loop thread. Part of the server only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/http/message.h"
#include "common/http/server.h"
#include "common/http/server_policy.h"

namespace backstay::http {

class RequestReader {
public:
    enum class Progress { more, head, complete, refused };

    // `streamed_body` as in Server::Options; it outlives this.
    using StreamedBody = std::function<std::optional<std::uint64_t>(const Request&)>;
    RequestReader(const ServerLimits& limits, const StreamedBody& streamed_body);
    ~RequestReader();
    RequestReader(const RequestReader&) = delete;
    RequestReader& operator=(const RequestReader&) = delete;

    // Takes bytes from the front of `bytes`. `head` is answered once, when a body is still to come; call again.
    // After `complete` or `refused` only the accessors may be called.
    Progress feed(std::string_view& bytes);

    const Refusal& refusal() const;
    // After `complete`, or after `head` when the body is streamed: take_body() then answers what each feed() brought.
    Request take_request();
    bool streams_body() const;
    std::string take_body();
    bool complete() const;
    bool keep_alive() const;
    bool http_1_0() const;
    bool expects_continue() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace backstay::http
