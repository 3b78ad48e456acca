// Content on its way through this side: from a destination to whoever asked, and back. Loop thread; the blocking ends
// run on transfer threads.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/event/byte_pipe.h"
#include "common/event/loop.h"
#include "common/http/server.h"
#include "control-plane/browse/content.h"
#include "control-plane/browse/reach.h"
#include "control-plane/store/database_threads.h"

namespace backstay::browse {

class Transfers {
public:
    // All outlive it; `threads` are stopped before it is destroyed.
    Transfers(Loop& loop, store::DatabaseThreads& threads, const Reach& reach)
        : loop_(loop), threads_(threads), reach_(reach) {}

    struct Order {
        std::string organization_id;
        std::string destination_id;
        std::string key;
        std::string download_name;  // empty: the key's last segment
        // Asked first, on the transfer's thread: an answer instead of the content. May be empty.
        std::function<Result<std::optional<http::Response>>(sqlite::Database&)> instead;
    };
    // Answers a GET or HEAD with the object's content; Range and conditions are the request's.
    void send(std::unique_ptr<http::Exchange> exchange, Order order);

    // Answers with what `make` writes, under `head`, in chunks. What fails before the first byte is answered as a
    // refusal; later the connection breaks off, so that nobody takes what came for the whole. `make` runs on a transfer
    // thread.
    using Make = std::function<Result<>(sqlite::Database& db, Sink& sink)>;
    void make(std::unique_ptr<http::Exchange> exchange, http::Response head, Make make);

private:
    void run_make(std::uint64_t number, const http::Response& head, const Make& make, sqlite::Database& db);
    void answer(std::uint64_t number, http::Response response);
    void begin(std::uint64_t number, http::Response head, SharedPipe pipe);
    Result<> run(std::uint64_t number, const Order& order, const http::Request& request, sqlite::Database& db);

    Loop& loop_;
    store::DatabaseThreads& threads_;
    const Reach& reach_;
    std::uint64_t last_number_ = 0;
    std::map<std::uint64_t, std::unique_ptr<http::Exchange>> waiting_;
};

}  // namespace backstay::browse
