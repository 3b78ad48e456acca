#include "control-plane/relay/pumps.h"

#include <atomic>
#include <utility>

namespace backstay::relay {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::size_t kUnsentBytes = 128 * 1024;  // the server cuts a stream that holds more than twice that

}  // namespace

class Pumps::Pump {
public:
    Pump(Pumps& pumps, std::uint64_t number, SharedPipe pipe)
        : pumps_(pumps), number_(number), pipe_(std::move(pipe)) {}
    virtual ~Pump() { pipe_->on_change({}); }
    Pump(const Pump&) = delete;
    Pump& operator=(const Pump&) = delete;

    // Something may be possible again.
    virtual void go_on() = 0;
    // The peer has gone.
    virtual void broken() = 0;

protected:
    // Whoever calls into a pump shares it meanwhile.
    void leave() { pumps_.pumps_.erase(number_); }

    Pumps& pumps_;
    const std::uint64_t number_;
    const SharedPipe pipe_;
};

class Pumps::Receiving final : public Pump {
public:
    Receiving(Pumps& pumps, std::uint64_t number, SharedPipe pipe, std::unique_ptr<http::Exchange> exchange,
              Received done)
        : Pump(pumps, number, std::move(pipe)), exchange_(std::move(exchange)), done_(std::move(done)) {}
    ~Receiving() override { pipe_->fail(Error(Errc::cancelled, "the receiver is ending")); }

    void go_on() override {
        if (reading_ || exchange_ == nullptr || pipe_->full()) return;
        reading_ = true;
        exchange_->read_body([all = Weak(pumps_.self_), number = number_](http::BodyPiece piece) {
            if (const auto self = look_up(all, number)) static_cast<Receiving&>(*self).take(std::move(piece));
        });
    }

    void broken() override {
        pipe_->fail(Error(Errc::unavailable, "the sender's stream broke off"));
        end(nullptr, false);
    }

private:
    void take(http::BodyPiece piece) {
        reading_ = false;
        const bool wanted = piece.bytes.empty() || pipe_->offer(piece.bytes);
        if (piece.broken) return broken();
        if (!wanted) return end(std::move(exchange_), false);
        if (!piece.end) return go_on();
        pipe_->finish();
        end(std::move(exchange_), true);
    }

    void end(std::unique_ptr<http::Exchange> back, bool complete) {
        if (back != nullptr) back->on_abandoned({});
        leave();
        if (const auto callback = std::exchange(done_, nullptr)) callback(std::move(back), complete);
    }

    std::unique_ptr<http::Exchange> exchange_;
    Received done_;
    bool reading_ = false;
};

class Pumps::Sending final : public Pump {
public:
    Sending(Pumps& pumps, std::uint64_t number, SharedPipe pipe, std::unique_ptr<http::ResponseStream> stream,
            std::function<void()> done)
        : Pump(pumps, number, std::move(pipe)), stream_(std::move(stream)), done_(std::move(done)) {}
    ~Sending() override { pipe_->close(Error(Errc::cancelled, "the receiver has gone")); }

    void go_on() override {
        while (stream_ != nullptr && stream_->buffered() < kUnsentBytes) {
            const BytePipe::Taken piece = pipe_->take(kPieceBytes);
            if (piece.ended) stream_->end();
            if (piece.ended || piece.failed) return broken();
            if (piece.bytes.empty()) return;
            if (!stream_->write(piece.bytes)) return broken();
        }
    }

    void broken() override {
        pipe_->close(Error(Errc::cancelled, "the receiver has gone"));
        stream_.reset();
        leave();
        if (const auto callback = std::exchange(done_, nullptr)) callback();
    }

private:
    std::unique_ptr<http::ResponseStream> stream_;
    std::function<void()> done_;
};

Pumps::Pumps(Loop& loop) : loop_(loop), self_(std::make_shared<Pumps*>(this)) {}

Pumps::~Pumps() = default;

std::shared_ptr<Pumps::Pump> Pumps::look_up(const Weak& pumps, std::uint64_t number) {
    const auto all = pumps.lock();
    if (all == nullptr) return nullptr;
    const auto found = (*all)->pumps_.find(number);
    return found != (*all)->pumps_.end() ? found->second : nullptr;
}

std::function<void()> Pumps::waking(std::uint64_t number, void (Pump::*act)()) {
    return [all = Weak(self_), number, act] {
        if (const auto pump = look_up(all, number)) ((*pump).*act)();
    };
}

// The pipe calls from other threads, and as often as it likes: one look is on its way at most.
void Pumps::watch(BytePipe& pipe, std::uint64_t number) {
    auto due = std::make_shared<std::atomic<bool>>(false);
    pipe.on_change([&loop = loop_, look = waking(number, &Pump::go_on), due] {
        if (due->exchange(true)) return;
        loop.post([look, due] {
            due->store(false);
            look();
        });
    });
}

void Pumps::receive_body(std::unique_ptr<http::Exchange> exchange, SharedPipe pipe, Received done) {
    const std::uint64_t number = ++last_number_;
    exchange->on_abandoned(waking(number, &Pump::broken));
    watch(*pipe, number);
    const auto pump = std::make_shared<Receiving>(*this, number, std::move(pipe), std::move(exchange), std::move(done));
    pumps_.emplace(number, pump);
    pump->go_on();
}

void Pumps::send_body(std::unique_ptr<http::ResponseStream> stream, SharedPipe pipe, std::function<void()> done) {
    const std::uint64_t number = ++last_number_;
    const auto go_on = waking(number, &Pump::go_on);
    stream->on_drain(go_on);
    stream->on_closed(waking(number, &Pump::broken));
    watch(*pipe, number);
    pumps_.emplace(number,
                   std::make_shared<Sending>(*this, number, std::move(pipe), std::move(stream), std::move(done)));
    // Later: on_drain may be called while this still runs.
    loop_.post(go_on);
}

}  // namespace backstay::relay
