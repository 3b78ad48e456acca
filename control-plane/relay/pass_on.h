// Agents' answers that came to this replica while another one waits for them: passed on as the HTTP requests they are,
// with the agent's own credential, so that the other replica lets the agent in itself. Bodies stream both ways and are
// never kept. Loop thread; each of them has a thread of its own for the call to the other replica.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "common/clock.h"
#include "common/event/byte_pipe.h"
#include "common/event/loop.h"
#include "common/http/client.h"
#include "common/http/server.h"
#include "control-plane/api/call.h"
#include "control-plane/relay/pumps.h"
#include "control-plane/relay/storage_desk.h"
#include "control-plane/store/database_threads.h"

namespace backstay::relay {

// In a request that was passed on: the replica that did. Nothing is passed on twice.
inline constexpr const char* kPassedOnBy = "Passed-On-By";

http::Response nobody_waits();

class PassOn {
public:
    struct Parts {
        Loop& loop;
        store::DatabaseThreads& threads;  // stopped before it is destroyed
        const Clock& clock;
        Pumps& pumps;
        const StorageDesk& desk;
        std::string replica_id;
        http::ClientOptions http;
    };
    explicit PassOn(Parts parts);
    // What is on its way breaks off.
    ~PassOn();
    PassOn(const PassOn&) = delete;
    PassOn& operator=(const PassOn&) = delete;

    // An agent's POST or GET for which nobody waits here, its body unread: answered by the replica that waits, or 404.
    void pass(const api::Call& call, std::unique_ptr<http::Exchange> exchange);
    std::size_t under_way() const { return passes_.size(); }

private:
    struct Pass {
        std::unique_ptr<http::Exchange> exchange;  // not while its body is being read, nor when the agent has gone
        http::ClientRequest request;
        SharedPipe pipe;
        std::stop_source stop;
        std::optional<http::Response> answer;
        bool receiving = false;
        bool answering = false;  // with a body that comes
        std::jthread thread;
    };
    using Found = Result<std::optional<SharedRequests::Waiter>>;

    void found(std::uint64_t number, const Found& waiter);
    void call_replica(std::uint64_t number, Pass& pass);
    void begin_answer(std::uint64_t number, const http::ClientResponse& head);
    void received(std::uint64_t number, std::unique_ptr<http::Exchange> exchange);
    void called(std::uint64_t number, const Result<http::ClientResponse>& answer);
    void gone(std::uint64_t number);
    void finish(std::uint64_t number, http::Response answer);
    void sweep();

    const Parts parts_;
    std::uint64_t last_number_ = 0;
    std::map<std::uint64_t, Pass> passes_;
    Timer sweep_timer_;
};

}  // namespace backstay::relay
