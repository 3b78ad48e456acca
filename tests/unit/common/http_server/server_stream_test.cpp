#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "common/http/client.h"
#include "tests/support/raw_client.h"
#include "tests/support/test_server.h"

namespace backstay::http {
namespace {

using testing::RawAnswer;
using testing::RawClient;
using testing::TestServer;

Response events() {
    Response head;
    head.headers.set("Content-Type", "text/event-stream");
    return head;
}

std::string get(const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"; }

// Keeps every stream that is opened; used on the loop's thread only.
struct Feeder {
    std::vector<std::unique_ptr<ResponseStream>> streams;
    std::atomic<int> closed = 0;
    std::promise<void> opened;
    std::promise<void> gone;

    void operator()(std::unique_ptr<Exchange> exchange) {
        auto stream = exchange->open_stream(events());
        stream->on_closed([this] {
            if (++closed == 1) gone.set_value();
        });
        streams.push_back(std::move(stream));
        if (streams.size() == 1) opened.set_value();
    }
};

TEST(ServerStream, SendsEventsAsTheyComeAndEnds) {
    Feeder feeder;
    TestServer server([&](std::unique_ptr<Exchange> exchange) { feeder(std::move(exchange)); });
    RawClient client(server.port());
    client.send(get("/events") + get("/next"));
    const auto head = client.take_until("\r\n\r\n");
    ASSERT_TRUE(head);
    EXPECT_NE(head->find("text/event-stream"), std::string::npos);
    for (const char* text : {"one", "two"}) {
        server.run([&] { EXPECT_TRUE(feeder.streams[0]->write(text)); });
        EXPECT_EQ(client.take_until("\r\n").value_or(""), "3\r\n");
        EXPECT_EQ(client.take_until("\r\n").value_or(""), std::string(text) + "\r\n");
    }
    server.run([&] { feeder.streams[0]->end(); });
    EXPECT_EQ(client.take(5).value_or(""), "0\r\n\r\n");
    EXPECT_TRUE(client.take_until("\r\n\r\n")) << "the connection serves the next request";
    EXPECT_EQ(feeder.closed, 0);
}

TEST(ServerStream, TellsWhenThePeerHasGone) {
    Feeder feeder;
    TestServer server([&](std::unique_ptr<Exchange> exchange) { feeder(std::move(exchange)); });
    RawClient client(server.port());
    client.send(get("/events"));
    feeder.opened.get_future().wait();
    client.close();
    ASSERT_EQ(feeder.gone.get_future().wait_for(std::chrono::seconds(5)), std::future_status::ready);
    server.run([&] {
        EXPECT_FALSE(feeder.streams[0]->write("x"));
        EXPECT_EQ(feeder.streams[0]->buffered(), 0U);
        feeder.streams[0]->end();
    });
    EXPECT_EQ(feeder.closed, 1);
}

TEST(ServerStream, CutsAPeerThatDoesNotReadItsEvents) {
    Feeder feeder;
    TestServer server([&](std::unique_ptr<Exchange> exchange) { feeder(std::move(exchange)); });
    RawClient client(server.port());
    client.send(get("/events"));
    feeder.opened.get_future().wait();
    const std::string event(10'000, 'e');
    bool open = true;
    std::size_t most = 0;
    for (int i = 0; i < 5000 && open; ++i) {
        server.run([&] {
            open = feeder.streams[0]->write(event);
            most = std::max(most, feeder.streams[0]->buffered());
        });
    }
    EXPECT_FALSE(open);
    EXPECT_LE(most, 256U * 1024U);
    EXPECT_EQ(feeder.closed, 0) << "write() told it; a feeder that walks its streams must not be called on top";
    EXPECT_EQ(server.connections(), 0U);
}

TEST(ServerStream, FeedsALargeDownloadAtThePaceOfItsReader) {
    struct Download {
        std::unique_ptr<ResponseStream> stream;
        std::size_t left = 30 << 20;
        std::size_t most = 0;
        void feed() {
            while (left > 0 && stream->buffered() < 64 * 1024) {
                const std::size_t size = std::min<std::size_t>(left, 16 * 1024);
                if (!stream->write(std::string(size, 'd'))) return;
                left -= size;
                most = std::max(most, stream->buffered());
            }
            if (left == 0) stream->end();
        }
    } download;
    TestServer server([&](std::unique_ptr<Exchange> exchange) {
        Response head;
        head.headers.set("Content-Length", std::to_string(30 << 20));
        download.stream = exchange->open_stream(std::move(head));
        download.stream->on_drain([&] { download.feed(); });
        download.feed();
    });
    RawClient client(server.port());
    client.send(get("/"));
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body.size(), std::size_t{30 << 20});
    EXPECT_LE(download.most, 256U * 1024U);
}

TEST(ServerStream, LooksBrokenWhenItIsNotComplete) {
    std::string length;
    TestServer server([&](std::unique_ptr<Exchange> exchange) {
        Response head;
        const bool sized = exchange->request().path == "/sized";
        if (sized) head.headers.set("Content-Length", "10");
        const auto stream = exchange->open_stream(std::move(head));
        stream->write("half");
        if (sized) stream->end();
    });
    for (const char* path : {"/sized", "/chunked"}) {
        RawClient client(server.port());
        client.send(get(path));
        EXPECT_FALSE(client.read_answer()) << path;
        EXPECT_FALSE(client.timed_out());
    }
}

TEST(ServerStream, NeverSendsMoreThanItsLength) {
    TestServer server([&](std::unique_ptr<Exchange> exchange) {
        Response head;
        head.headers.set("Content-Length", "4");
        const auto stream = exchange->open_stream(std::move(head));
        EXPECT_TRUE(stream->write("four"));
        EXPECT_FALSE(stream->write("HTTP/1.1 200 OK\r\n\r\n"));
    });
    RawClient client(server.port());
    client.send(get("/"));
    const auto answer = client.read_to_end();
    EXPECT_TRUE(answer.ends_with("\r\n\r\nfour") || answer.empty()) << answer;
}

TEST(ServerStream, SendsNothingButTheHeadToHead) {
    Feeder feeder;
    TestServer server([&](std::unique_ptr<Exchange> exchange) { feeder(std::move(exchange)); });
    RawClient client(server.port());
    client.send("HEAD /events HTTP/1.1\r\nHost: a\r\n\r\n");
    feeder.opened.get_future().wait();
    server.run([&] { EXPECT_FALSE(feeder.streams[0]->write("x")); });
    client.send("HEAD /events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(client.take_until("\r\n\r\n"));
    EXPECT_TRUE(client.take_until("\r\n\r\n"));
    server.run([&] { EXPECT_FALSE(feeder.streams[1]->write("x")); });
    EXPECT_TRUE(client.closed());
}

TEST(ServerStream, EndsByClosingForHttp10) {
    TestServer server([&](std::unique_ptr<Exchange> exchange) {
        const auto stream = exchange->open_stream(events());
        stream->write("data");
        stream->end();
    });
    RawClient client(server.port());
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const std::string answer = client.read_to_end();
    EXPECT_TRUE(answer.ends_with("\r\n\r\ndata")) << answer;
    EXPECT_EQ(answer.find("chunked"), std::string::npos);
}

TEST(ServerStream, MayBeDestroyedByItsOwnCallbacks) {
    std::unique_ptr<ResponseStream> stream;
    std::promise<void> opened;
    std::promise<void> gone;
    TestServer server([&](std::unique_ptr<Exchange> exchange) {
        stream = exchange->open_stream(events());
        stream->on_closed([&] {
            stream.reset();
            gone.set_value();
        });
        opened.set_value();
    });
    RawClient client(server.port());
    client.send(get("/"));
    opened.get_future().wait();
    client.close();
    EXPECT_EQ(gone.get_future().wait_for(std::chrono::seconds(5)), std::future_status::ready);
}

TEST(ServerStream, OutlivesItsServer) {
    Feeder feeder;
    {
        TestServer server([&](std::unique_ptr<Exchange> exchange) { feeder(std::move(exchange)); });
        RawClient client(server.port());
        client.send(get("/events"));
        feeder.opened.get_future().wait();
    }
    EXPECT_EQ(feeder.closed, 1);
    EXPECT_FALSE(feeder.streams[0]->write("x"));
}

TEST(ServerStream, ServesOurOwnClient) {
    Feeder feeder;
    TestServer server([&](std::unique_ptr<Exchange> exchange) { feeder(std::move(exchange)); });
    auto reading = std::async(std::launch::async, [&] {
        Client client({});
        ClientRequest request;
        request.url = server.url("/events");
        std::string seen;
        const auto answer = client.stream(request, [&](std::string_view bytes) {
            seen += bytes;
            return true;
        });
        EXPECT_TRUE(answer);
        return seen;
    });
    feeder.opened.get_future().wait();
    server.run([&] {
        feeder.streams[0]->write("data: 1\n\n");
        feeder.streams[0]->write("data: 2\n\n");
        feeder.streams[0]->end();
    });
    EXPECT_EQ(reading.get(), "data: 1\n\ndata: 2\n\n");
}

}  // namespace
}  // namespace backstay::http
