// Content on its way over real sockets: peers that leave, how much may be under way, and the end in the middle of it.
#include <algorithm>
#include <future>
#include <mutex>

#include "tests/unit/control-plane/browse/carrier.h"

namespace backstay::browse {
namespace {

using testing::RawClient;

control_plane::StorageAnswer object_of(std::uint64_t bytes) {
    control_plane::StorageAnswer answer;
    answer.object = {"a/object", bytes, {1}, "e"};
    return answer;
}

control_plane::StorageAnswer no_such_file() {
    control_plane::StorageAnswer answer;
    answer.failure = {"not_found", "", "no such file"};
    return answer;
}

TEST(Transfers, EndWhenTheirClientHangsUp) {
    Carrier carrier;
    for (const char* path : {"/silent", "/begun", "/endless", "/relayed"}) {
        RawClient client = carrier.get(path);
        ASSERT_TRUE(in_time([&] { return carrier.making() == 1; })) << path;
        if (std::string_view(path) == "/relayed") {
            EXPECT_EQ(carrier.next_for_agent().action, "read");
        }
        client.close();
        EXPECT_TRUE(in_time([&] { return carrier.at_rest(); })) << path << ": its thread would have been held";
    }
}

TEST(Transfers, EndWhenTheirAgentHangsUp) {
    Carrier carrier;
    RawClient client = carrier.get("/relayed");
    RawClient agent = carrier.post("/content/" + carrier.next_for_agent().request_id);
    ASSERT_TRUE(client.take_until("\r\n\r\n"));
    agent.close();
    client.read_to_end();
    EXPECT_FALSE(client.timed_out()) << "what came must not look whole, and must not wait for more";
    EXPECT_TRUE(in_time([&] { return carrier.at_rest(); }));
}

TEST(Transfers, AreBoundedForEachOrganization) {
    Carrier carrier;
    std::vector<RawClient> clients;
    for (std::size_t i = 0; i < kTransfersPerOrganization; ++i) {
        clients.push_back(carrier.get("/begun?org=a"));
        ASSERT_TRUE(clients.back().take_until("xxx\r\n"));
    }
    const auto refused = carrier.get("/begun?org=a").read_answer();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 429);
    EXPECT_EQ(RawClient::field(*refused, "retry-after"), std::to_string(kComeAgainSeconds));
    EXPECT_NE(refused->body.find("too_many_transfers"), std::string::npos);
    EXPECT_TRUE(carrier.get("/begun?org=b").take_until("xxx\r\n")) << "others are not held up";
    clients.front().close();
    EXPECT_TRUE(in_time([&] {
        return carrier.get("/begun?org=a").take_until("\r\n").value_or("").find(" 200 ") != std::string::npos;
    }));
}

TEST(Transfers, AskForOneOrganizationAfterTheOther) {
    constexpr std::size_t kNoisy = 20;
    std::promise<void> all_asked;
    std::mutex mutex;
    std::vector<std::string> begun;
    Carrier carrier;
    carrier.answer_asked([&, wait = all_asked.get_future().share()](const std::string& organization) {
        wait.wait();
        const std::lock_guard lock(mutex);
        begun.push_back(organization);
        return http::Response{200, {}, ""};
    });
    std::vector<RawClient> clients;
    for (std::size_t i = 0; i < kNoisy; ++i) clients.push_back(carrier.get("/asked?org=noisy"));
    ASSERT_TRUE(in_time([&] { return carrier.asked() == kNoisy; }));
    clients.push_back(carrier.get("/asked?org=quiet"));
    ASSERT_TRUE(in_time([&] { return carrier.asked() == kNoisy + 1; }));
    all_asked.set_value();
    for (RawClient& client : clients) EXPECT_TRUE(client.read_answer());
    EXPECT_LT(std::ranges::find(begun, "quiet") - begun.begin(), kNoisy / 2);
}

TEST(Transfers, SendOneBodyOfATicketAtATime) {
    Carrier carrier;
    RawClient first = carrier.get("/object");
    carrier.answer(carrier.next_for_agent(), object_of(5));
    const SharedPipe pipe = carrier.content(carrier.next_for_agent());
    ASSERT_NE(pipe, nullptr);
    EXPECT_TRUE(pipe->offer("abc"));
    ASSERT_TRUE(first.take_until("abc"));
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(carrier.get("/object").read_answer().value_or(testing::RawAnswer{}).status, 429);
    EXPECT_TRUE(pipe->offer("de"));
    pipe->finish();
    EXPECT_TRUE(first.take_until("de"));
    ASSERT_TRUE(in_time([&] { return carrier.at_rest(); }));
    RawClient again = carrier.get("/object");
    carrier.answer(carrier.next_for_agent(), object_of(0));
    EXPECT_EQ(again.read_answer().value_or(testing::RawAnswer{}).status, 200);
}

TEST(Uploads, EndWhenTheirClientHangsUp) {
    Carrier carrier;
    {
        RawClient early = carrier.post("/upload?path=a");
        EXPECT_EQ(carrier.next_for_agent().action, "stat");
        early.close();
        EXPECT_TRUE(in_time([&] { return carrier.at_rest(); })) << "while the destination was asked";
    }
    RawClient client = carrier.post("/upload?path=a");
    carrier.answer(carrier.next_for_agent(), no_such_file());
    const SharedPipe pipe = carrier.content(carrier.next_for_agent());
    ASSERT_NE(pipe, nullptr);
    client.close();
    EXPECT_TRUE(in_time([&] { return carrier.at_rest(); }));
    EXPECT_TRUE(in_time([&] { return pipe->take(1000).failed.has_value(); })) << "the agent must not take it for whole";
}

TEST(Uploads, CountAsTransfersOfTheirOrganization) {
    Carrier carrier;
    std::vector<RawClient> clients;
    for (std::size_t i = 0; i < kTransfersPerOrganization; ++i) {
        clients.push_back(carrier.post("/upload?path=a"));
        EXPECT_EQ(carrier.next_for_agent().action, "stat");
    }
    EXPECT_EQ(carrier.post("/upload?path=a").read_answer().value_or(testing::RawAnswer{}).status, 429);
}

TEST(Carrier, EndsInTheMiddleOfItsTransfers) {
    std::vector<RawClient> clients;
    std::vector<RawClient> agents;
    std::vector<std::thread> senders;
    {
        Carrier carrier;
        for (const char* path : {"/endless", "/endless", "/begun", "/silent", "/relayed", "/relayed", "/object"})
            clients.push_back(carrier.get(path));
        for (int i = 0; i < 3; ++i) clients.push_back(carrier.post("/upload?path=a"));
        for (int i = 0; i < 6; ++i) {
            const auto request = carrier.next_for_agent();
            if (request.action == "read") agents.push_back(carrier.post("/content/" + request.request_id));
            if (request.action == "stat" && i % 2 == 0) carrier.answer(request, no_such_file());
        }
        for (RawClient& agent : agents) {
            senders.emplace_back([&agent] {
                while (agent.send(std::string(64 * 1024, 'x'))) {
                }
            });
        }
        ASSERT_TRUE(clients.front().take(3'000'000));
    }
    for (std::thread& sender : senders) sender.join();
    for (RawClient& client : clients) {
        client.read_to_end();
        EXPECT_FALSE(client.timed_out());
    }
}

}  // namespace
}  // namespace backstay::browse
