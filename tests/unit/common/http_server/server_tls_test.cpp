#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "common/http/client.h"
#include "tests/support/raw_client.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_certificate.h"
#include "tests/support/test_server.h"

namespace backstay::http {
namespace {

using testing::RawClient;
using testing::TestServer;

struct ServerTls : ::testing::Test {
    testing::TempDir folder;
    TlsFiles files{folder.path() + "/a.crt", folder.path() + "/a.key"};

    ServerTls() {
        testing::write_certificate(folder.path(), "a");
        testing::write_certificate(folder.path(), "b");
    }

    static void echo(std::unique_ptr<Exchange> exchange) {
        const std::string body = exchange->request().body;
        exchange->respond({200, {}, body.empty() ? exchange->request().path : body});
    }

    Result<ClientResponse> ask(TestServer& server, const std::string& trusted, const std::string& body = "") const {
        ClientOptions options;
        options.ca_file = folder.path() + "/" + trusted;
        Client client(options);
        ClientRequest request;
        request.url = "https://127.0.0.1:" + std::to_string(server.port()) + "/secret";
        request.method = body.empty() ? "GET" : "POST";
        request.body = body;
        return client.perform(request);
    }

    void copy(const std::string& from, const std::string& to) const {
        std::filesystem::copy_file(folder.path() + "/" + from, folder.path() + "/" + to,
                                   std::filesystem::copy_options::overwrite_existing);
    }
};

// A client by OpenSSL itself, that speaks at most one version and trusts everybody.
class TlsClient {
public:
    TlsClient(std::uint16_t port, int version)
        : transport_(port), context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free) {
        SSL_CTX_set_security_level(context_.get(), 0);
        SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
        SSL_CTX_set_max_proto_version(context_.get(), version);
        session_.reset(SSL_new(context_.get()));
        SSL_set_fd(session_.get(), transport_.socket());
    }
    bool shakes_hands() { return SSL_connect(session_.get()) == 1; }
    void send(const std::string& text) { SSL_write(session_.get(), text.data(), static_cast<int>(text.size())); }
    // Everything up to the end, and whether that was a goodbye and not a cut.
    std::pair<std::string, bool> read_to_end() {
        std::string all;
        char piece[4096];
        while (true) {
            const int count = SSL_read(session_.get(), piece, sizeof(piece));
            if (count <= 0) return {all, SSL_get_error(session_.get(), count) == SSL_ERROR_ZERO_RETURN};
            all.append(piece, static_cast<std::size_t>(count));
        }
    }

private:
    RawClient transport_;
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
    std::unique_ptr<SSL, decltype(&SSL_free)> session_{nullptr, &SSL_free};
};

bool shakes_hands(std::uint16_t port, int version) { return TlsClient(port, version).shakes_hands(); }

TEST_F(ServerTls, SaysGoodbyeAfterTheLastAnswer) {
    TestServer server(echo, {}, &files);
    TlsClient client(server.port(), TLS1_3_VERSION);
    ASSERT_TRUE(client.shakes_hands());
    client.send("GET /bye HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const auto [answer, goodbye] = client.read_to_end();
    EXPECT_TRUE(answer.ends_with("/bye")) << answer;
    EXPECT_TRUE(goodbye) << "without it a reader cannot tell a whole answer from a cut one";
}

TEST_F(ServerTls, ServesOurOwnClientWhoTrustsIt) {
    TestServer server(echo, {}, &files);
    const auto answer = ask(server, "a.crt");
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->body, "/secret");
    EXPECT_FALSE(ask(server, "b.crt"));
}

TEST_F(ServerTls, CarriesLargeBodiesBothWays) {
    TestServer server(echo, {}, &files);
    const std::string body(1'000'000, 'q');
    const auto answer = ask(server, "a.crt", body);
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->body, body);
}

TEST_F(ServerTls, RefusesOldVersions) {
    TestServer server(echo, {}, &files);
    EXPECT_FALSE(shakes_hands(server.port(), TLS1_VERSION));
    EXPECT_FALSE(shakes_hands(server.port(), TLS1_1_VERSION));
    EXPECT_TRUE(shakes_hands(server.port(), TLS1_2_VERSION));
    EXPECT_TRUE(shakes_hands(server.port(), TLS1_3_VERSION));
}

TEST_F(ServerTls, CutsPlainRequestsAndHandshakesThatStall) {
    ServerLimits limits;
    limits.head_ms = 300;
    TestServer server(echo, limits, &files);
    RawClient plain(server.port());
    plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(plain.read_to_end().find("HTTP/"), std::string::npos);
    EXPECT_FALSE(plain.timed_out());
    RawClient stalled(server.port());
    stalled.send(std::string("\x16\x03\x01\x02\x00\x01", 6));
    stalled.read_to_end();
    EXPECT_FALSE(stalled.timed_out());
}

TEST_F(ServerTls, TakesANewCertificateAndKeepsTheOldWhenItCannot) {
    TestServer server(echo, {}, &files);
    copy("b.crt", "a.crt");
    server.run([&] {
        const auto reloaded = server.server().reload_tls();
        ASSERT_FALSE(reloaded) << "the key is not the certificate's";
        EXPECT_EQ(reloaded.error().code(), Errc::invalid);
    });
    EXPECT_FALSE(ask(server, "b.crt"));
    copy("b.key", "a.key");
    server.run([&] { EXPECT_TRUE(server.server().reload_tls()); });
    EXPECT_TRUE(ask(server, "b.crt"));
}

TEST_F(ServerTls, NamesTheFileThatCannotBeUsed) {
    const std::unique_ptr<Loop> loop = std::move(Loop::create()).value();
    const TlsFiles missing{folder.path() + "/none.crt", files.key_file};
    const auto made = Server::create(*loop, {{}, &missing, nullptr}, echo);
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().message().find("none.crt"), std::string::npos);
}

TEST_F(ServerTls, StreamsAndStops) {
    std::unique_ptr<ResponseStream> stream;
    std::promise<void> opened;
    TestServer server(
        [&](std::unique_ptr<Exchange> exchange) {
            stream = exchange->open_stream({});
            opened.set_value();
        },
        {}, &files);
    std::thread reading([&] {
        ClientOptions options;
        options.ca_file = files.certificate_file;
        Client client(options);
        ClientRequest request;
        request.url = "https://127.0.0.1:" + std::to_string(server.port()) + "/";
        std::string seen;
        const auto answer = client.stream(request, [&](std::string_view bytes) {
            seen += bytes;
            return true;
        });
        EXPECT_TRUE(answer) << answer.error().message();
        EXPECT_EQ(seen, "onetwo");
    });
    opened.get_future().wait();
    server.run([&] { stream->write("one"); });
    server.run([&] {
        stream->write("two");
        stream->end();
    });
    reading.join();
}

}  // namespace
}  // namespace backstay::http
