#include "common/http/server_connection.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/http/server_exchange.h"
#include "common/log.h"

namespace backstay::http {

namespace {

// Input that may wait while an answer is due; then the socket is not read until there is room.
constexpr std::size_t kMaxPendingBytes = 64 * 1024;
// Answers that may wait for a slow reader before the next pipelined request is looked at.
constexpr std::size_t kMaxUnsentBytes = 256 * 1024;
// After the last answer a peer may still be sending; closing at once would reset the connection under the answer.
constexpr std::int64_t kLingerMs = 2000;
constexpr std::size_t kMaxDiscardedBytes = 4 * 1024 * 1024;

}  // namespace

Connection::Connection(ServerCore& core, bool secure)
    : core_(&core), transport_(*this, core.read_buffer), secure_(secure) {}

void Connection::accept(ServerCore& core, uv_stream_s* listener, bool secure) {
    auto* connection = new Connection(core, secure);
    connection->index_ = core.connections.size();
    core.connections.push_back(connection);
    if (const auto accepted = connection->transport_.accept(listener); !accepted) {
        log::warning("connection not accepted", {{"error", accepted.error().message()}});
        return connection->leave();
    }
    const bool full = core.connections.size() > core.limits.connections;
    if (secure && !full) connection->tls_ = core.tls->open_session();
    if (full || (secure && connection->tls_ == nullptr)) return connection->close();
    connection->peer_ = connection->transport_.peer();
    connection->deadline_ms_ = steady_ms() + static_cast<std::int64_t>(core.limits.head_ms);
}

void Connection::on_bytes(std::string_view bytes) {
    if (state_ == State::closing) {
        discarded_ += bytes.size();
        if (discarded_ > kMaxDiscardedBytes) close();
        return;
    }
    if (tls_ == nullptr) return take_input(bytes);
    std::string plain;
    const bool sound = tls_->receive(bytes, plain);
    transport_.write(tls_->take_outgoing());
    if (!plain.empty()) take_input(plain);
    // A goodbye is how a TLS peer ends; nothing more can come, but an answer that is due still goes out.
    if (!sound && state_ != State::closed) on_end();
}

void Connection::take_input(std::string_view bytes) {
    if (state_ == State::busy) {
        pending_.append(bytes);
        return body_wanted_ ? give_body() : settle();
    }
    std::string joined;
    if (!pending_.empty()) {
        joined = std::exchange(pending_, {});
        bytes = joined.append(bytes);
    }
    working_ = true;
    while (state_ == State::reading && !bytes.empty() && unsent() < kMaxUnsentBytes) step(bytes);
    working_ = false;
    if (state_ == State::reading || state_ == State::busy) pending_.append(bytes);
    if (state_ == State::busy && body_wanted_ && !pending_.empty()) resume_soon();
    settle();
}

// Reads on in the present request, or begins one; hands it over when it is complete.
void Connection::step(std::string_view& bytes) {
    if (reader_ == nullptr) {
        reader_ = std::make_unique<RequestReader>(core_->limits, core_->streamed_body);
        deadline_ms_ = steady_ms() + static_cast<std::int64_t>(core_->limits.head_ms);
    }
    switch (reader_->feed(bytes)) {
        case RequestReader::Progress::more:
            break;
        case RequestReader::Progress::head:
            if (reader_->streams_body()) return dispatch();
            deadline_ms_ = steady_ms() + static_cast<std::int64_t>(core_->limits.body_ms);
            if (reader_->expects_continue() && !reader_->http_1_0()) send("HTTP/1.1 100 Continue\r\n\r\n");
            break;
        case RequestReader::Progress::complete:
            dispatch();
            break;
        case RequestReader::Progress::refused:
            refuse(reader_->refusal());
            break;
    }
}

void Connection::dispatch() {
    Request request = reader_->take_request();
    request.peer = peer_;
    request.secure = secure_;
    keep_alive_ = reader_->keep_alive();
    http_1_0_ = reader_->http_1_0();
    body_open_ = !reader_->complete();
    body_wanted_ = false;
    continue_due_ = body_open_ && reader_->expects_continue() && !http_1_0_;
    if (!body_open_) reader_.reset();
    head_only_ = request.method == "HEAD";
    state_ = State::busy;
    deadline_ms_ = 0;
    auto exchange = std::make_unique<PendingExchange>(*this, std::move(request));
    exchange_ = exchange.get();
    core_->handler(std::move(exchange));
}

void Connection::want_body() {
    body_wanted_ = true;
    if (body_open_) deadline_ms_ = steady_ms() + static_cast<std::int64_t>(core_->limits.body_ms);
    if (std::exchange(continue_due_, false)) send("HTTP/1.1 100 Continue\r\n\r\n");
    if (state_ != State::closed && (!body_open_ || !pending_.empty() || ended_)) resume_soon();
}

// Hands over what has come of the body, if anything has.
void Connection::give_body() {
    BodyPiece piece;
    if (body_open_) {
        const std::string input = std::exchange(pending_, {});
        std::string_view rest = input;
        const auto progress = rest.empty() ? RequestReader::Progress::more : reader_->feed(rest);
        if (progress == RequestReader::Progress::refused) return refuse_body();
        pending_ = rest;
        piece.bytes = reader_->take_body();
        piece.end = progress == RequestReader::Progress::complete;
        if (piece.end) {
            body_open_ = false;
            reader_.reset();
        } else if (piece.bytes.empty()) {
            return settle();
        }
    } else {
        piece.end = true;
    }
    body_wanted_ = false;
    deadline_ms_ = 0;
    PendingExchange* exchange = exchange_;
    settle();
    // Last: it may answer, or destroy itself. Closing has told it already.
    if (state_ != State::closed && exchange != nullptr) exchange->tell_body(std::move(piece));
}

void Connection::refuse_body() {
    PendingExchange* exchange = std::exchange(exchange_, nullptr);
    body_open_ = body_wanted_ = false;
    const Refusal refusal = reader_->refusal();
    refuse(refusal);
    if (exchange != nullptr) exchange->abandon();
}

void Connection::refuse(const Refusal& refusal) {
    Response response = error_answer(refusal.status, refusal.code, refusal.message);
    reader_.reset();
    keep_alive_ = false;
    head_only_ = false;
    http_1_0_ = false;
    state_ = State::busy;
    answer(std::move(response));
}

Response Connection::error_answer(int status, std::string_view code, std::string_view message) const {
    if (core_ != nullptr && core_->error_body) return core_->error_body(status, code, message);
    Response response;
    response.status = status;
    response.headers.set("Content-Type", "text/plain; charset=utf-8");
    response.body = std::string(message) + "\n";
    return response;
}

void Connection::answered() {
    exchange_ = nullptr;
    stream_ = nullptr;
    framing_ = Framing::none;
    if (core_ == nullptr) return;
    body_wanted_ = continue_due_ = false;
    if (std::exchange(body_open_, false)) reader_.reset();
    if (!keep_alive_ || core_->stopping) {
        finish();
    } else {
        state_ = State::reading;
        deadline_ms_ = steady_ms() + static_cast<std::int64_t>(core_->limits.idle_ms);
    }
    if (working_) return;
    settle();
    // Later, not here: whoever answers is in the middle of something, and must not be called for the next request.
    if (state_ != State::reading || pending_.empty()) return;
    resume_soon();
}

void Connection::resume_soon() {
    core_->resumable.push_back(this);
    if (core_->resumable.size() == 1) core_->wake();
}

// After anything happened: sends what was gathered, reads or pauses, and ends what has nothing left to do.
void Connection::settle() {
    if (working_ || state_ == State::closed) return;
    flush();
    if (state_ == State::closed) return;
    if (state_ == State::closing) {
        if (ended_ && unsent() == 0) close();
        return;
    }
    const bool full = pending_.size() >= kMaxPendingBytes || (state_ == State::reading && unsent() >= kMaxUnsentBytes);
    if (ended_) {
        // Half of a request will never become whole. One that waits to be answered is answered, unless its handler
        // wants to know when the peer has gone: a parked poll must not stay for a peer that has hung up.
        const bool nothing_due = state_ == State::reading && pending_.empty();
        const bool hung_up =
            state_ == State::busy && (stream_ != nullptr || (exchange_ != nullptr && exchange_->watched()));
        if (nothing_due && unsent() == 0) return close();
        // The rest of a body that its handler waits for will not come.
        if (state_ == State::busy && body_open_ && body_wanted_ && pending_.empty()) return close();
        if (hung_up) return close();
    } else if (full) {
        transport_.pause_reading();
    } else {
        transport_.resume_reading();
    }
}

void Connection::finish() {
    state_ = State::closing;
    pending_.clear();
    if (tls_ != nullptr) {
        flush();
        if (state_ == State::closed) return;
        tls_->finish();
        transport_.write(tls_->take_outgoing());
    }
    flush();
    transport_.finish();
    transport_.resume_reading();
    deadline_ms_ = steady_ms() + kLingerMs;
}

void Connection::send(std::string_view bytes) {
    output_.append(bytes);
    if (!working_) flush();
}

void Connection::flush() {
    if (output_.empty()) return;
    std::string bytes = std::exchange(output_, {});
    if (tls_ == nullptr) return transport_.write(std::move(bytes));
    const bool sound = tls_->send(bytes);
    transport_.write(tls_->take_outgoing());
    if (!sound) close();
}

void Connection::on_end() {
    ended_ = true;
    if (!working_) settle();
}

void Connection::on_sent() {
    if (stream_ != nullptr && unsent() <= core_->limits.stream_buffer_bytes / 4) stream_->tell_drained();
    if (state_ == State::reading && !pending_.empty() && unsent() < kMaxUnsentBytes / 2) return take_input({});
    settle();
}

void Connection::check_deadlines(std::int64_t now_ms) {
    // Only who has something to take costs a call to the system.
    if (unsent() == 0) {
        taken_at_ms_ = now_ms;
    } else if (const std::uint64_t taken = transport_.taken(); taken != taken_seen_) {
        taken_seen_ = taken;
        taken_at_ms_ = now_ms;
    } else if (now_ms - taken_at_ms_ >= static_cast<std::int64_t>(core_->limits.write_stall_ms)) {
        return close();
    }
    if (ended_ && state_ == State::busy) return settle();
    if (deadline_ms_ == 0 || now_ms < deadline_ms_) return;
    if (reader_ == nullptr && unsent() > 0) {
        // The last answer is still being taken: silence counts from its end.
        const auto idle_ms = static_cast<std::int64_t>(core_->limits.idle_ms);
        deadline_ms_ = now_ms + (state_ == State::closing ? kLingerMs : idle_ms);
        return;
    }
    if (state_ == State::reading && reader_ != nullptr) {
        return refuse({408, "request_timeout", "the request did not arrive in time"});
    }
    close();
}

void Connection::wind_down() {
    if (state_ == State::reading && reader_ == nullptr && pending_.empty()) finish();
}

void Connection::close() {
    if (state_ == State::closed) return;
    state_ = State::closed;
    deadline_ms_ = 0;
    output_.clear();
    pending_.clear();
    PendingExchange* exchange = std::exchange(exchange_, nullptr);
    PendingStream* stream = std::exchange(stream_, nullptr);
    leave();
    transport_.close();
    // Last, since these may do anything; this object lives on until its socket has closed.
    if (exchange != nullptr) exchange->abandon();
    if (stream != nullptr) stream->tell_closed();
}

void Connection::leave() {
    if (core_ == nullptr) return;
    ServerCore* core = std::exchange(core_, nullptr);
    state_ = State::closed;
    std::erase(core->resumable, this);
    core->connections[index_] = core->connections.back();
    core->connections[index_]->index_ = index_;
    core->connections.pop_back();
    core->on_gone();
}

}  // namespace backstay::http
