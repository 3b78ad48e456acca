// Content on its way through this side: from a destination to whoever asked, and back. Requests stay on the loop under
// a number; the blocking ends run on transfer threads, know only the number, and are told to stop when the peer goes.
// Loop thread, where nothing else is said.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/event/byte_pipe.h"
#include "common/event/loop.h"
#include "common/http/server.h"
#include "common/slots.h"
#include "control-plane/browse/content.h"
#include "control-plane/browse/reach.h"
#include "control-plane/relay/pumps.h"
#include "control-plane/store/database_threads.h"

namespace backstay::browse {

// At once; more are told to come again (429). Of 16 threads one organization has a part only.
inline constexpr std::size_t kTransfersPerOrganization = 6;
inline constexpr std::size_t kZipsPerOrganization = 2;
inline constexpr std::size_t kZipsPerAgent = 2;
inline constexpr std::int64_t kComeAgainSeconds = 10;

// What counts against `most` of its name.
struct Bound {
    std::string of;
    std::size_t most = 1;
};
Bound transfers_of(const std::string& organization);
Bound zips_of(const std::string& organization);
// 429 too_many_transfers when there is none.
Result<Slots::Slot> take_slot(Slots& slots, const Bound& bound);

// A thread that waits for the pipe's other end hears of `stop`, too.
std::stop_callback<std::function<void()>> closed_by(const std::stop_token& stop, BytePipe& pipe);

class Transfers {
public:
    // All outlive it; `threads` are stopped before it is destroyed.
    Transfers(Loop& loop, store::DatabaseThreads& threads, const Reach& reach, relay::Pumps& pumps)
        : loop_(loop), threads_(threads), reach_(reach), pumps_(pumps) {}

    struct Order {
        std::string organization_id;
        std::string destination_id;
        std::string key;
        std::string download_name;  // empty: the key's last segment
        // Asked first, on the transfer's thread: an answer instead of the content. May be empty.
        std::function<Result<std::optional<http::Response>>(sql::Database&, const std::stop_token&)> instead;
        std::string ticket;  // not empty: one body at a time for all that name the same
    };
    // Answers a GET or HEAD with the object's content; Range and conditions are the request's.
    void send(std::unique_ptr<http::Exchange> exchange, Order order);

    // Answers with what `make` writes, under `head`, in chunks. What fails before the first byte is answered as a
    // refusal; later the connection breaks off, so that nobody takes what came for the whole. `make` runs on a transfer
    // thread and ends soon when it is told to stop.
    using Make = std::function<Result<>(sql::Database& db, Sink& sink, const std::stop_token& stop)>;
    void make(std::unique_ptr<http::Exchange> exchange, const std::string& organization, std::vector<Bound> bounds,
              http::Response head, Make make);

    // Answers with what `ask` says on a storage thread.
    using Ask = std::function<Result<http::Response>(sql::Database&)>;
    void ask(std::unique_ptr<http::Exchange> exchange, const std::string& organization, Ask ask);

    // What is under way ends, nothing begins any more.
    void stop();
    // From any thread.
    Slots& slots() { return slots_; }
    std::size_t under_way() const { return transfers_.size(); }

private:
    struct Transfer {
        std::unique_ptr<http::Exchange> exchange;  // until it is answered or its peer has gone
        std::stop_source stop;
        std::vector<Slots::Slot> slots;
        bool working = true;  // on its thread, or waiting for one
        bool sending = false;
    };
    using Lane = store::DatabaseThreads::Lane;
    // On a thread of `Lane`. An error is answered, if nothing was yet.
    using Work = std::function<Result<>(std::uint64_t number, const std::stop_token&, sql::Database&)>;

    void start(std::unique_ptr<http::Exchange> exchange, const std::string& organization,
               const std::vector<Bound>& bounds, Lane lane, Work work);
    Result<> run(std::uint64_t number, const std::stop_token& stop, const Order& order, const http::Request& request,
                 sql::Database& db);
    Result<> run_make(std::uint64_t number, const std::stop_token& stop, const http::Response& head, const Make& make,
                      sql::Database& db);
    void post_answer(std::uint64_t number, http::Response response);
    void post_body(std::uint64_t number, http::Response head, SharedPipe pipe);
    void answer(std::uint64_t number, http::Response response);
    void begin(std::uint64_t number, http::Response head, SharedPipe pipe);
    void worked(std::uint64_t number, std::optional<http::Response> refusal);
    void sent(std::uint64_t number);
    void gone(std::uint64_t number);
    void settle(std::uint64_t number);

    Loop& loop_;
    store::DatabaseThreads& threads_;
    const Reach& reach_;
    relay::Pumps& pumps_;
    Slots slots_;
    std::uint64_t last_number_ = 0;
    std::map<std::uint64_t, Transfer> transfers_;
    bool stopping_ = false;
};

}  // namespace backstay::browse
