// One connection of the server: reads requests one after the other, hands each to the handler, writes the answers in
// the same order, watches the clock. Owned by itself from accept() until the socket is closed; loop thread. Part of the
// server only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/message.h"
#include "common/http/server.h"
#include "common/http/server_parser.h"
#include "common/http/server_tls.h"
#include "common/http/server_transport.h"

namespace backstay::http {

class Connection;
class PendingExchange;
class PendingStream;

// What a connection needs of its server.
struct ServerCore {
    ServerLimits limits;
    Handler handler;
    Server::ErrorBody error_body;
    std::unique_ptr<TlsContext> tls;  // null: plain
    std::vector<Connection*> connections;
    std::vector<char> read_buffer;
    bool stopping = false;
    std::function<void()> on_gone;       // called after each connection that leaves
    std::vector<Connection*> resumable;  // have input for which an answer made room
    std::function<void()> wake;          // called when the first of them enters: read_on() of each is due soon
    std::function<std::optional<std::uint64_t>(const Request&)> streamed_body;
};

class Connection final : public Transport::Events {
public:
    // Takes the waiting connection; it destroys itself when its socket has closed.
    static void accept(ServerCore& core, uv_stream_s* listener, bool secure);

    // The sweep: ends what has taken too long.
    void check_deadlines(std::int64_t now_ms);
    // Takes the input that waited while an answer was due.
    void read_on() { take_input({}); }
    // Begins to end: idle connections at once, others after their answer.
    void wind_down();
    // Ends now; whoever waits for this peer is told.
    void close();

    // For the exchange and the stream.
    void answer(Response response);
    void begin_stream(Response head, PendingStream& stream);
    void want_body();
    bool write_stream(std::string_view bytes);
    void end_stream();
    void abort_stream();
    std::size_t unsent() const { return transport_.unsent() + output_.size(); }
    Response error_answer(int status, std::string_view code, std::string_view message) const;

    void on_bytes(std::string_view bytes) override;
    void on_end() override;
    void on_broken() override { close(); }
    void on_sent() override;
    void on_closed() override { delete this; }

private:
    // reading → busy → reading …; closing: the last answer is on its way; closed: waits for its socket.
    enum class State { reading, busy, closing, closed };
    enum class Framing { none, length, chunked, until_close };

    Connection(ServerCore& core, bool secure);
    ~Connection() = default;

    void take_input(std::string_view bytes);
    void step(std::string_view& bytes);
    void dispatch();
    void give_body();
    void refuse_body();
    void resume_soon();
    void refuse(const Refusal& refusal);
    void write_head(const Response& response, Framing framing, std::uint64_t length);
    void answered();
    void settle();
    void finish();
    void send(std::string_view bytes);
    void flush();
    void leave();

    ServerCore* core_;  // null after close(): the server may have gone
    Transport transport_;
    std::unique_ptr<TlsSession> tls_;
    State state_ = State::reading;
    std::unique_ptr<RequestReader> reader_;  // while a request is being read
    PendingExchange* exchange_ = nullptr;
    PendingStream* stream_ = nullptr;
    std::string pending_;  // input that came while an answer was due
    std::string output_;   // gathered until flush(): an answer whole, answers while input is taken
    std::string peer_;
    std::int64_t deadline_ms_ = 0;  // 0: none
    std::uint64_t taken_seen_ = 0;
    std::int64_t taken_at_ms_ = 0;
    std::uint64_t stream_left_ = 0;  // with Framing::length
    std::size_t discarded_ = 0;      // input after the last answer
    std::size_t index_ = 0;          // in core_->connections
    Framing framing_ = Framing::none;
    bool keep_alive_ = true;
    bool http_1_0_ = false;
    bool head_only_ = false;
    bool secure_;
    bool working_ = false;      // inside take_input(): output is gathered, no recursion
    bool ended_ = false;        // the peer sent its FIN
    bool body_open_ = false;    // the handler reads the body; the reader has not come to its end
    bool body_wanted_ = false;  // it waits for a piece
    bool continue_due_ = false;
};

}  // namespace backstay::http
