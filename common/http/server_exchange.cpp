#include "common/http/server_exchange.h"

#include "common/http/server_connection.h"

namespace backstay::http {

PendingExchange::~PendingExchange() {
    if (connection_ == nullptr) return;
    Connection* connection = std::exchange(connection_, nullptr);
    connection->answer(connection->error_answer(500, "internal_error", "the request was not answered"));
}

void PendingExchange::respond(Response response) {
    if (connection_ == nullptr) return;
    std::exchange(connection_, nullptr)->answer(std::move(response));
}

std::unique_ptr<ResponseStream> PendingExchange::open_stream(Response head) {
    auto stream = std::make_unique<PendingStream>(connection_);
    if (connection_ != nullptr) std::exchange(connection_, nullptr)->begin_stream(std::move(head), *stream);
    return stream;
}

void PendingExchange::read_body(std::function<void(BodyPiece)> callback) {
    if (connection_ == nullptr) return callback({{}, false, true});
    body_wanted_ = std::move(callback);
    connection_->want_body();
}

void PendingExchange::tell_body(BodyPiece piece) {
    const auto callback = std::exchange(body_wanted_, nullptr);
    if (callback) callback(std::move(piece));
}

void PendingExchange::abandon() {
    connection_ = nullptr;
    // Both may destroy this.
    const auto body = std::exchange(body_wanted_, nullptr);
    const auto callback = std::exchange(abandoned_, nullptr);
    if (body) body({{}, false, true});
    if (callback) callback();
}

PendingStream::~PendingStream() {
    if (connection_ != nullptr) std::exchange(connection_, nullptr)->abort_stream();
}

bool PendingStream::write(std::string_view bytes) { return connection_ != nullptr && connection_->write_stream(bytes); }

std::size_t PendingStream::buffered() const { return connection_ == nullptr ? 0 : connection_->unsent(); }

void PendingStream::end() {
    if (connection_ != nullptr) std::exchange(connection_, nullptr)->end_stream();
}

void PendingStream::tell_drained() {
    const auto callback = drained_;  // a copy: it may replace itself, or destroy this
    if (callback) callback();
}

void PendingStream::tell_closed() {
    connection_ = nullptr;
    const auto callback = std::move(closed_);
    closed_ = nullptr;
    if (callback) callback();
}

}  // namespace backstay::http
