// Bytes between connections of the loop and pipes whose other side blocks, with back-pressure both ways. Connections
// stay here, under a number: whatever wakes them, from the loop or another thread, knows only the number. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "common/event/byte_pipe.h"
#include "common/event/loop.h"
#include "common/http/server.h"

namespace backstay::relay {

class Pumps {
public:
    explicit Pumps(Loop& loop);
    // What is on its way breaks off; nobody is called back.
    ~Pumps();
    Pumps(const Pumps&) = delete;
    Pumps& operator=(const Pumps&) = delete;

    // A request's body into the pipe, which is finished or failed at its end. `done` is called once and gets the
    // exchange back to answer it; null when the peer has gone.
    using Received = std::function<void(std::unique_ptr<http::Exchange>, bool complete)>;
    void receive_body(std::unique_ptr<http::Exchange> exchange, SharedPipe pipe, Received done);

    // What the pipe gives as the answer's body. Bytes that break off break the connection, so that nobody takes what
    // came for the whole; a peer that goes closes the pipe. `done` is called once, however it ends; may be empty.
    void send_body(std::unique_ptr<http::ResponseStream> stream, SharedPipe pipe, std::function<void()> done);

    // Bodies on their way.
    std::size_t size() const { return pumps_.size(); }

private:
    class Pump;
    class Receiving;
    class Sending;

    using Weak = std::weak_ptr<Pumps*>;
    // Null when the pump or all of them have gone.
    static std::shared_ptr<Pump> look_up(const Weak& pumps, std::uint64_t number);
    // Calls a pump if it is still there. Safe to run whenever the loop does, also after this has gone.
    std::function<void()> waking(std::uint64_t number, void (Pump::*act)());
    void watch(BytePipe& pipe, std::uint64_t number);

    Loop& loop_;
    std::uint64_t last_number_ = 0;
    std::map<std::uint64_t, std::shared_ptr<Pump>> pumps_;  // shared with the call that is just in it
    std::shared_ptr<Pumps*> self_;                          // held weakly by what wakes them
};

}  // namespace backstay::relay
