#include "control-plane-client/client.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/raw_server.h"

namespace backstay::control_plane {
namespace {

using backstay::testing::RawServer;
using ::testing::HasSubstr;
using ::testing::Not;

// Answers every request with the same text and remembers the last request.
class Peer {
public:
    Peer(std::string status, std::string body, std::string headers = "")
        : text_(fmt::format("HTTP/1.1 {}\r\nContent-Type: application/json\r\n{}Content-Length: {}\r\n\r\n{}", status,
                            headers, body.size(), body)),
          server_([this](int socket) {
              const std::string request = RawServer::read_request(socket);
              {
                  const std::lock_guard lock(mutex_);
                  request_ = request;
              }
              RawServer::send_text(socket, text_);
          }) {}
    ControlPlaneClient client(const std::string& credential = "cred") {
        return ControlPlaneClient({server_.url() + "/", "", credential, {}});
    }
    std::string request() {
        const std::lock_guard lock(mutex_);
        return request_;
    }

private:
    std::mutex mutex_;
    std::string text_;
    std::string request_;
    RawServer server_;
};

TEST(ControlPlaneClient, EnrolsWithoutCredentialAndReadsItsOwn) {
    Peer peer("200 OK", R"({"agentId":"a1","organizationId":"o1","name":"erp1","credential":"c1","extra":1})");
    const auto answer = peer.client("").enroll({"one-time", "erp1", "0.1.0", 1});
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->agent_id, "a1");
    EXPECT_EQ(answer->credential, "c1");
    EXPECT_THAT(peer.request(), HasSubstr("POST /agent/v1/enroll HTTP/1.1"));
    EXPECT_THAT(peer.request(), Not(HasSubstr("Authorization")));
}

TEST(ControlPlaneClient, SendsItsCredentialWithEverythingElse) {
    Peer peer("200 OK", R"({"acks":[{"jobId":"j","fence":1,"seq":4,"refused":false,"message":""}]})");
    const auto answer = peer.client().report({"i1", {}});
    ASSERT_TRUE(answer) << answer.error().message();
    ASSERT_EQ(answer->acks.size(), 1U);
    EXPECT_EQ(answer->acks[0].seq, 4);
    EXPECT_THAT(peer.request(), HasSubstr("Authorization: Bearer cred"));
    EXPECT_THAT(peer.request(), HasSubstr("POST /agent/v1/reports"));
}

TEST(ControlPlaneClient, TellsFailuresApartThatAskForDifferentThings) {
    Peer denied("401 Unauthorized", R"({"detail":"credential revoked"})");
    auto answer = denied.client().heartbeat({});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), Errc::denied);
    EXPECT_THAT(answer.error().message(), HasSubstr("credential revoked"));
    EXPECT_THAT(answer.error().message(), Not(HasSubstr("cred\n")));

    Peer duplicate("409 Conflict", R"({"detail":"duplicate_agent"})");
    answer = duplicate.client().heartbeat({});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), Errc::conflict);

    Peer busy("503 Service Unavailable", "{}", "Retry-After: 7\r\n");
    answer = busy.client().heartbeat({});
    ASSERT_FALSE(answer);
    EXPECT_TRUE(answer.error().transient());
    EXPECT_EQ(answer.error().facts().at("retry_after_s"), "7");
}

TEST(ControlPlaneClient, RefusesAnAnswerThatItDoesNotUnderstand) {
    Peer broken("200 OK", R"({"serverTime":12})");
    const auto answer = broken.client().heartbeat({});
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().message(), HasSubstr("serverTime"));
}

TEST(ControlPlaneClient, SaysThatNobodyAnswers) {
    ControlPlaneClient client({"http://127.0.0.1:1", "", "c", {}});  // tcpmux: nobody listens there
    const auto answer = client.next_assignments({"i", 10, 1});
    ASSERT_FALSE(answer);
    EXPECT_TRUE(answer.error().transient());
}

}  // namespace
}  // namespace backstay::control_plane
