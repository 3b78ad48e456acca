// Bytes between a connection of the loop and a pipe whose other side blocks, with back-pressure both ways. Loop thread.
#pragma once

#include <functional>
#include <memory>

#include "common/event/byte_pipe.h"
#include "common/event/loop.h"
#include "common/http/server.h"

namespace backstay::relay {

// A request's body into the pipe, which is finished or failed at its end. `done(complete)` is called once, on the loop,
// and gets the exchange back to answer it; the exchange is null when the peer has gone.
void receive_body(Loop& loop, std::unique_ptr<http::Exchange> exchange, SharedPipe pipe,
                  std::function<void(std::unique_ptr<http::Exchange>, bool complete)> done);

// What the pipe gives as the answer's body. Bytes that break off break the connection, so that nobody takes what came
// for the whole; a peer that goes closes the pipe.
void send_body(Loop& loop, std::unique_ptr<http::ResponseStream> stream, SharedPipe pipe);

}  // namespace backstay::relay
