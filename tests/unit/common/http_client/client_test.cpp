#include "common/http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>
#include <thread>

#include "common/clock.h"
#include "tests/support/raw_server.h"
#include "tests/support/streams.h"
#include "tests/support/temp_dir.h"

namespace backstay::http {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::RawServer;

namespace {

std::string answer(std::string_view body, std::string_view head = "200 OK") {
    return fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n{}", head, body.size(), body);
}

// Answers each request with itself.
void echo(int socket) {
    for (std::string text = RawServer::read_request(socket); !text.empty(); text = RawServer::read_request(socket)) {
        RawServer::send_text(socket, answer(text));
    }
}

ClientRequest get(const std::string& url) {
    ClientRequest request;
    request.url = url;
    return request;
}

ClientOptions quick() {
    ClientOptions options;
    options.stall_ms = 400;
    return options;
}

}  // namespace

TEST(HttpClient, SendsThePathAsItIsAndNothingThatNobodyAskedFor) {
    RawServer server(echo);
    Client client({});
    const auto response = client.perform(get(server.url("/a/../b%2Fc?x=%20&uploads=")));
    ASSERT_TRUE(response) << response.error().message();
    EXPECT_EQ(response->status, 200);
    EXPECT_THAT(response->body, HasSubstr("GET /a/../b%2Fc?x=%20&uploads= HTTP/1.1\r\n"));
    EXPECT_THAT(response->body, Not(HasSubstr("Accept")));
    EXPECT_THAT(response->body, Not(HasSubstr("Content-Type")));
    EXPECT_THAT(response->body, HasSubstr("User-Agent: backstay"));
}

TEST(HttpClient, SendsBodiesFromTextBytesAndSource) {
    RawServer server(echo);
    Client client({});
    ClientRequest request = get(server.url());
    request.method = "PUT";
    request.headers.add("x-empty", "");
    request.body = "text body";
    auto response = client.perform(request);
    ASSERT_TRUE(response) << response.error().message();
    EXPECT_THAT(response->body, HasSubstr("PUT / HTTP/1.1"));
    EXPECT_THAT(response->body, HasSubstr("x-empty:\r\n"));
    EXPECT_THAT(response->body, HasSubstr("Content-Length: 9\r\n\r\ntext body"));
    EXPECT_THAT(response->body, Not(HasSubstr("Expect")));
    request.body_bytes = as_bytes("kept bytes");
    response = client.perform(request);
    ASSERT_TRUE(response);
    EXPECT_THAT(response->body, HasSubstr("Content-Length: 10\r\n\r\nkept bytes"));
    StringSource source("from a source");
    request.body_source = &source;
    request.body_source_bytes = 13;
    response = client.perform(request);
    ASSERT_TRUE(response);
    EXPECT_THAT(response->body, HasSubstr("Content-Length: 13\r\n\r\nfrom a source"));
}

TEST(HttpClient, SendsAnEmptyPutWithItsLength) {
    RawServer server(echo);
    Client client({});
    ClientRequest request = get(server.url());
    request.method = "PUT";
    const auto response = client.perform(request);
    ASSERT_TRUE(response);
    EXPECT_THAT(response->body, HasSubstr("Content-Length: 0\r\n"));
}

TEST(HttpClient, KeepsItsConnectionAndSurvivesItsEnd) {
    std::atomic<int> connections = 0;
    RawServer server([&](int socket) {
        ++connections;
        for (int i = 0; i < 2; ++i) {
            const std::string text = RawServer::read_request(socket);
            if (text.empty()) return;
            RawServer::send_text(socket, answer(text));
        }
    });
    Client client({});
    ClientRequest request = get(server.url());
    request.method = "PUT";
    request.body = std::string(300'000, 'b');
    for (int i = 0; i < 6; ++i) {
        const auto response = client.perform(request);
        ASSERT_TRUE(response) << response.error().message();
        EXPECT_THAT(response->body, HasSubstr(request.body));
    }
    EXPECT_EQ(connections, 3);
}

// libcurl wants to send again, cannot connect, and would still want to with its handle's next request.
TEST(HttpClient, SendsASourceAfterAServerThatDied) {
    std::promise<void> asked_again;
    std::optional<RawServer> dying(std::in_place, [&](int socket) {
        RawServer::send_text(socket, answer(RawServer::read_request(socket)));
        RawServer::read_request(socket);
        asked_again.set_value();
        RawServer::wait_for_close(socket);
    });
    RawServer other(echo);
    Client client({});
    const auto send = [&](const std::string& url) {
        StringSource source("from a source");
        ClientRequest request = get(url);
        request.method = "POST";
        request.body_source = &source;
        request.body_source_bytes = 13;
        return client.perform(request);
    };
    const std::string url = dying->url();
    EXPECT_TRUE(send(url));
    const std::jthread killer([&] {
        asked_again.get_future().wait();
        dying.reset();
    });
    EXPECT_FALSE(send(url));
    const auto response = send(other.url());
    ASSERT_TRUE(response) << response.error().message();
    EXPECT_THAT(response->body, HasSubstr("\r\n\r\nfrom a source"));
}

TEST(HttpClient, StreamsASuccessfulBodyAndKeepsAnErrorBody) {
    RawServer server([](int socket) {
        RawServer::read_request(socket);
        RawServer::send_text(socket, answer("the content"));
        RawServer::read_request(socket);
        RawServer::send_text(socket, answer("the reason", "404 Not Found"));
    });
    Client client({});
    StringSink sink(100);
    ClientRequest request = get(server.url());
    request.body_sink = &sink;
    auto response = client.perform(request);
    ASSERT_TRUE(response);
    EXPECT_EQ(sink.text(), "the content");
    EXPECT_EQ(response->body, "");
    response = client.perform(request);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 404);
    EXPECT_EQ(response->body, "the reason");
    EXPECT_EQ(sink.text(), "the content");
}

TEST(HttpClient, PassesOnTheErrorsOfSourceAndSink) {
    RawServer server([](int socket) {
        if (RawServer::read_request(socket).starts_with("GET")) RawServer::send_text(socket, answer("0123456789"));
    });
    Client client({});
    StringSink tiny(4);
    ClientRequest request = get(server.url());
    request.body_sink = &tiny;
    auto response = client.perform(request);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code(), Errc::exhausted);
    testing::FailingSource source(1000);
    ClientRequest upload = get(server.url());
    upload.method = "PUT";
    upload.body_source = &source;
    upload.body_source_bytes = 5000;
    response = client.perform(upload);
    ASSERT_FALSE(response);
    EXPECT_THAT(response.error().message(), HasSubstr("the producer died"));
}

TEST(HttpClient, DoesNotFollowRedirects) {
    RawServer server([](int socket) {
        RawServer::read_request(socket);
        RawServer::send_text(socket, "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
    });
    const auto response = Client({}).perform(get(server.url()));
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 302);
    EXPECT_EQ(response->headers.get("location"), "/elsewhere");
}

TEST(HttpClient, LimitsTheBodyThatItCollects) {
    RawServer server([](int socket) {
        RawServer::read_request(socket);
        RawServer::send_text(socket, answer(std::string(2000, 'x')));
    });
    ClientRequest request = get(server.url());
    request.body_limit = 1999;
    const auto response = Client({}).perform(request);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code(), Errc::exhausted);
}

TEST(HttpClient, CallsABrokenAnswerUnavailable) {
    RawServer cut([](int socket) {
        RawServer::read_request(socket);
        RawServer::send_text(socket, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
    });
    RawServer reset([](int socket) {
        RawServer::read_request(socket);
        RawServer::reset(socket);
    });
    RawServer silent([](int) {});
    for (const std::string& url : {cut.url(), reset.url(), silent.url(), std::string("http://127.0.0.1:1/"),
                                   std::string("http://no-such-host.invalid/")}) {
        const auto response = Client(quick()).perform(get(url));
        ASSERT_FALSE(response) << url;
        EXPECT_EQ(response.error().code(), Errc::unavailable) << url << response.error().message();
    }
    EXPECT_EQ(Client({}).perform(get("ftp://127.0.0.1/")).error().code(), Errc::invalid);
}

TEST(HttpClient, GivesUpWhenNoByteMoves) {
    RawServer mute(RawServer::wait_for_close);
    RawServer stuck([](int socket) {
        RawServer::read_request(socket);
        RawServer::send_text(socket, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin");
        RawServer::wait_for_close(socket);
    });
    for (const std::string& url : {mute.url(), stuck.url()}) {
        const std::int64_t began = steady_ms();
        const auto response = Client(quick()).perform(get(url));
        ASSERT_FALSE(response);
        EXPECT_EQ(response.error().code(), Errc::timed_out);
        EXPECT_LT(steady_ms() - began, 5000);
    }
}

TEST(HttpClient, KeepsToTheTotalLimit) {
    RawServer slow([](int socket) {
        RawServer::read_request(socket);
        RawServer::send_text(socket, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        pollfd closing{socket, POLLIN, 0};
        while (::poll(&closing, 1, 50) == 0) RawServer::send_text(socket, "x");
    });
    ClientRequest request = get(slow.url());
    request.total_ms = 300;
    const auto response = Client(quick()).perform(request);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code(), Errc::timed_out);
}

TEST(HttpClient, StopsAtOnceWhenAsked) {
    RawServer mute(RawServer::wait_for_close);
    std::stop_source stop;
    ClientRequest request = get(mute.url());
    request.stop = stop.get_token();
    std::atomic<bool> ready = false;
    std::jthread stopper([&] {
        while (!ready) std::this_thread::yield();
        stop.request_stop();
    });
    const std::int64_t began = steady_ms();
    ready = true;
    const auto response = Client({}).perform(request);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code(), Errc::cancelled);
    EXPECT_LT(steady_ms() - began, 5000);
}

TEST(HttpClient, TalksOverAUnixSocket) {
    testing::TempDir folder;
    RawServer server(echo, folder.path() + "/s");
    ClientOptions options;
    options.unix_socket = folder.path() + "/s";
    const auto response = Client(options).perform(get("http://agent/v1/status"));
    ASSERT_TRUE(response) << response.error().message();
    EXPECT_THAT(response->body, HasSubstr("GET /v1/status"));
    EXPECT_THAT(response->body, HasSubstr("Host: agent"));
}

TEST(HttpClient, StreamsEventsUntilTheReaderHasEnough) {
    RawServer server([](int socket) {
        RawServer::read_request(socket);
        RawServer::send_text(socket, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        pollfd closing{socket, POLLIN, 0};
        while (::poll(&closing, 1, 5) == 0) RawServer::send_text(socket, "5\r\nevent\r\n");
    });
    std::string seen;
    Client client({});
    const auto response = client.stream(get(server.url()), [&](std::string_view bytes) {
        seen += bytes;
        return seen.size() < 15;
    });
    ASSERT_TRUE(response) << response.error().message();
    EXPECT_EQ(response->status, 200);
    EXPECT_THAT(seen, HasSubstr("eventeventevent"));
}

TEST(HttpClient, RefusesHeadersThatBreakTheLine) {
    ClientRequest request = get("http://127.0.0.1:1/");
    request.headers.add("x-a", "b\r\nx-evil: 1");
    EXPECT_EQ(Client({}).perform(request).error().code(), Errc::invalid);
}

}  // namespace backstay::http
