#include "control-plane/agent-api/assignment_polls.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <set>
#include <utility>

#include "control-plane/dispatch/sessions.h"
#include "control-plane/relay/storage_desk.h"
#include "control-plane/store/fair_queue.h"
#include "control-plane/store/replicas.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::agent_api {
namespace {

using store::DatabaseThreads;
using Lane = DatabaseThreads::Lane;

// What became of a poll. Its connection can be cut.
struct Peer {
    std::optional<http::Response> answer;
    std::function<void()> hang_up;
    std::function<void()> on_answer = [] {};
};

class FakeExchange final : public http::Exchange {
public:
    FakeExchange(http::Request request, Peer& peer) : request_(std::move(request)), peer_(peer) {}
    const http::Request& request() const override { return request_; }
    http::Request take_request() override { return std::exchange(request_, {}); }
    void respond(http::Response response) override {
        peer_.answer = std::move(response);
        peer_.on_answer();
    }
    std::unique_ptr<http::ResponseStream> open_stream(http::Response /*head*/) override { return nullptr; }
    void on_abandoned(std::function<void()> callback) override { peer_.hang_up = std::move(callback); }
    void read_body(std::function<void(http::BodyPiece)> /*callback*/) override {}

private:
    http::Request request_;
    Peer& peer_;
};

class AssignmentPollsTest : public ::testing::Test {
protected:
    AssignmentPollsTest() {
        clock_.set(world_.now);
        polls_.emplace(
            *loop_, *threads_, clock_,
            [](sql::Database&, std::string_view, std::string_view id) -> Result<std::optional<DestinationOrder>> {
                return std::optional<DestinationOrder>({std::string(id), "d", "local", {{"path", "/backups"}}});
            },
            [this](const dispatch::Stir&) { ++looks_; });
    }
    ~AssignmentPollsTest() override {
        threads_->stop();
        polls_.reset();
    }

    void poll(Peer& peer, const std::string& instance = "one", std::int64_t wait_ms = 50'000) {
        api::Call call;
        call.principal.id = world_.agent.id;
        call.organization_id = world_.organization_id;
        call.request.body = json::encode_text(control_plane::AssignmentsRequest{instance, wait_ms, 1, 1});
        auto exchange = std::make_unique<FakeExchange>(call.request, peer);
        polls_->open(std::move(call), std::move(exchange));
    }
    // Runs the loop until `stop` is called, at most 20 s.
    void run(const std::function<void(const std::function<void()>& stop)>& begin) {
        Timer patience(*loop_, 20'000, 0, [this] {
            ADD_FAILURE() << "nothing came";
            loop_->stop();
        });
        begin([this] { loop_->stop(); });
        loop_->run();
    }
    // Until what was submitted for the agents' line before is done, and told.
    void run_queued() {
        run([this](const auto& stop) {
            ASSERT_TRUE(threads_->submit(
                Lane::write, [stop](sql::Database&) { return stop; }, agents_line()));
        });
    }
    std::string agents_line() const { return world_.organization_id + store::kAgentsLine; }
    std::string noted_poll() {
        auto rows = world_.db().query("SELECT poll FROM agent_sessions WHERE agent_id = $1", {world_.agent.id}).value();
        return rows.step().value() ? rows.text(0) : "";
    }
    bool is_alive() { return dispatch::is_alive(world_.db(), world_.agent.id, world_.now).value(); }

    dispatch::World world_;
    FakeClock clock_;
    std::unique_ptr<Loop> loop_ = Loop::create().value();
    // However slow the machine is, what waits together is stored together.
    static constexpr DatabaseThreads::GroupLimits kPatient{.members = 32, .ms = 60'000};
    std::unique_ptr<DatabaseThreads> threads_ =
        DatabaseThreads::start(
            world_.path(), [this](auto task) { loop_->post(std::move(task)); }, 100, kPatient)
            .value();
    int looks_ = 0;
    std::optional<AssignmentPolls> polls_;
};

TEST_F(AssignmentPollsTest, AreNotedWhereOtherReplicasMayWaitForThem) {
    Peer peer;
    poll(peer);
    run_queued();
    EXPECT_TRUE(is_alive());
    // SQLite has one process, which knows its polls.
    EXPECT_EQ(noted_poll().empty(), !testing::on_postgres());
}

TEST_F(AssignmentPollsTest, TellThatTheirProcessEndedWhenTheConnectionBreaks) {
    Peer peer;
    poll(peer);
    run_queued();
    peer.hang_up();
    run_queued();
    EXPECT_FALSE(is_alive());
}

TEST_F(AssignmentPollsTest, OfAProcessThatPollsOnAreNoEnd) {
    Peer before;
    poll(before);
    run_queued();
    Peer after;
    poll(after);
    before.hang_up();
    run_queued();
    run_queued();
    EXPECT_TRUE(is_alive());
}

TEST_F(AssignmentPollsTest, OfAProcessThatIsMetBeforeItsEndWasNotedAreNoEnd) {
    Peer before;
    poll(before);
    run_queued();
    std::promise<void> polls_anew;
    ASSERT_TRUE(threads_->submit(
        Lane::write,
        [wait = polls_anew.get_future().share()](sql::Database&) {
            wait.wait();
            return DatabaseThreads::Done();
        },
        agents_line()));
    ASSERT_TRUE(threads_->submit(
        Lane::write, [](sql::Database&) { return DatabaseThreads::Done(); }, agents_line()));
    before.hang_up();
    Peer after;
    poll(after);
    polls_->wake({world_.agent.id});
    polls_anew.set_value();
    run_queued();
    run_queued();
    EXPECT_TRUE(is_alive());
}

TEST_F(AssignmentPollsTest, BringAnOrderThoughHeartbeatsWaitBeforeThem) {
    std::promise<void> everybody_stands;
    std::promise<void> answered;
    std::atomic<bool> in_time = true;
    const auto submit = [this](DatabaseThreads::Work work) {
        ASSERT_TRUE(threads_->submit(Lane::write, std::move(work), agents_line()));
    };
    submit([wait = everybody_stands.get_future().share()](sql::Database&) {
        wait.wait();
        return DatabaseThreads::Done();
    });
    for (int i = 0; i < 5; ++i) submit([](sql::Database&) { return DatabaseThreads::Done(); });
    submit([&in_time, wait = answered.get_future().share()](sql::Database&) {
        in_time = wait.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
        return DatabaseThreads::Done();
    });
    Peer peer;
    const std::string id = world_.order_backup();
    run([&](const auto& stop) {
        peer.on_answer = [&] {
            answered.set_value();
            stop();
        };
        poll(peer);
        polls_->wake({world_.agent.id});
        everybody_stands.set_value();
    });
    ASSERT_TRUE(peer.answer);
    EXPECT_NE(peer.answer->body.find(id), std::string::npos) << peer.answer->body;
    EXPECT_TRUE(in_time);
    run_queued();
    EXPECT_EQ(looks_, 1);
}

TEST_F(AssignmentPollsTest, HandOutNothingOfACommitThatFailed) {
    const std::string id = world_.order_backup();
    std::promise<void> everybody_stands;
    ASSERT_TRUE(threads_->submit(
        Lane::write,
        [wait = everybody_stands.get_future().share()](sql::Database&) {
            wait.wait();
            return DatabaseThreads::Done();
        },
        agents_line()));
    Peer unlucky;
    poll(unlucky);
    const auto lose_transaction = [](sql::Database& db) -> DatabaseThreads::Told {
        EXPECT_TRUE(db.in_transaction()) << "the poll and its neighbour do not share one";
        const bool on_postgres = testing::on_postgres();
        EXPECT_NE(
            on_postgres,
            db.run_script(on_postgres ? "SELECT pg_terminate_backend(pg_backend_pid())" : "ROLLBACK").has_value());
        return [](const Result<>& stored) { EXPECT_FALSE(stored); };
    };
    ASSERT_TRUE(threads_->submit_member(lose_transaction, agents_line()));
    run([&](const auto& stop) {
        unlucky.on_answer = stop;
        everybody_stands.set_value();
    });
    ASSERT_TRUE(unlucky.answer);
    EXPECT_EQ(unlucky.answer->status, 503) << unlucky.answer->body;
    EXPECT_EQ(looks_, 0);

    Peer next;
    run([&](const auto& stop) {
        next.on_answer = stop;
        poll(next);
    });
    ASSERT_TRUE(next.answer);
    EXPECT_EQ(next.answer->status, 200);
    EXPECT_NE(next.answer->body.find(id), std::string::npos) << next.answer->body;
    EXPECT_NE(next.answer->body.find("\"fence\":1,"), std::string::npos) << "it was handed out before";
}

class SharedStorageTest : public AssignmentPollsTest {
protected:
    SharedStorageTest() {
        polls_->serve_storage(desk_);
        EXPECT_TRUE(store::Replicas(world_.db()).beat({"here", "http://here", "1", 0}, world_.now));
        request_.request_id = new_uuid();
        request_.action = "stat";
        EXPECT_TRUE(desk_.shared(world_.db())->place("here", world_.agent.id, request_, world_.now));
    }
    // What still runs may ask the desk.
    ~SharedStorageTest() override {
        threads_->stop();
        polls_.reset();
    }
    void expect_handed_out(std::int64_t wait_ms) {
        Peer peer;
        run([&](const auto& stop) {
            peer.on_answer = stop;
            poll(peer, "one", wait_ms);
        });
        ASSERT_TRUE(peer.answer);
        EXPECT_NE(peer.answer->body.find(request_.request_id), std::string::npos) << peer.answer->body;
    }

    testing::TempDir folder_;
    SecretBox box_ = SecretBox::create(folder_.path() + "/key").value();
    relay::StorageDesk desk_{[](const std::string&) {}, {}, relay::StorageDesk::Sharing{box_, clock_, "here", true}};
    control_plane::StorageRequest request_;
};

TEST_F(SharedStorageTest, WaitsForAPollThatComesLater) { expect_handed_out(50'000); }

TEST_F(SharedStorageTest, IsFoundByAPollThatDoesNotWait) { expect_handed_out(0); }

TEST(Patience, OfManyPollsEndsOneAfterTheOther) {
    std::set<std::int64_t> ends;
    for (int i = 0; i < 100; ++i) {
        const std::int64_t patience = patience_ms(50'000, new_uuid());
        EXPECT_GT(patience, 45'000 - 1);
        EXPECT_LE(patience, 50'000);
        ends.insert(patience);
    }
    EXPECT_GT(ends.size(), 50U);
    EXPECT_LE(patience_ms(10 * kLongestWaitMs, "poll"), kLongestWaitMs);
    EXPECT_EQ(patience_ms(0, "poll"), 0);
    EXPECT_EQ(patience_ms(-1, "poll"), 0);
}

}  // namespace
}  // namespace backstay::agent_api
