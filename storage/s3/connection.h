// Signed requests to one bucket: sends, classifies what is refused, repeats what may be repeated, and puts its own
// clock right by the server's. Blocking; one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "common/bytes.h"
#include "common/http/client.h"
#include "storage/destination.h"
#include "storage/s3/endpoint.h"
#include "storage/s3/signer.h"

namespace backstay::s3 {

struct Call {
    std::string method = "GET";
    std::string key;  // whole, with the destination's prefix; "" is the bucket
    Query query;
    http::Headers headers;

    std::string body;
    // Instead of `body`, with payload_sha256: bytes that outlive the call, or a source that each attempt reads anew.
    ByteSpan bytes;
    std::function<std::unique_ptr<Source>()> source;
    std::uint64_t source_bytes = 0;
    std::string payload_sha256;

    Sink* into = nullptr;  // takes the body of a success
    std::function<Result<>(const http::ClientResponse&)> on_head;
    // Looks at a success and may still call it a failure (its error decides whether the call is repeated).
    std::function<Result<>(const http::ClientResponse&)> accept;
    std::uint64_t stall_ms = 0;  // 0: the usual
    bool clean_up = false;       // goes on after a stop request, but not for long
};

class Connection {
public:
    // `config` is checked already (find_address).
    Connection(Address address, const S3Config& config, const StorageContext& context);

    // The answer with a status of 2xx, or the error that it means. Facts: refusal.h.
    Result<http::ClientResponse> once(const Call& call);
    // The same with the patience that a piece of an upload deserves.
    Result<http::ClientResponse> persist(const Call& call);

    // Waits before attempt `attempt` + 1 of something that the caller repeats itself; cancelled by a stop request.
    Result<> pause(int attempt);

    // A URL for a GET without credentials.
    std::string presigned_get(std::string_view key, Query query, std::uint32_t seconds) const;

    TimeMs now_ms() const;                                // of the server, as far as it told
    int attempts_made() const { return attempts_made_; }  // by the last persist()
    const Patience& patience() const { return patience_; }

private:
    Result<http::ClientResponse> attempt(const Call& call);
    bool adjust_clock(const http::ClientResponse& response);
    http::ClientRequest prepare(const Call& call, Source* source) const;

    Address address_;
    Credentials credentials_;
    Patience patience_;
    std::stop_token stop_;
    http::Client client_;
    std::int64_t clock_offset_ms_ = 0;
    int attempts_made_ = 0;
    std::uint64_t retry_after_ms_ = 0;  // asked for by the last answer
};

}  // namespace backstay::s3
