// Bodies that a handler reads as they come.
#include <gtest/gtest.h>

#include <atomic>

#include "tests/support/raw_client.h"
#include "tests/support/test_server.h"

namespace backstay::http {
namespace {

using testing::RawClient;
using testing::TestServer;

Server::Options streamed(std::uint64_t limit = 64 << 20) {
    Server::Options options;
    options.limits.body_bytes = 100;
    options.limits.body_ms = 400;
    options.streamed_body = [limit](const Request& request) -> std::optional<std::uint64_t> {
        if (request.path == "/put") return limit;
        return std::nullopt;
    };
    return options;
}

// Counts what it reads, and answers with the sum at the end; reads only when allowed to.
struct Reader {
    std::unique_ptr<Exchange> exchange;
    std::string text;
    std::size_t bytes = 0;
    int pieces = 0;
    std::atomic<bool> broken = false;
    std::atomic<bool> begun = false;
    bool greedy = true;

    void operator()(std::unique_ptr<Exchange> given) {
        exchange = std::move(given);
        bytes = 0;
        begun = true;
        if (greedy) next();
    }
    void next() {
        exchange->read_body([this](BodyPiece piece) {
            bytes += piece.bytes.size();
            ++pieces;
            if (bytes < 1000) text += piece.bytes;
            if (piece.broken) {
                broken = true;
                exchange.reset();
            } else if (piece.end) {
                Response response;
                response.body = std::to_string(bytes);
                std::exchange(exchange, nullptr)->respond(std::move(response));
            } else {
                next();
            }
        });
    }
};

TestServer serve(Reader& reader, Server::Options options) {
    return TestServer([&](std::unique_ptr<Exchange> exchange) { reader(std::move(exchange)); }, std::move(options));
}

std::string head(std::size_t length, const std::string& more = "") {
    return "POST /put HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(length) + "\r\n" + more + "\r\n";
}

bool comes(const std::atomic<bool>& flag) {
    const std::int64_t until = steady_ms() + 5000;
    while (!flag && steady_ms() < until) std::this_thread::yield();
    return flag;
}

TEST(ServerBody, IsReadInPiecesAndTheConnectionServesTheNextRequest) {
    Reader reader;
    TestServer server = serve(reader, streamed());
    RawClient client(server.port());
    const std::string body(3 << 20, 'x');
    client.send(head(body.size()) + body);
    EXPECT_EQ(client.read_answer().value().body, std::to_string(body.size()));
    EXPECT_GT(reader.pieces, 10);
    client.send(head(2) + "ab" + head(0) +
                "POST /put HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    EXPECT_EQ(client.read_answer().value().body, "2");
    EXPECT_TRUE(client.read_answer());
    client.send("4\r\ndefg\r\n0\r\n\r\n");
    EXPECT_EQ(client.read_answer().value().status, 200);
    EXPECT_TRUE(reader.text.ends_with("abcdefg"));
}

TEST(ServerBody, HoldsThePeerBackUntilItIsWanted) {
    Reader reader;
    reader.greedy = false;
    TestServer server = serve(reader, streamed());
    RawClient client(server.port());
    const int size = 64 * 1024;
    ::setsockopt(client.socket(), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    client.send(head(64 << 20));
    ASSERT_TRUE(comes(reader.begun));
    const std::string piece(64 * 1024, 'x');
    std::size_t sent = 0;
    const timeval brief{1, 0};
    ::setsockopt(client.socket(), SOL_SOCKET, SO_SNDTIMEO, &brief, sizeof(brief));
    while (sent < (48U << 20U) && client.send(piece)) sent += piece.size();
    EXPECT_LT(sent, 24U << 20U) << "what the system buffers, not the body";
    server.run([&] { reader.exchange.reset(); });
}

TEST(ServerBody, IsAskedForByContinueOnlyWhenItIsWanted) {
    Reader reader;
    reader.greedy = false;
    TestServer server = serve(reader, streamed());
    RawClient client(server.port());
    client.send(head(3, "Expect: 100-continue\r\n"));
    ASSERT_TRUE(comes(reader.begun));
    server.run([&] { reader.next(); });
    EXPECT_NE(client.take_until("\r\n\r\n").value_or("").find("100 Continue"), std::string::npos);
    client.send("abc");
    EXPECT_EQ(client.read_answer().value().body, "3");
}

TEST(ServerBody, IsRefusedWhenItIsAnnouncedOrBecomesTooLarge) {
    Reader reader;
    TestServer server = serve(reader, streamed(10));
    RawClient announced(server.port());
    announced.send(head(11));
    EXPECT_EQ(announced.read_answer().value().status, 413);
    EXPECT_FALSE(reader.begun);
    RawClient grown(server.port());
    grown.send(
        "POST /put HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n");
    EXPECT_EQ(grown.read_answer().value().status, 413);
    EXPECT_TRUE(comes(reader.broken));
    RawClient gathered(server.port());
    gathered.send("POST /other HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n");
    EXPECT_EQ(gathered.read_answer().value().status, 413) << "others keep the usual limit";
}

TEST(ServerBody, BreaksWhenThePeerLeavesEndsOrStalls) {
    for (const int how : {0, 1, 2}) {
        Reader reader;
        TestServer server = serve(reader, streamed());
        RawClient client(server.port());
        client.send(head(10) + "abc");
        ASSERT_TRUE(comes(reader.begun));
        if (how == 0) client.close();
        if (how == 1) client.half_close();
        EXPECT_TRUE(comes(reader.broken)) << how;
        EXPECT_EQ(reader.text, "abc");
    }
}

TEST(ServerBody, AnsweredBeforeItsEndEndsTheConnection) {
    TestServer server(
        [](std::unique_ptr<Exchange> exchange) {
            Response response;
            response.status = 409;
            exchange->respond(std::move(response));
        },
        streamed());
    RawClient client(server.port());
    client.send(head(100) + "abc");
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 409);
    EXPECT_NE(answer->head.find("Connection: close"), std::string::npos);
    client.half_close();
    EXPECT_EQ(client.read_to_end(), "");
}

}  // namespace
}  // namespace backstay::http
