// Requests to agents: handed out once, answered, given up.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <stop_token>
#include <thread>

#include "control-plane/relay/relayed_storage.h"
#include "control-plane/relay/storage_desk.h"
#include "control-plane/store/store.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_store.h"

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
    desk.note_poll("a1", "p1", 1);
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
    desk.note_poll("old", "p1", 0);
    EXPECT_EQ(desk.ask("old", request("stat"), {}).error().reason(), "agent_outdated");
    std::thread silent([&] { taken(desk, "gone"); });
    EXPECT_EQ(desk.ask("gone", request("stat"), {}).error().reason(), "agent_offline") << "taken, never answered";
    silent.join();
}

TEST(StorageDesk, PassesContentBothWaysAndFailuresOfTheAgent) {
    StorageDesk desk([](const std::string&) {});
    DestinationOrder order;
    order.type = "local";
    const testing::TempDir folder;
    const std::string path = testing::test_store(folder.path());
    ASSERT_TRUE(store::prepare_store(path));
    auto db = store::open_store(path).value();
    const auto storage = relay_storage(desk, db, "a1", order, {});
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

bool in_time(const std::function<bool()>& so) {
    const std::int64_t until = steady_ms() + 60'000;
    while (steady_ms() < until) {
        if (so()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
}

// A request for content on a thread, as a transfer makes it.
class Fetching {
public:
    Fetching(StorageDesk& desk, const std::string& action)
        : thread_([this, &desk, action] {
              StringSink sink(1000);
              auto got = desk.fetch("a1", request(action), sink, stop_.get_token());
              error_ = got ? Error(Errc::io, "it came") : got.error();
              ended_ = true;
          }) {}
    void stop() { stop_.request_stop(); }
    bool ended() const { return ended_; }
    Error error() {
        thread_.join();
        return error_;
    }

private:
    std::stop_source stop_;
    std::atomic<bool> ended_ = false;
    Error error_{Errc::io, ""};
    std::thread thread_;
};

TEST(StorageDesk, EndsContentThatNobodyWantsAnyMoreAndTellsTheAgent) {
    StorageDesk desk([](const std::string&) {});
    desk.note_poll("a1", "p1", 2);
    for (const bool begun : {false, true}) {
        Fetching zip(desk, "odoo_zip");
        const StorageRequest got = taken(desk, "a1");
        const SharedPipe pipe = begun ? desk.content("a1", got.request_id, "odoo_zip") : nullptr;
        zip.stop();
        ASSERT_TRUE(in_time([&] { return zip.ended(); })) << "it would have been half an hour";
        EXPECT_EQ(zip.error().code(), Errc::cancelled);
        const StorageRequest cancel = taken(desk, "a1");
        EXPECT_EQ(cancel.action, "cancel");
        EXPECT_EQ(cancel.request_id, got.request_id);
        if (pipe != nullptr) {
            EXPECT_FALSE(pipe->offer("more"));
        }
    }
    desk.note_poll("a1", "p1", 1);
    Fetching read(desk, "read");
    taken(desk, "a1");
    read.stop();
    EXPECT_EQ(read.error().code(), Errc::cancelled);
    EXPECT_TRUE(desk.take("a1").empty()) << "this agent would not understand";
}

TEST(StorageDesk, GivesAnAgentUpThatIsSilent) {
    StorageDesk desk([](const std::string&) {}, {5000, 60'000, 1'800'000, 100, 60'000});
    desk.note_poll("a1", "p1", 2);
    Fetching left(desk, "odoo_zip");
    taken(desk, "a1");
    desk.note_gone("a1", "p0");
    EXPECT_FALSE(left.ended()) << "another process of it";
    desk.note_gone("a1", "p1");
    EXPECT_EQ(left.error().reason(), "agent_offline");
    EXPECT_EQ(taken(desk, "a1").action, "cancel") << "should it still be there";
    desk.note_poll("a1", "p1", 2);
    Fetching stalled(desk, "read");
    const SharedPipe pipe = desk.content("a1", taken(desk, "a1").request_id, "read");
    static_cast<void>(pipe->offer("abc"));  // too late, if this thread was slow
    EXPECT_EQ(stalled.error().code(), Errc::timed_out);
}

TEST(StorageDesk, TakesWhatARestartedAgentHadForLost) {
    StorageDesk desk([](const std::string&) {});
    desk.note_poll("a1", "p1", 2);
    Fetching zip(desk, "odoo_zip");
    taken(desk, "a1");
    desk.note_poll("a1", "p1", 2);
    EXPECT_FALSE(zip.ended());
    desk.note_poll("a1", "p2", 2);
    EXPECT_EQ(zip.error().reason(), "agent_restarted");
}

TEST(StorageDesk, UnderstandsLongAnswersWhereTheyAreWaitedFor) {
    StorageDesk desk([](const std::string&) {});
    StorageAnswer page;
    for (int i = 1000; i < 6000; ++i) page.objects.push_back({"key-" + std::to_string(i), 1, {1}, "e"});
    const std::string long_text = json::encode_text(page);
    for (const std::string& text : {long_text, long_text.substr(1)}) {
        std::thread agent([&] {
            const std::string id = taken(desk, "a1").request_id;
            EXPECT_FALSE(desk.answer_text("a1", id, "nonsense"));
            EXPECT_TRUE(desk.answer_text("a1", id, text).value());
            EXPECT_FALSE(desk.answer_text("a1", id, text).value()) << "twice";
        });
        const auto answer = desk.ask("a1", request("list"), {});
        agent.join();
        EXPECT_EQ(answer ? answer->objects.size() : 0, text == long_text ? 5000U : 0U);
        if (!answer) {
            EXPECT_EQ(answer.error().code(), Errc::corrupted);
        }
    }
}

TEST(StorageDesk, TakesOneBodyOfARequest) {
    StorageDesk desk([](const std::string&) {});
    Fetching read(desk, "read");
    const std::string id = taken(desk, "a1").request_id;
    const SharedPipe pipe = desk.content("a1", id, "read");
    ASSERT_NE(pipe, nullptr);
    EXPECT_EQ(desk.content("a1", id, "read"), nullptr) << "a second one would be mixed with it";
    pipe->finish();
    EXPECT_EQ(read.error().message(), "it came");
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
