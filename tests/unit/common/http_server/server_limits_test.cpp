#include <gtest/gtest.h>

#include <future>

#include "tests/support/raw_client.h"
#include "tests/support/test_server.h"

namespace backstay::http {
namespace {

using testing::RawAnswer;
using testing::RawClient;
using testing::TestServer;

void ok(std::unique_ptr<Exchange> exchange) { exchange->respond({200, {}, "ok"}); }

ServerLimits impatient() {
    ServerLimits limits;
    limits.head_ms = 300;
    limits.body_ms = 300;
    limits.idle_ms = 300;
    limits.write_stall_ms = 500;
    return limits;
}

// Polls until it holds or five seconds have gone.
bool eventually(const std::function<bool()>& holds) {
    for (const std::int64_t until = steady_ms() + 5000; steady_ms() < until;) {
        if (holds()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
}

TEST(ServerLimits, CutsAHeadThatDrips) {
    TestServer server(ok, impatient());
    RawClient client(server.port());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n");
    const std::int64_t begun = steady_ms();
    std::jthread dripping([&](const std::stop_token& stop) {
        while (!stop.stop_requested() && client.send("X-A: b\r\n")) {
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    });
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 408);
    EXPECT_LT(steady_ms() - begun, 2000);
}

TEST(ServerLimits, CutsABodyThatDrips) {
    TestServer server(ok, impatient());
    RawClient client(server.port());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc");
    EXPECT_EQ(client.read_answer().value_or(RawAnswer{}).status, 408);
    EXPECT_TRUE(client.closed());
}

TEST(ServerLimits, ClosesSilentAndIdleConnections) {
    TestServer server(ok, impatient());
    RawClient silent(server.port());
    RawClient idle(server.port());
    idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(idle.read_answer());
    EXPECT_TRUE(silent.closed());
    EXPECT_TRUE(idle.closed());
    EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST(ServerLimits, ParksAPollLongerThanEveryLimit) {
    std::unique_ptr<Exchange> parked;
    std::promise<void> begun;
    TestServer server(
        [&](std::unique_ptr<Exchange> exchange) {
            parked = std::move(exchange);
            begun.set_value();
        },
        impatient());
    RawClient client(server.port());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    begun.get_future().wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(1000));  // what is tested is the passing of time
    server.run([&] { parked->respond({200, {}, "at last"}); });
    EXPECT_EQ(client.read_answer().value_or(RawAnswer{}).body, "at last");
}

TEST(ServerLimits, CutsAPeerThatTakesNothing) {
    TestServer server(
        [](std::unique_ptr<Exchange> exchange) {
            exchange->respond({200, {}, std::string(64 << 20, 'x')});
        },
        impatient());
    RawClient client(server.port());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(eventually([&] { return server.connections() == 1; }));
    EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
}

TEST(ServerLimits, KeepsAPeerThatTakesItsAnswerSlowly) {
    const std::size_t size = 16 << 20;
    TestServer server(
        [](std::unique_ptr<Exchange> exchange) {
            exchange->respond({200, {}, std::string(size, 'x')});
        },
        impatient());
    for (const char* connection : {"keep-alive", "close"}) {
        RawClient client(server.port());
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: " + std::string(connection) + "\r\n\r\n");
        ASSERT_TRUE(client.take_until("\r\n\r\n"));
        std::size_t taken = 0;
        for (const std::int64_t until = steady_ms() + 3000; steady_ms() < until; taken += 100'000) {
            ASSERT_TRUE(client.take(100'000)) << connection << " after " << taken;
            std::this_thread::sleep_for(std::chrono::milliseconds(30));  // longer than any limit in all
        }
        EXPECT_TRUE(client.take(size - taken)) << connection;
    }
}

TEST(ServerLimits, RefusesALongHeadALongTargetAndAFloodOfFields) {
    TestServer server(ok);
    const auto status_of = [&](const std::string& request) {
        RawClient client(server.port());
        client.send(request);
        const auto answer = client.read_answer().value_or(RawAnswer{});
        EXPECT_TRUE(client.closed());
        return answer.status;
    };
    EXPECT_EQ(status_of("GET /" + std::string(40'000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n"), 414);
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(40'000, 'a') + "\r\n\r\n"), 431);
    std::string flood = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 0; i < 150; ++i) flood += "X-" + std::to_string(i) + ": b\r\n";
    EXPECT_EQ(status_of(flood + "\r\n"), 431);
    flood = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 0; i < 5000; ++i) flood += "X-" + std::to_string(i) + ": b\r\n";
    EXPECT_EQ(status_of(flood), 431);
}

TEST(ServerLimits, RefusesABodyThatIsTooLarge) {
    ServerLimits limits;
    limits.body_bytes = 1000;
    TestServer server(ok, limits);
    const auto status_of = [&](const std::string& request) {
        RawClient client(server.port());
        client.send(request);
        return client.read_answer().value_or(RawAnswer{}).status;
    };
    const std::string length = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ";
    const std::string chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    EXPECT_EQ(status_of(length + "1000\r\n\r\n" + std::string(1000, 'x')), 200);
    EXPECT_EQ(status_of(length + "1001\r\n\r\n" + std::string(1001, 'x')), 413);
    EXPECT_EQ(status_of(length + "1001\r\n\r\n"), 413) << "refused before the body comes";
    EXPECT_EQ(status_of(length + "1001\r\nExpect: 100-continue\r\n\r\n"), 413) << "refused before it is invited";
    EXPECT_EQ(status_of(length + "9223372036854775807\r\n\r\n"), 413);
    EXPECT_EQ(status_of(chunked + "3e8\r\n" + std::string(1000, 'x') + "\r\n0\r\n\r\n"), 200);
    EXPECT_EQ(status_of(chunked + "3e9\r\n" + std::string(1001, 'x') + "\r\n0\r\n\r\n"), 413);
    EXPECT_EQ(status_of(chunked + "7fffffffffffffff\r\n" + std::string(2000, 'x')), 413);
    std::string crumbs = chunked;
    for (int i = 0; i < 1001; ++i) crumbs += "1\r\nx\r\n";
    EXPECT_EQ(status_of(crumbs), 413);
}

TEST(ServerLimits, AnswersA413ToAClientThatIsStillSending) {
    TestServer server(ok);
    RawClient client(server.port());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
    for (int i = 0; i < 30; ++i) client.send(std::string(100'000, 'x'));
    EXPECT_EQ(client.read_answer().value_or(RawAnswer{}).status, 413);
    EXPECT_TRUE(client.closed());
}

TEST(ServerLimits, KeepsPipelinedInputBounded) {
    std::unique_ptr<Exchange> parked;
    std::promise<void> begun;
    int handed = 0;
    TestServer server([&](std::unique_ptr<Exchange> exchange) {
        if (++handed > 1) return ok(std::move(exchange));
        parked = std::move(exchange);
        begun.set_value();
    });
    RawClient client(server.port());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    begun.get_future().wait();
    const int enough = 500'000;
    std::string flood;
    for (int i = 0; i < 1000; ++i) flood += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    std::atomic<int> sent = 0;
    std::jthread sending([&] {
        while (sent < enough && client.send(flood)) sent += 1000;
    });
    // The sender gets stuck, since the server reads no more of it.
    int before = -1;
    EXPECT_TRUE(eventually([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        return before == std::exchange(before, sent.load());
    }));
    EXPECT_LT(sent, enough);
    server.run([&] { parked->respond({200, {}, "first"}); });
    EXPECT_EQ(client.read_answer().value_or(RawAnswer{}).body, "first");
    for (int i = 0; i < 3000; ++i) ASSERT_EQ(client.read_answer().value_or(RawAnswer{}).body, "ok");
    ::shutdown(client.socket(), SHUT_RDWR);
}

TEST(ServerLimits, KeepsAnswersToAPipeliningPeerThatNeverReadsBounded) {
    int handed = 0;
    TestServer server([&](std::unique_ptr<Exchange> exchange) {
        ++handed;
        exchange->respond({200, {}, std::string(1 << 20, 'x')});
    });
    RawClient client(server.port());
    std::string flood;
    for (int i = 0; i < 1500; ++i) flood += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    client.send(flood);
    int before = -1;
    EXPECT_TRUE(eventually([&] {
        int now = 0;
        server.run([&] { now = handed; });
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        return now > 0 && before == std::exchange(before, now);
    }));
    EXPECT_LT(handed, 40) << "the rest waits until the peer reads";
}

TEST(ServerLimits, ClosesConnectionsBeyondTheLimit) {
    ServerLimits limits;
    limits.connections = 3;
    TestServer server(ok, limits);
    std::vector<RawClient> clients;
    for (int i = 0; i < 3; ++i) {
        clients.emplace_back(server.port());
        clients.back().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        ASSERT_TRUE(clients.back().read_answer());
    }
    RawClient one_more(server.port());
    EXPECT_TRUE(one_more.closed());
    clients.pop_back();
    EXPECT_TRUE(eventually([&] { return server.connections() == 2; }));
    RawClient next(server.port());
    next.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(next.read_answer());
}

}  // namespace
}  // namespace backstay::http
