// Requests to agents where replicas share a store: placed at one desk, taken by a poll at another.
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <thread>

#include "control-plane/dispatch/sessions.h"
#include "control-plane/relay/storage_desk.h"
#include "control-plane/store/replicas.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::relay {
namespace {

using control_plane::StorageAnswer;
using control_plane::StorageRequest;
using Requests = std::vector<StorageRequest>;

class SharedDesk : public ::testing::Test {
protected:
    SharedDesk() : box_(SecretBox::create(folder_.path() + "/key").value()), requests_(world_.db(), box_) {
        clock_.set(world_.now);
        desk_.emplace([](const std::string&) {}, patience(), sharing(true));
        EXPECT_TRUE(store::Replicas(world_.db()).beat({"here", "http://here", "1", 0}, world_.now));
        meet("p1");
    }
    static StorageDesk::Patience patience() {
        StorageDesk::Patience patience;
        patience.taken_ms = 30'000;
        return patience;
    }
    StorageDesk::Sharing sharing(bool has_address) { return {box_, clock_, "here", has_address}; }
    void meet(const std::string& instance) {
        const dispatch::Waiting before = std::exchange(waiting_, {agent(), instance, "its poll"});
        EXPECT_TRUE(dispatch::note_gone(world_.db(), before));
        const auto known = dispatch::session_of(world_.db(), agent()).value();
        EXPECT_TRUE(dispatch::meet(world_.db(), agent(), known, instance, false, world_.now));
        EXPECT_TRUE(dispatch::note_waiting(world_.db(), waiting_));
    }

    // As a route's thread asks, with a connection of its own.
    std::future<Result<StorageAnswer>> asked(std::stop_token stop = {}) {
        return std::async(std::launch::async, [this, stop] {
            auto db = store::open_store(world_.path()).value();
            StorageRequest request;
            request.action = "stat";
            request.destination.config = {{"secretAccessKey", "very-secret"}};
            return desk_->ask(agent(), request, stop, &db);
        });
    }
    // As another replica's poll takes it.
    Requests take(const std::string& instance = "p1", std::int32_t version = 2) {
        return requests_.take(agent(), instance, version, world_.now).value();
    }
    StorageRequest taken(const std::string& instance = "p1") {
        const std::int64_t until = steady_ms() + 30'000;
        while (steady_ms() < until) {
            if (auto found = take(instance); !found.empty()) return found.front();
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        ADD_FAILURE() << "nothing waits";
        return {};
    }
    std::int64_t rows() {
        auto count = world_.db().query("SELECT count(*) FROM storage_requests").value();
        EXPECT_TRUE(count.step().value());
        return count.integer(0);
    }
    const std::string& agent() const { return world_.agent.id; }

    dispatch::World world_;
    dispatch::Waiting waiting_;  // the process met last
    testing::TempDir folder_;
    FakeClock clock_;
    SecretBox box_;
    SharedRequests requests_;
    std::optional<StorageDesk> desk_;
};

TEST_F(SharedDesk, HandsOutOnceAndKnowsWhereTheAnswerBelongs) {
    auto answered = asked();
    const StorageRequest got = taken();
    EXPECT_EQ(got.action, "stat");
    EXPECT_TRUE(take().empty()) << "handed out once";
    const auto waiter = requests_.waiter_of(got.request_id, agent(), world_.now).value();
    ASSERT_TRUE(waiter);
    EXPECT_EQ(waiter->address, "http://here");
    EXPECT_FALSE(requests_.waiter_of(got.request_id, "another agent", world_.now).value());
    EXPECT_FALSE(requests_.waiter_of(got.request_id, agent(), world_.now + store::kReplicaSilentMs).value()) << "dead";
    EXPECT_TRUE(desk_->waits_here(agent(), got.request_id));
    EXPECT_TRUE(desk_->expects(agent(), got.request_id));
    StorageAnswer answer;
    answer.free_bytes = 7;
    EXPECT_TRUE(desk_->answer(agent(), got.request_id, answer));
    EXPECT_EQ(answered.get()->free_bytes.value_or(0), 7U);
    EXPECT_EQ(rows(), 0);
}

TEST_F(SharedDesk, KeepsCredentialsClosed) {
    StorageRequest request;
    request.request_id = new_uuid();
    request.destination.config = {{"secretAccessKey", "very-secret"}};
    ASSERT_TRUE(requests_.place("here", agent(), request, world_.now));
    auto row = world_.db().query("SELECT request_box FROM storage_requests").value();
    ASSERT_TRUE(row.step().value());
    EXPECT_EQ(row.text(0).find("very-secret"), std::string::npos);
    EXPECT_EQ(taken().destination.config.at("secretAccessKey").as_string(), "very-secret");
}

TEST_F(SharedDesk, GivesUpAnAgentThatTakesNothing) {
    StorageDesk::Patience short_one;
    short_one.taken_ms = 50;
    desk_.emplace([](const std::string&) {}, short_one, sharing(true));
    EXPECT_EQ(asked().get().error().reason(), "agent_offline");
    EXPECT_EQ(rows(), 0) << "an agent that comes back must not do it";
}

TEST_F(SharedDesk, TellsAnAgentThatIsTooOld) {
    auto answered = asked();
    while (rows() == 0) std::this_thread::yield();
    EXPECT_TRUE(take("p1", 0).empty());
    EXPECT_EQ(answered.get().error().reason(), "agent_outdated");
    EXPECT_EQ(rows(), 0);
}

TEST_F(SharedDesk, TakesWhatAnotherProcessHadForLost) {
    auto answered = asked();
    taken();
    meet("p2");
    EXPECT_EQ(answered.get().error().reason(), "agent_restarted");
}

TEST_F(SharedDesk, TellsTheProcessThatWorksOnItWhenNobodyWaitsAnyMore) {
    for (const std::string instance : {"p1", "p2"}) {
        std::stop_source stop;
        auto answered = asked(stop.get_token());
        const StorageRequest got = taken();
        stop.request_stop();
        EXPECT_EQ(answered.get().error().code(), Errc::cancelled);
        const Requests told = take(instance);
        EXPECT_EQ(rows(), 0);
        if (instance == "p2") {
            EXPECT_TRUE(told.empty()) << "it never had it";
            continue;
        }
        ASSERT_EQ(told.size(), 1U);
        EXPECT_EQ(told[0].action, "cancel");
        EXPECT_EQ(told[0].request_id, got.request_id);
    }
}

TEST_F(SharedDesk, HandsOutAgainWhatDidNotGetToTheAgent) {
    auto answered = asked();
    const StorageRequest got = taken();
    EXPECT_TRUE(requests_.give_back({got}));
    EXPECT_TRUE(requests_.agents_waited_for(world_.now).value().contains(agent()));
    EXPECT_TRUE(requests_.agents_waited_for(world_.now + 3'600'000).value().empty()) << "take() has none of them then";
    EXPECT_EQ(taken().request_id, got.request_id);
    EXPECT_TRUE(desk_->answer(agent(), got.request_id, {}));
    EXPECT_TRUE(answered.get());
}

TEST_F(SharedDesk, GivesUpWhatWasGivenBackAndNobodyTakes) {
    StorageDesk::Patience short_one;
    short_one.taken_ms = 2'000;
    desk_.emplace([](const std::string&) {}, short_one, sharing(true));
    auto answered = asked();
    const StorageRequest got = taken();
    std::this_thread::sleep_for(std::chrono::milliseconds(700));  // it is seen as taken
    EXPECT_TRUE(requests_.give_back({got}));
    EXPECT_EQ(answered.get().error().reason(), "agent_offline") << "it would have been a minute";
    EXPECT_EQ(rows(), 0);
}

TEST_F(SharedDesk, LeavesNothingOfReplicasThatDied) {
    StorageRequest request;
    for (const char* replica : {"here", "dead"}) {
        request.request_id = new_uuid();
        ASSERT_TRUE(requests_.place(replica, agent(), request, world_.now));
    }
    ASSERT_TRUE(requests_.sweep(world_.now + store::kReplicaSilentMs - 1));
    EXPECT_EQ(rows(), 2);
    ASSERT_TRUE(store::Replicas(world_.db()).beat({"here", "", "1", 0}, world_.now + store::kReplicaSilentMs));
    ASSERT_TRUE(requests_.sweep(world_.now + store::kReplicaSilentMs + 1));
    EXPECT_EQ(rows(), 1);
    EXPECT_TRUE(requests_.take(agent(), "p1", 2, world_.now + 60'000).value().empty()) << "too late to do it";
}

TEST_F(SharedDesk, RefusesWhereAnswersCannotBePassedOn) {
    desk_.emplace([](const std::string&) {}, patience(), sharing(false));
    ASSERT_TRUE(store::Replicas(world_.db()).beat({"other", "http://other", "1", 0}, world_.now));
    EXPECT_EQ(asked().get().error().reason(), "replica_unreachable");
    ASSERT_TRUE(store::Replicas(world_.db()).leave("other"));
    auto answered = asked();
    EXPECT_TRUE(desk_->answer(agent(), taken().request_id, {})) << "alone, it needs no address";
    EXPECT_TRUE(answered.get());
}

}  // namespace
}  // namespace backstay::relay
