#include "control-plane/relay/pumps.h"

#include <atomic>
#include <utility>

namespace backstay::relay {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::size_t kUnsentBytes = 128 * 1024;  // the server cuts a stream that holds more than twice that

// The pipe calls from other threads, and as often as it likes: one look is on its way at most.
template <class Pump>
void wake_by_pipe(Loop& loop, BytePipe& pipe, std::weak_ptr<Pump> pump) {
    auto due = std::make_shared<std::atomic<bool>>(false);
    pipe.on_change([&loop, pump = std::move(pump), due] {
        if (due->exchange(true)) return;
        loop.post([pump, due] {
            due->store(false);
            if (const auto alive = pump.lock()) alive->go_on();
        });
    });
}

// It lives by the callbacks that it waits for, which share it.
struct Receiving : std::enable_shared_from_this<Receiving> {
    std::unique_ptr<http::Exchange> exchange;
    SharedPipe pipe;
    std::function<void(std::unique_ptr<http::Exchange>, bool)> done;
    std::shared_ptr<Receiving> self;  // while it waits for room
    bool reading = false;

    void go_on() {
        if (reading || done == nullptr) return;
        if (pipe->full()) {
            self = shared_from_this();
            return;
        }
        const auto keep = std::exchange(self, nullptr);
        reading = true;
        exchange->read_body([me = shared_from_this()](http::BodyPiece piece) { me->take(std::move(piece)); });
    }

    void take(http::BodyPiece piece) {
        reading = false;
        const bool wanted = piece.bytes.empty() || pipe->offer(piece.bytes);
        if (piece.broken) {
            pipe->fail(Error(Errc::unavailable, "the sender's stream broke off"));
            return end(nullptr, false);
        }
        if (!wanted) return end(std::move(exchange), false);
        if (!piece.end) return go_on();
        pipe->finish();
        end(std::move(exchange), true);
    }

    void end(std::unique_ptr<http::Exchange> back, bool complete) {
        const auto keep = shared_from_this();
        self.reset();
        if (const auto callback = std::exchange(done, nullptr)) callback(std::move(back), complete);
    }
};

struct Sending : std::enable_shared_from_this<Sending> {
    std::unique_ptr<http::ResponseStream> stream;
    SharedPipe pipe;
    std::shared_ptr<Sending> self;

    void go_on() {
        const auto keep = shared_from_this();
        while (stream != nullptr && stream->buffered() < kUnsentBytes) {
            const BytePipe::Taken piece = pipe->take(kPieceBytes);
            if (piece.ended) stream->end();
            if (piece.ended || piece.failed) return close();
            if (piece.bytes.empty()) return;
            if (!stream->write(piece.bytes)) return close();
        }
    }

    void close() {
        pipe->close(Error(Errc::cancelled, "the receiver has gone"));
        stream.reset();
        self.reset();
    }
};

}  // namespace

void receive_body(Loop& loop, std::unique_ptr<http::Exchange> exchange, SharedPipe pipe,
                  std::function<void(std::unique_ptr<http::Exchange>, bool complete)> done) {
    const auto receiving = std::make_shared<Receiving>();
    receiving->exchange = std::move(exchange);
    receiving->pipe = std::move(pipe);
    receiving->done = std::move(done);
    wake_by_pipe<Receiving>(loop, *receiving->pipe, receiving);
    receiving->go_on();
}

void send_body(Loop& loop, std::unique_ptr<http::ResponseStream> stream, SharedPipe pipe) {
    const auto sending = std::make_shared<Sending>();
    sending->stream = std::move(stream);
    sending->pipe = std::move(pipe);
    sending->self = sending;
    const std::weak_ptr<Sending> weak = sending;
    const auto go_on = [weak] {
        if (const auto alive = weak.lock()) alive->go_on();
    };
    sending->stream->on_drain(go_on);
    sending->stream->on_closed([weak] {
        if (const auto alive = weak.lock()) alive->close();
    });
    wake_by_pipe<Sending>(loop, *sending->pipe, sending);
    // Later: on_drain may be called while this still runs.
    loop.post(go_on);
}

}  // namespace backstay::relay
