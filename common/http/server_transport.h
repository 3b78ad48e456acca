// One accepted TCP or Unix socket connection: bytes in, bytes out, nothing of HTTP. Loop thread. Part of the server
// only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/result.h"

struct uv_stream_s;

namespace backstay::http {

class Transport {
public:
    class Events {
    public:
        virtual void on_bytes(std::string_view bytes) = 0;  // valid during the call only
        virtual void on_end() = 0;                          // the peer will send nothing more
        virtual void on_broken() = 0;                       // nothing can be sent or received any more
        virtual void on_sent() = 0;                         // queued bytes, or the FIN, were taken by the system
        virtual void on_closed() = 0;                       // the last call; the owner may destroy the transport in it

    protected:
        ~Events() = default;
    };

    // `read_buffer` is shared by all connections of a loop and must live until close().
    Transport(Events& events, std::span<char> read_buffer);
    // Only before accept(), or after on_closed().
    ~Transport();
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    // Takes the connection that waits at the listener and begins to read. When it fails, on_closed() still comes.
    Result<> accept(uv_stream_s* listener);
    // "127.0.0.1:54321" or "unix:uid=1000".
    std::string peer() const;

    void write(std::string bytes);
    std::size_t unsent() const;
    // Bytes the peer's system has taken so far. What our own system took says little: its buffer of megabytes asks for
    // more only when a third of it is free, so a slow peer that reads all the time would seem to have stalled.
    std::uint64_t taken() const;
    // Sends FIN after what is queued.
    void finish();
    void pause_reading();
    void resume_reading();
    void close();

private:
    struct Node;
    struct Write;

    Events& events_;
    std::span<char> read_buffer_;
    std::unique_ptr<Node> node_;
    std::uint64_t queued_ = 0;
    bool reading_ = false;
    bool finished_ = false;
    bool closing_ = false;
};

}  // namespace backstay::http
