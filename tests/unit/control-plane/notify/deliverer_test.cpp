// The queue and its threads, with the real store; the receiver is a function.
#include "control-plane/notify/deliverer.h"

#include <gmock/gmock.h>

#include <atomic>

#include "common/ids.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/control-plane/store_fixture.h"

namespace backstay::notify {
namespace {

using alerts::Deliveries;
using alerts::Delivery;

class DelivererTest : public testing::StoreTest {
protected:
    alerts::Subscription recipient(const std::string& address = "ops@example.com",
                                   alerts::Severity least = alerts::Severity::info) {
        alerts::Subscription row;
        row.id = new_uuid();
        row.organization_id = acme_;
        row.kind = "email";
        row.target = address;
        row.events = {"backup.*"};
        row.least = least;
        row.created_at = row.updated_at = kNow;
        EXPECT_TRUE(alerts::Subscriptions(*db_).insert(row));
        return row;
    }
    std::vector<Delivery> sent_to(const alerts::Subscription& row) {
        return Deliveries(*db_).list(row.id, {100, 0}).value().items;
    }
    void raise(std::string_view type = alerts::type::kBackupFailed,
               alerts::Severity severity = alerts::Severity::warning) {
        alerts::Finding finding;
        finding.type = type;
        finding.severity = severity;
        finding.subject = "s";
        EXPECT_TRUE(alerts::Alerts(*db_).raise(acme_, finding, clock_.now_ms()));
    }
    std::unique_ptr<Deliverer> started(std::function<Sent(const std::string&, const Delivery&)> receive) {
        DelivererParts parts{path_, clock_, box_, {}, {}};
        parts.mail = [receive = std::move(receive)](const std::string& to, const Delivery& delivery,
                                                    const std::stop_token&) { return receive(to, delivery); };
        parts.look_ms = 5;
        return Deliverer::start(std::move(parts)).value();
    }
    // Polls with a deadline.
    template <class Condition>
    bool soon(Condition holds) {
        const std::int64_t deadline = steady_ms() + 20'000;
        while (steady_ms() < deadline) {
            if (holds()) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return false;
    }
    FakeClock clock_{kNow};
    SecretBox box_ = SecretBox::from_key(std::string(32, 'k')).value();
};

TEST_F(DelivererTest, QueuesForThoseWhoWantItInTheTransactionOfTheAlert) {
    const auto all = recipient();
    const auto picky = recipient("boss@example.com", alerts::Severity::critical);
    {
        auto transaction = sql::Transaction::begin(*db_);
        ASSERT_TRUE(transaction);
        raise();
    }
    EXPECT_TRUE(sent_to(all).empty()) << "what did not happen is not told";
    raise();
    raise(alerts::type::kAgentOffline);
    ASSERT_EQ(sent_to(all).size(), 1U);
    EXPECT_EQ(sent_to(all)[0].event, "backup.failed");
    EXPECT_TRUE(sent_to(picky).empty());
    raise(alerts::type::kBackupFailed, alerts::Severity::critical);
    EXPECT_EQ(sent_to(all).size(), 2U);
    EXPECT_EQ(sent_to(picky).size(), 1U);
}

TEST_F(DelivererTest, TheOldestGiveWayWhereTooManyWait) {
    const auto row = recipient();
    auto transaction = sql::Transaction::begin(*db_);
    ASSERT_TRUE(transaction);
    for (int i = 0; i < alerts::kQueuedMost + 5; ++i) {
        ASSERT_TRUE(Deliveries(*db_).tell_test(row, kNow + i));
    }
    const auto due = Deliveries(*db_).due(kNow + 100'000, 5000).value();
    ASSERT_EQ(static_cast<std::int64_t>(due.size()), alerts::kQueuedMost);
    EXPECT_EQ(due.front().created_at, kNow + 5);
}

TEST_F(DelivererTest, TriesAgainLaterAndLaterAndGivesUpInTheEnd) {
    const auto row = recipient();
    std::atomic<int> tries = 0;
    raise();
    const auto deliverer = started([&](const std::string&, const Delivery&) {
        ++tries;
        return Sent{451, "not now", false};
    });
    for (int number = 1; number <= alerts::kAttemptsMost; ++number) {
        ASSERT_TRUE(soon([&] {
            return Deliveries(*db_).attempts(sent_to(row)[0].id).value().size() == static_cast<std::size_t>(number);
        }));
        const Delivery waiting = sent_to(row)[0];
        if (number == alerts::kAttemptsMost) break;
        const TimeMs full = std::min<TimeMs>(10'000LL << (number - 1), 3'600'000);
        EXPECT_GE(waiting.not_before, clock_.now_ms() + full / 2);
        EXPECT_LE(waiting.not_before, clock_.now_ms() + full);
        clock_.set(waiting.not_before);
    }
    ASSERT_TRUE(soon([&] { return sent_to(row)[0].state == "failed"; }));
    EXPECT_EQ(tries, alerts::kAttemptsMost);
    const auto attempts = Deliveries(*db_).attempts(sent_to(row)[0].id).value();
    EXPECT_EQ(attempts.back().number, alerts::kAttemptsMost);
    EXPECT_EQ(attempts.back().status, 451);
    EXPECT_EQ(attempts.back().error, "not now");
    ASSERT_TRUE(Deliveries(*db_).replay(sent_to(row)[0].id, clock_.now_ms()).value());
    ASSERT_TRUE(soon([&] { return tries == alerts::kAttemptsMost + 1; })) << "a replay is one more attempt";
}

TEST_F(DelivererTest, WhatCannotSucceedIsNotTriedAgain) {
    const auto row = recipient();
    raise();
    const auto deliverer = started([](const std::string&, const Delivery&) {
        return Sent{{}, "no such address", true};
    });
    ASSERT_TRUE(soon([&] { return sent_to(row)[0].state == "failed"; }));
    EXPECT_EQ(sent_to(row)[0].attempt, 1);
}

TEST_F(DelivererTest, OneHangingReceiverHoldsUpOnlyItself) {
    const auto slow = recipient("slow@example.com");
    const auto quick = recipient("quick@example.com");
    std::atomic<bool> hangs = true;
    std::atomic<int> at_once = 0;
    std::atomic<int> most = 0;
    for (int i = 0; i < 5; ++i) raise();
    const auto deliverer = started([&](const std::string& to, const Delivery&) {
        if (to == "slow@example.com") {
            most = std::max(most.load(), ++at_once);
            hangs.wait(true);
            --at_once;
        }
        return Sent{};
    });
    const auto delivered = [&](const alerts::Subscription& row) {
        const auto all = sent_to(row);
        return std::all_of(all.begin(), all.end(), [](const Delivery& one) { return one.state == "delivered"; });
    };
    EXPECT_TRUE(soon([&] { return delivered(quick); }));
    hangs = false;
    hangs.notify_all();
    EXPECT_TRUE(soon([&] { return delivered(slow); }));
    EXPECT_EQ(most, 1) << "one delivery of a subscription at a time";
}

TEST_F(DelivererTest, WhatDiedOnItsWayGoesOutAgainWhenItsLeaseIsOver) {
    const auto row = recipient();
    raise();
    Delivery taken = sent_to(row)[0];
    ASSERT_TRUE(Deliveries(*db_).begin(taken, clock_.now_ms()).value());
    std::atomic<int> tries = 0;
    const auto deliverer = started([&](const std::string&, const Delivery&) {
        ++tries;
        return Sent{};
    });
    EXPECT_TRUE(Deliveries(*db_).due(clock_.now_ms() + alerts::kAttemptLeaseMs - 1, 9).value().empty());
    clock_.advance(alerts::kAttemptLeaseMs);
    ASSERT_TRUE(soon([&] { return tries == 1; }));
}

}  // namespace
}  // namespace backstay::notify
