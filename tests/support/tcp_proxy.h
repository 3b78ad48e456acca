// Stands between a client and any TCP server and harms the connections that a test chooses, at a byte that it names.
// What is said is not understood: for protocols that nobody can look into. Loopback only.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <limits>
#include <mutex>
#include <thread>

#include "tests/support/raw_server.h"

namespace backstay::testing {

struct TcpHarm {
    enum class Kind {
        none,
        reset,     // the connection breaks
        truncate,  // it ends as if all had been said
        stall,     // nothing more comes, for ever
        slow,      // small pieces with pauses
    };
    Kind kind = Kind::none;
    // Once so many bytes went that way.
    std::uint64_t from_client = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t from_server = std::numeric_limits<std::uint64_t>::max();
};

class TcpProxy {
public:
    // Asked for each connection, with its number from 0; one call at a time.
    using Chooser = std::function<TcpHarm(int)>;

    TcpProxy(std::uint16_t upstream_port, Chooser choose)
        : upstream_port_(upstream_port), choose_(std::move(choose)), server_([this](int socket) { serve(socket); }) {}

    std::uint16_t port() const { return server_.port(); }
    int connections() {
        const std::lock_guard lock(mutex_);
        return connections_;
    }
    std::uint64_t from_client() const { return total_from_client_; }
    std::uint64_t from_server() const { return total_from_server_; }

private:
    struct Way {
        int from;
        int to;
        std::uint64_t limit;
        std::uint64_t passed = 0;
        std::atomic<std::uint64_t>& total;
    };

    void serve(int client) {
        TcpHarm harm;
        {
            const std::lock_guard lock(mutex_);
            harm = choose_(connections_++);
        }
        const int upstream = connect_to(upstream_port_);
        if (upstream < 0) return;
        Way up{client, upstream, harm.from_client, 0, total_from_client_};
        Way down{upstream, client, harm.from_server, 0, total_from_server_};
        pollfd waiting[2] = {{client, POLLIN, 0}, {upstream, POLLIN, 0}};
        bool goes_on = true;
        while (goes_on && ::poll(waiting, 2, -1) > 0) {
            if (waiting[0].revents != 0) goes_on = pass(up, harm);
            if (goes_on && waiting[1].revents != 0) goes_on = pass(down, harm);
        }
        if (harm.kind == TcpHarm::Kind::stall && (up.passed >= up.limit || down.passed >= down.limit)) {
            RawServer::wait_for_close(client);
        }
        if (harm.kind == TcpHarm::Kind::reset) RawServer::reset(client);
        ::close(upstream);
    }

    // False: this connection is over.
    static bool pass(Way& way, const TcpHarm& harm) {
        char buffer[16384];
        const bool slow = harm.kind == TcpHarm::Kind::slow;
        const std::uint64_t left = slow || harm.kind == TcpHarm::Kind::none ? sizeof(buffer) : way.limit - way.passed;
        const std::size_t most = slow ? 4096 : std::min<std::uint64_t>(sizeof(buffer), left);
        const ssize_t count = ::recv(way.from, buffer, most, 0);
        if (count <= 0) return false;
        RawServer::send_text(way.to, {buffer, static_cast<std::size_t>(count)});
        way.passed += static_cast<std::uint64_t>(count);
        way.total += static_cast<std::uint64_t>(count);
        if (slow) std::this_thread::sleep_for(std::chrono::microseconds(200));
        return slow || harm.kind == TcpHarm::Kind::none || way.passed < way.limit;
    }

    std::uint16_t upstream_port_;
    Chooser choose_;
    std::mutex mutex_;
    int connections_ = 0;
    std::atomic<std::uint64_t> total_from_client_ = 0;
    std::atomic<std::uint64_t> total_from_server_ = 0;
    RawServer server_;  // last: its threads use the rest
};

}  // namespace backstay::testing
