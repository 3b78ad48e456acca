// An HTTP/1.1 server on the event loop: TCP, Unix socket, optional TLS. libuv connections, Boost.Beast's parser without
// its I/O, a strict request policy before and after it (a request that two readers could understand differently is
// refused). Everything here belongs to the loop thread unless it says otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/event/loop.h"
#include "common/http/message.h"
#include "common/result.h"

namespace backstay::http {

struct ServerLimits {
    std::size_t head_bytes = 16 * 1024;
    std::size_t body_bytes = 1024 * 1024;          // larger: 413
    std::uint64_t head_ms = 10'000;                // from the first byte (or accept) to the end of the head: 408, close
    std::uint64_t body_ms = 30'000;                // for the whole body: 408, close
    std::uint64_t idle_ms = 75'000;                // between requests of a kept connection
    std::uint64_t write_stall_ms = 60'000;         // a peer that takes nothing for so long is cut
    std::size_t connections = 20'000;              // more are closed at accept
    std::size_t stream_buffer_bytes = 256 * 1024;  // unsent bytes of one event stream before it is cut
};

// TLS 1.2+ with this certificate chain and key (PEM files), re-read on reload_tls().
struct TlsFiles {
    std::string certificate_file;
    std::string key_file;
};

// One answer that is written piece by piece (server-sent events, large downloads).
// Kept by whoever feeds it; harmless after the peer has gone.
class ResponseStream {
public:
    virtual ~ResponseStream() = default;
    // False when the peer has gone or its buffer limit was passed (then the connection is cut); nothing more will be
    // sent.
    virtual bool write(std::string_view bytes) = 0;
    // Unsent bytes; a feeder of much data waits for on_drain when this grows.
    virtual std::size_t buffered() const = 0;
    virtual void on_drain(std::function<void()> callback) = 0;
    // Called once, from the loop, when the peer closes or is cut; not after end(), nor when write() answered false.
    virtual void on_closed(std::function<void()> callback) = 0;
    // Completes the answer; the connection may be used again.
    virtual void end() = 0;
};

// A piece of a request's body that is read as it comes.
struct BodyPiece {
    std::string bytes;
    bool end = false;     // nothing follows
    bool broken = false;  // the peer left, stalled, or sent what is no body: nobody can be answered any more
};

// One request in flight. Answer exactly once: respond(), or open_stream(). Destroyed unanswered, it answers 500.
class Exchange {
public:
    virtual ~Exchange() = default;
    virtual const Request& request() const = 0;
    // The same, for the caller to own; request() may be empty from then on.
    virtual Request take_request() = 0;
    // Never calls the handler: the next request of the connection comes from the loop.
    virtual void respond(Response response) = 0;
    // Sends status and headers now; the body follows chunked. HEAD and HTTP/1.0 are handled by the server.
    virtual std::unique_ptr<ResponseStream> open_stream(Response head) = 0;
    // Called once if the peer goes away before the answer; a parked long poll uses it to let go.
    virtual void on_abandoned(std::function<void()> callback) = 0;
    // Of a request whose body is streamed (Server::Options::streamed_body): calls back with the next piece, at most
    // some 100 KiB, later and once. Until it is called, the peer is held back; one call at a time. An answer before the
    // end of the body ends the connection. Other requests have only an end.
    virtual void read_body(std::function<void(BodyPiece)> callback) = 0;
};

using Handler = std::function<void(std::unique_ptr<Exchange>)>;

class Server {
public:
    // Makes the body of errors that the server itself answers (400, 408, 413, 414, 431, 501, 505): `code` is a stable
    // word.
    using ErrorBody = std::function<Response(int status, std::string_view code, std::string_view message)>;

    struct Options {
        ServerLimits limits;
        const TlsFiles* tls = nullptr;  // read during listen; null: plain
        ErrorBody error_body;           // empty: plain text
        // Asked when a head has come: how large a body may be that its handler reads by Exchange::read_body instead of
        // finding it in Request::body. nullopt, or an empty function: it is gathered as always.
        std::function<std::optional<std::uint64_t>(const Request&)> streamed_body = {};
    };

    static Result<std::unique_ptr<Server>> create(Loop& loop, Options options, Handler handler);
    virtual ~Server() = default;

    // "127.0.0.1", "::1", "0.0.0.0" …; port 0 lets the system choose. Answers the port.
    virtual Result<std::uint16_t> listen_tcp(const std::string& address, std::uint16_t port) = 0;
    // A stale socket file is removed only if it is a socket and nobody answers on it; another file is a conflict.
    // `group` empty: the group of the process. Mode is set before anybody can connect.
    virtual Result<> listen_unix(const std::string& path, unsigned mode, const std::string& group) = 0;
    // Reads the certificate again for new connections; keeps the old one when it cannot.
    virtual Result<> reload_tls() = 0;
    // Stops accepting, lets answers in flight finish for at most `grace_ms`, then closes all; `done` runs on the loop.
    virtual void stop(std::uint64_t grace_ms, std::function<void()> done) = 0;
    virtual std::size_t open_connections() const = 0;
};

}  // namespace backstay::http
