#include <gtest/gtest.h>
#include <sys/stat.h>

#include <future>
#include <mutex>

#include "common/http/client.h"
#include "common/http/server.h"
#include "tests/support/raw_client.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_server.h"

namespace backstay::http {
namespace {

using testing::RawAnswer;
using testing::RawClient;
using testing::TestServer;

// Answers with what it understood.
void echo(std::unique_ptr<Exchange> exchange) {
    const Request& request = exchange->request();
    Response response;
    response.headers.set("Content-Type", "text/plain");
    response.body = request.method + " " + request.path;
    for (const auto& [name, value] : request.query) response.body += " " + name + "=" + value;
    if (!request.body.empty()) response.body += " [" + request.body + "]";
    exchange->respond(std::move(response));
}

std::string get(const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"; }

TEST(Server, AnswersARequest) {
    TestServer server(echo);
    RawClient client(server.port());
    client.send(get("/a%20b?x=1&y=a+b%2B"));
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "GET /a b x=1 y=a b+");
    EXPECT_NE(RawClient::field(*answer, "date"), "");
    EXPECT_EQ(RawClient::field(*answer, "content-type"), "text/plain");
    EXPECT_EQ(RawClient::field(*answer, "content-length"), std::to_string(answer->body.size()));
    EXPECT_FALSE(RawClient::has(*answer, "connection:"));
}

TEST(Server, KeepsAConnectionForManyRequests) {
    TestServer server(echo);
    RawClient client(server.port());
    for (int i = 0; i < 50; ++i) {
        client.send("POST /n HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n" + std::to_string(10 + i));
        const auto answer = client.read_answer();
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->body, "POST /n [" + std::to_string(10 + i) + "]");
    }
    EXPECT_EQ(server.connections(), 1U);
}

TEST(Server, UnderstandsARequestThatComesByteByByte) {
    TestServer server(echo);
    RawClient client(server.port());
    for (const char c : std::string("POST /s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                    "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n")) {
        client.send(std::string(1, c));
    }
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, "POST /s [abc0123456789]");
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
    TestServer server(echo);
    RawClient client(server.port());
    std::string all;
    for (int i = 0; i < 200; ++i) {
        all += get("/" + std::to_string(i));
        all += "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
    }
    client.send(all);
    for (int i = 0; i < 200; ++i) {
        EXPECT_EQ(client.read_answer().value_or(RawAnswer{}).body, "GET /" + std::to_string(i));
        EXPECT_EQ(client.read_answer().value_or(RawAnswer{}).body, "POST /p [x]");
    }
}

TEST(Server, AnswersPipelinedRequestsInOrderWhenAnswersComeLater) {
    std::vector<std::unique_ptr<Exchange>> parked;
    TestServer server([&](std::unique_ptr<Exchange> exchange) { parked.push_back(std::move(exchange)); });
    RawClient client(server.port());
    client.send(get("/1") + get("/2") + get("/3"));
    for (const char* path : {"/1", "/2", "/3"}) {
        std::promise<void> answered;
        std::function<void()> look = [&] {
            if (parked.empty()) return server.loop().post(look);
            EXPECT_EQ(parked.size(), 1U) << "the next request is handed over after the answer only";
            const auto exchange = std::move(parked.front());
            parked.clear();
            EXPECT_EQ(exchange->request().path, path);
            exchange->respond({200, {}, exchange->request().path});
            answered.set_value();
        };
        server.loop().post(look);
        answered.get_future().wait();
        EXPECT_EQ(client.read_answer().value_or(RawAnswer{}).body, path);
    }
}

TEST(Server, NeverCallsTheHandlerFromInsideAnAnswer) {
    std::unique_ptr<Exchange> parked;
    bool answering = false;
    int handed = 0;
    TestServer server([&](std::unique_ptr<Exchange> exchange) {
        EXPECT_FALSE(answering);
        ++handed;
        parked = std::move(exchange);
    });
    RawClient client(server.port());
    constexpr int kRequests = 20;
    std::string all;
    for (int i = 0; i < kRequests; ++i) all += get("/" + std::to_string(i));
    client.send(all);
    for (int i = 0; i < kRequests; ++i) {
        bool answered = false;
        for (const std::int64_t until = steady_ms() + 5000; !answered && steady_ms() < until;) {
            server.run([&] {
                if (parked == nullptr) return;
                const auto exchange = std::move(parked);
                answering = true;
                exchange->respond({200, {}, exchange->request().path});
                answering = false;
                answered = true;
            });
        }
        EXPECT_EQ(client.read_answer().value_or(RawAnswer{}).body, "/" + std::to_string(i));
    }
    EXPECT_EQ(handed, kRequests);
}

TEST(Server, AnswersAPeerThatHalfClosed) {
    TestServer server(echo);
    RawClient client(server.port());
    client.send(get("/last"));
    client.half_close();
    EXPECT_EQ(client.read_answer().value_or(RawAnswer{}).body, "GET /last");
    EXPECT_TRUE(client.closed());
}

TEST(Server, AnswersAHalfClosedPeerAlsoLater) {
    std::unique_ptr<Exchange> parked;
    TestServer server([&](std::unique_ptr<Exchange> exchange) { parked = std::move(exchange); });
    RawClient client(server.port());
    client.send(get("/late"));
    client.half_close();
    const std::int64_t until = steady_ms() + 5000;
    bool answered = false;
    while (!answered && steady_ms() < until) {
        server.run([&] {
            if (parked == nullptr) return;
            parked->respond({200, {}, "late"});
            answered = true;
        });
    }
    EXPECT_EQ(client.read_answer().value_or(RawAnswer{}).body, "late");
    EXPECT_TRUE(client.closed());
}

TEST(Server, TellsAParkedPollThatItsPeerHasGone) {
    std::unique_ptr<Exchange> parked;
    std::promise<void> begun;
    std::promise<void> abandoned;
    TestServer server([&](std::unique_ptr<Exchange> exchange) {
        parked = std::move(exchange);
        parked->on_abandoned([&] {
            parked.reset();
            abandoned.set_value();
        });
        begun.set_value();
    });
    RawClient client(server.port());
    client.send(get("/poll"));
    begun.get_future().wait();
    client.close();
    EXPECT_EQ(abandoned.get_future().wait_for(std::chrono::seconds(5)), std::future_status::ready);
}

TEST(Server, AnswersForAHandlerThatForgets) {
    TestServer server([](std::unique_ptr<Exchange>) {});
    RawClient client(server.port());
    client.send(get("/"));
    EXPECT_EQ(client.read_answer().value_or(RawAnswer{}).status, 500);
}

TEST(Server, SendsNoBodyToHeadAndKeepsTheConnection) {
    TestServer server(echo);
    RawClient client(server.port());
    client.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n" + get("/y"));
    const auto head = client.read_answer(true);
    ASSERT_TRUE(head);
    EXPECT_EQ(RawClient::field(*head, "content-length"), std::to_string(std::string("HEAD /x").size()));
    EXPECT_EQ(client.read_answer().value_or(RawAnswer{}).body, "GET /y");
}

TEST(Server, SendsNoBodyAndNoLengthWith204) {
    TestServer server([](std::unique_ptr<Exchange> exchange) { exchange->respond({204, {}, "ignored"}); });
    RawClient client(server.port());
    client.send(get("/") + get("/"));
    for (int i = 0; i < 2; ++i) {
        const auto answer = client.read_answer();
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->status, 204);
        EXPECT_FALSE(RawClient::has(*answer, "content-length"));
    }
}

TEST(Server, ClosesWhenAsked) {
    TestServer server(echo);
    RawClient client(server.port());
    client.send("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + get("/ignored"));
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer);
    EXPECT_TRUE(RawClient::has(*answer, "connection: close"));
    EXPECT_TRUE(client.closed());
}

TEST(Server, SpeaksHttp10) {
    TestServer server(echo);
    RawClient client(server.port());
    client.send("GET /old HTTP/1.0\r\n\r\n");
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, "GET /old");
    EXPECT_TRUE(client.closed());
    RawClient keeping(server.port());
    for (int i = 0; i < 2; ++i) {
        keeping.send("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        EXPECT_EQ(keeping.read_answer().value_or(RawAnswer{}).body, "GET /old");
    }
}

TEST(Server, LetsAClientContinueThatAsks) {
    TestServer server(echo);
    RawClient client(server.port());
    client.send("POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(client.take_until("\r\n\r\n").value_or(""), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("abc");
    EXPECT_EQ(client.read_answer().value_or(RawAnswer{}).body, "POST /c [abc]");
}

TEST(Server, LetsNoHandlerWriteALineOfItsOwn) {
    TestServer server([](std::unique_ptr<Exchange> exchange) {
        Response response;
        response.headers.set("Location", "/a\r\nSet-Cookie: evil=1\r\n\r\nHTTP/1.1 200 OK");
        response.headers.set("Content-Length", "9999");
        response.headers.set("Transfer-Encoding", "chunked");
        response.body = "ok";
        exchange->respond(std::move(response));
    });
    RawClient client(server.port());
    client.send(get("/"));
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, "ok");
    EXPECT_FALSE(RawClient::has(*answer, "\r\nset-cookie"));
    EXPECT_FALSE(RawClient::has(*answer, "transfer-encoding"));
}

TEST(Server, ServesABigBodyToASlowReaderAndCloses) {
    const std::string big(8 << 20, 'b');
    TestServer server([&](std::unique_ptr<Exchange> exchange) { exchange->respond({200, {}, big}); });
    RawClient client(server.port());
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    std::this_thread::yield();
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body.size(), big.size());
    EXPECT_TRUE(client.closed());
}

TEST(Server, ServesOurOwnClientOverTcpAndUnixSocket) {
    std::mutex mutex;
    std::string peer;
    TestServer server([&](std::unique_ptr<Exchange> exchange) {
        const std::lock_guard lock(mutex);
        peer = exchange->request().peer;
        echo(std::move(exchange));
    });
    const testing::TempDir folder;
    const std::string path = folder.path() + "/test.sock";
    server.run([&] { ASSERT_TRUE(server.server().listen_unix(path, 0660, "")); });
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0660U);

    Client tcp({});
    ClientRequest request;
    request.url = server.url("/tcp");
    EXPECT_EQ(tcp.perform(request)->body, "GET /tcp");
    EXPECT_EQ(peer.rfind("127.0.0.1:", 0), 0U) << peer;
    ClientOptions options;
    options.unix_socket = path;
    Client local(options);
    request.url = "http://localhost/unix";
    request.method = "POST";
    request.body = std::string(300'000, 'z');
    EXPECT_EQ(local.perform(request)->body.size(), std::string("POST /unix []").size() + request.body.size());
    EXPECT_EQ(peer, "unix:uid=" + std::to_string(::getuid()));
}

TEST(Server, TakesOverAStaleSocketButNotALiveOneAndNoFile) {
    const testing::TempDir folder;
    const std::string path = folder.path() + "/a.sock";
    TestServer first(echo);
    first.run([&] { ASSERT_TRUE(first.server().listen_unix(path, 0600, "")); });
    TestServer second(echo);
    second.run([&] { EXPECT_EQ(second.server().listen_unix(path, 0600, "").error().code(), Errc::conflict); });
    const int stale = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const std::string left = folder.path() + "/b.sock";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    left.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(::bind(stale, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ::close(stale);
    second.run([&] { EXPECT_TRUE(second.server().listen_unix(left, 0600, "")); });
    const std::string file = folder.path() + "/file";
    ::fclose(::fopen(file.c_str(), "w"));
    second.run([&] {
        EXPECT_EQ(second.server().listen_unix(file, 0600, "").error().code(), Errc::conflict);
        EXPECT_EQ(second.server().listen_unix(folder.path() + "/c", 0600, "no-such-group").error().code(),
                  Errc::not_found);
        EXPECT_EQ(second.server().listen_unix("/" + std::string(120, 'x'), 0600, "").error().code(), Errc::invalid);
        EXPECT_EQ(second.server().listen_tcp("localhost", 0).error().code(), Errc::invalid);
        EXPECT_FALSE(second.server().listen_tcp("127.0.0.1", first.port()));
    });
}

TEST(Server, StopsWhenAnswersInFlightAreDone) {
    std::unique_ptr<Exchange> parked;
    std::promise<void> begun;
    TestServer server([&](std::unique_ptr<Exchange> exchange) {
        if (exchange->request().path == "/quick") return echo(std::move(exchange));
        parked = std::move(exchange);
        begun.set_value();
    });
    RawClient idle(server.port());
    idle.send(get("/quick"));
    ASSERT_TRUE(idle.read_answer());
    RawClient busy(server.port());
    busy.send(get("/slow"));
    begun.get_future().wait();
    std::promise<void> stopped;
    server.run([&] { server.server().stop(5000, [&] { stopped.set_value(); }); });
    EXPECT_TRUE(idle.closed());
    auto done = stopped.get_future();
    EXPECT_EQ(done.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
    server.run([&] { parked->respond({200, {}, "done"}); });
    const auto answer = busy.read_answer();
    ASSERT_TRUE(answer);
    EXPECT_TRUE(RawClient::has(*answer, "connection: close"));
    EXPECT_TRUE(busy.closed());
    busy.close();
    idle.close();
    EXPECT_EQ(done.wait_for(std::chrono::seconds(5)), std::future_status::ready);
}

TEST(Server, CutsWhatDoesNotEndInTime) {
    std::unique_ptr<Exchange> parked;
    std::promise<void> begun;
    TestServer server([&](std::unique_ptr<Exchange> exchange) {
        parked = std::move(exchange);
        begun.set_value();
    });
    RawClient busy(server.port());
    busy.send(get("/slow"));
    begun.get_future().wait();
    std::promise<void> stopped;
    server.run([&] { server.server().stop(50, [&] { stopped.set_value(); }); });
    EXPECT_EQ(stopped.get_future().wait_for(std::chrono::seconds(5)), std::future_status::ready);
    EXPECT_TRUE(busy.closed());
    server.run([&] { parked->respond({200, {}, "too late"}); });
}

}  // namespace
}  // namespace backstay::http
