// Requests to agents: handed out once, answered, given up.
#include <gtest/gtest.h>

#include <thread>

#include "control-plane/relay/relayed_storage.h"
#include "control-plane/relay/storage_desk.h"

namespace backstay::relay {
namespace {

using control_plane::StorageAnswer;
using control_plane::StorageRequest;

StorageRequest request(const std::string& action) {
    StorageRequest out;
    out.action = action;
    return out;
}

// Takes what waits for the agent, as its poll does.
StorageRequest taken(StorageDesk& desk, const std::string& agent) {
    const std::int64_t until = steady_ms() + 5000;
    while (steady_ms() < until) {
        if (auto found = desk.take(agent); !found.empty()) return found.front();
        std::this_thread::yield();
    }
    return {};
}

TEST(StorageDesk, HandsOutOnceAndBringsTheAnswerBack) {
    std::atomic<int> woken = 0;
    StorageDesk desk([&](const std::string& agent) { woken += agent == "a1" ? 1 : 100; });
    desk.note_poll("a1", 1);
    std::thread agent([&] {
        const StorageRequest got = taken(desk, "a1");
        EXPECT_TRUE(desk.take("a1").empty());
        EXPECT_FALSE(desk.answer("a2", got.request_id, {})) << "another agent's";
        EXPECT_FALSE(desk.expects("a2", got.request_id));
        EXPECT_TRUE(desk.expects("a1", got.request_id));
        StorageAnswer answer;
        answer.free_bytes = 7;
        EXPECT_TRUE(desk.answer("a1", got.request_id, answer));
        EXPECT_FALSE(desk.answer("a1", got.request_id, answer)) << "twice";
        EXPECT_FALSE(desk.expects("a1", got.request_id));
    });
    const auto answer = desk.ask("a1", request("free"), {});
    agent.join();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->free_bytes.value_or(0), 7U);
    EXPECT_EQ(woken, 1);
}

TEST(StorageDesk, TellsAgentsThatAreAwayFromThoseThatAreTooOld) {
    StorageDesk desk([](const std::string&) {}, {50, 50});
    EXPECT_EQ(desk.ask("gone", request("stat"), {}).error().reason(), "agent_offline");
    desk.note_poll("old", 0);
    EXPECT_EQ(desk.ask("old", request("stat"), {}).error().reason(), "agent_outdated");
    std::thread silent([&] { taken(desk, "gone"); });
    EXPECT_EQ(desk.ask("gone", request("stat"), {}).error().reason(), "agent_offline") << "taken, never answered";
    silent.join();
}

TEST(StorageDesk, PassesContentBothWaysAndFailuresOfTheAgent) {
    StorageDesk desk([](const std::string&) {});
    DestinationOrder order;
    order.type = "local";
    const auto storage = relay_storage(desk, "a1", order, {});
    std::thread agent([&] {
        const StorageRequest read = taken(desk, "a1");
        EXPECT_EQ(read.action, "read");
        EXPECT_EQ(desk.content("a2", read.request_id, "read"), nullptr);
        EXPECT_EQ(desk.content("a1", read.request_id, "write"), nullptr);
        const auto pipe = desk.content("a1", read.request_id, "read");
        EXPECT_TRUE(pipe->offer("abc"));
        pipe->finish();
        const StorageRequest write = taken(desk, "a1");
        PipeSource source(*desk.content("a1", write.request_id, "write"));
        EXPECT_EQ(*read_all(source, 100), "xyz");
        StorageAnswer stored;
        stored.object = {"k", 3, {1}, "e"};
        EXPECT_TRUE(desk.answer("a1", write.request_id, stored));
        const StorageRequest full = taken(desk, "a1");
        StorageAnswer failed;
        failed.failure = {"exhausted", "destination_full", "no room"};
        EXPECT_TRUE(desk.answer("a1", full.request_id, failed));
    });
    StringSink sink(100);
    EXPECT_TRUE(storage->get("k", {}, sink).has_value());
    EXPECT_EQ(sink.text(), "abc");
    StringSource small("xyz");
    EXPECT_EQ(storage->put("k", small, {})->etag, "e");
    StringSource large(std::string(8 << 20, 'x'));
    const auto refused = storage->put("k", large, {});
    agent.join();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), Errc::exhausted);
    EXPECT_EQ(refused.error().reason(), "destination_full");
}

TEST(StorageDesk, LetsNobodyWaitWhenItStops) {
    StorageDesk desk([](const std::string&) {});
    std::thread waiter([&] { EXPECT_EQ(desk.ask("a1", request("stat"), {}).error().code(), Errc::cancelled); });
    taken(desk, "a1");
    desk.stop();
    waiter.join();
}

}  // namespace
}  // namespace backstay::relay
