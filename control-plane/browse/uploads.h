// Files that people put into a destination: streamed through this side, never kept. Loop thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>

#include "common/event/byte_pipe.h"
#include "common/event/loop.h"
#include "common/http/server.h"
#include "common/slots.h"
#include "control-plane/api/call.h"
#include "control-plane/browse/reach.h"
#include "control-plane/relay/pumps.h"
#include "control-plane/store/database_threads.h"

namespace backstay::browse {

class Uploads {
public:
    // All outlive it; `threads` are stopped before it is destroyed. An upload counts as one of its organization's
    // transfers.
    Uploads(Loop& loop, store::DatabaseThreads& threads, const Reach& reach, relay::Pumps& pumps, Slots& slots)
        : loop_(loop), threads_(threads), reach_(reach), pumps_(pumps), slots_(slots) {}

    // The body has not been read yet: it is asked for when nothing speaks against the upload.
    void take(const api::Call& call, std::unique_ptr<http::Exchange> exchange, std::uint64_t most_bytes);
    // What is under way ends.
    void stop();
    std::size_t under_way() const { return uploads_.size(); }

private:
    struct Upload {
        std::unique_ptr<http::Exchange> exchange;  // not while the body is being read, nor when the peer has gone
        std::stop_source stop;
        std::optional<Slots::Slot> slot;
        std::optional<http::Response> answer;
        bool receiving = false;
    };
    struct Wish {
        api::Call call;
        std::string path;
        std::string boundary;
        std::uint64_t most_bytes = 0;
    };
    static Result<Wish> read_wish(const api::Call& call, std::uint64_t most_bytes);
    Result<http::Response> run(std::uint64_t number, const std::stop_token& stop, const Wish& wish, sql::Database& db);
    void begin(std::uint64_t number, SharedPipe pipe);
    void received(std::uint64_t number, std::unique_ptr<http::Exchange> exchange);
    void gone(std::uint64_t number);
    void finish(std::uint64_t number, http::Response answer);

    Loop& loop_;
    store::DatabaseThreads& threads_;
    const Reach& reach_;
    relay::Pumps& pumps_;
    Slots& slots_;
    std::uint64_t last_number_ = 0;
    std::map<std::uint64_t, Upload> uploads_;
};

}  // namespace backstay::browse
