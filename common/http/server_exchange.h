// The two handles that a handler holds on a connection. Either side may go first; they point at each other until then.
// Loop thread. Part of the server only.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "common/http/server.h"

namespace backstay::http {

class Connection;

class PendingExchange final : public Exchange {
public:
    PendingExchange(Connection& connection, Request request) : connection_(&connection), request_(std::move(request)) {}
    ~PendingExchange() override;
    PendingExchange(const PendingExchange&) = delete;
    PendingExchange& operator=(const PendingExchange&) = delete;

    const Request& request() const override { return request_; }
    Request take_request() override { return std::exchange(request_, {}); }
    void respond(Response response) override;
    std::unique_ptr<ResponseStream> open_stream(Response head) override;
    void on_abandoned(std::function<void()> callback) override { abandoned_ = std::move(callback); }
    void read_body(std::function<void(BodyPiece)> callback) override;

    // Whether somebody asked to hear of the peer's leaving.
    bool watched() const { return abandoned_ != nullptr; }
    // What read_body() waits for. May destroy this.
    void tell_body(BodyPiece piece);
    // The connection has gone. May destroy this.
    void abandon();

private:
    Connection* connection_;  // null once answered, or when the peer has gone
    Request request_;
    std::function<void()> abandoned_;
    std::function<void(BodyPiece)> body_wanted_;
};

class PendingStream final : public ResponseStream {
public:
    explicit PendingStream(Connection* connection) : connection_(connection) {}
    ~PendingStream() override;
    PendingStream(const PendingStream&) = delete;
    PendingStream& operator=(const PendingStream&) = delete;

    bool write(std::string_view bytes) override;
    std::size_t buffered() const override;
    void on_drain(std::function<void()> callback) override { drained_ = std::move(callback); }
    void on_closed(std::function<void()> callback) override { closed_ = std::move(callback); }
    void end() override;

    // The connection has room again. May destroy this.
    void tell_drained();
    // The connection has gone. May destroy this.
    void tell_closed();
    // The connection needs no more of this answer.
    void detach() { connection_ = nullptr; }

private:
    Connection* connection_;  // null after the end, or when the peer has gone
    std::function<void()> drained_;
    std::function<void()> closed_;
};

}  // namespace backstay::http
