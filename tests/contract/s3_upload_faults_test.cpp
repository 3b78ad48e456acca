#include "tests/contract/s3_faults.h"

namespace backstay::testing {

using ::testing::HasSubstr;
using Kind = Fault::Kind;

TEST_F(S3Faults, APartIsSentAgainWhateverHappenedToIt) {
    const std::vector<Fault> faults = {Fault::status(503, "SlowDown"),
                                       Fault::status(500, "InternalError"),
                                       Fault::status(429, ""),
                                       Fault::status(400, "RequestTimeout"),
                                       {Kind::refuse, "", 0},
                                       {Kind::tear_body, "", 0},
                                       {Kind::lose_answer, "", 0},
                                       {Kind::corrupt, "", 0},
                                       {Kind::answer_late, Fault::raw(200, ""), 0}};
    int number = 0;
    for (const Fault& fault : faults) {
        const std::string key = fmt::format("object-{}", ++number);
        const auto stored = put(harmed(first(2, part, fault)), kThreeParts, key);
        ASSERT_TRUE(stored) << number << ": " << stored.error().message();
        EXPECT_EQ(stored->size_bytes, kThreeParts);
        expect_stored(kThreeParts, key);
    }
}

TEST_F(S3Faults, APartThatNeverPassesLeavesNothing) {
    const auto stored = put(harmed(always(part, Fault::status(503, "SlowDown"))), kThreeParts);
    ASSERT_FALSE(stored);
    expect_error(stored.error(), Errc::unavailable, reason::kDestinationUnreachable);
    EXPECT_THAT(stored.error().message(), HasSubstr("store 'object': part 1: 4 attempts failed, the last"));
    EXPECT_EQ(proxy_->count(part), 4);
    expect_nothing();
}

TEST_F(S3Faults, AHangingServerIsGivenUp) {
    const auto stored = put(harmed(always(part, {Kind::hang, "", 0})), kThreeParts);
    ASSERT_FALSE(stored);
    expect_error(stored.error(), Errc::timed_out, reason::kDestinationUnreachable);
    expect_nothing();
}

TEST_F(S3Faults, ARefusedPartIsNotRepeated) {
    const auto stored = put(harmed(always(part, Fault::status(403, "QuotaExceeded"))), kThreeParts);
    ASSERT_FALSE(stored);
    expect_error(stored.error(), Errc::exhausted, reason::kDestinationFull);
    EXPECT_EQ(proxy_->count(part), 1);
    expect_nothing();
}

TEST_F(S3Faults, AnUploadBegunTwiceIsAbortedOnce) {
    const auto stored = put(harmed(first(2, begin, {Kind::lose_answer, "", 0})), kThreeParts);
    ASSERT_TRUE(stored) << stored.error().message();
    expect_stored(kThreeParts);
}

TEST_F(S3Faults, AnUploadWhoseBeginningIsNeverAnsweredIsAborted) {
    const auto stored = put(harmed(always(begin, {Kind::lose_answer, "", 0})), kThreeParts);
    ASSERT_FALSE(stored);
    expect_error(stored.error(), Errc::unavailable, reason::kDestinationUnreachable);
    expect_nothing();
}

TEST_F(S3Faults, ABeginningWithoutAnUploadIdIsRepeated) {
    const auto stored = put(harmed(first(1, begin, {Kind::answer, Fault::raw(200, "<html>"), 0})), kThreeParts);
    ASSERT_TRUE(stored) << stored.error().message();
    expect_stored(kThreeParts);
}

TEST_F(S3Faults, ALostAnswerToTheCompletionIsFoundOut) {
    const auto stored = put(harmed(first(1, complete, {Kind::lose_answer, "", 0})), kThreeParts);
    ASSERT_TRUE(stored) << stored.error().message();
    EXPECT_EQ(stored->size_bytes, kThreeParts);
    expect_stored(kThreeParts);
}

TEST_F(S3Faults, ACompletionThatFailsWithStatus200IsNoSuccess) {
    const std::string hidden = "<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code><Message>x</Message></Error>";
    const auto stored = put(harmed(always(complete, {Kind::answer, Fault::raw(200, hidden), 0})), kThreeParts);
    ASSERT_FALSE(stored);
    expect_error(stored.error(), Errc::unavailable, reason::kDestinationUnreachable);
    EXPECT_EQ(proxy_->count(complete), 4);
    expect_nothing();
    const auto again = put(harmed(first(2, complete, {Kind::answer, Fault::raw(200, hidden), 0})), kThreeParts);
    ASSERT_TRUE(again) << again.error().message();
    expect_stored(kThreeParts);
}

TEST_F(S3Faults, ACompletionThatIsRefusedEndsTheUpload) {
    const auto stored = put(harmed(always(complete, Fault::status(400, "InvalidPart"))), kThreeParts);
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code(), Errc::invalid);
    EXPECT_EQ(proxy_->count(complete), 1);
    expect_nothing();
}

TEST_F(S3Faults, ATornAnswerToTheCompletionIsAskedAgain) {
    const auto stored = put(harmed(first(1, complete, {Kind::answer_late, Fault::raw(200, "<Comp"), 0})), kThreeParts);
    ASSERT_TRUE(stored) << stored.error().message();
    expect_stored(kThreeParts);
}

TEST_F(S3Faults, AnUploadThatSomebodyAbortedIsNoSuccess) {
    const auto stored = put(harmed(always(complete, Fault::status(404, "NoSuchUpload"))), kThreeParts);
    ASSERT_FALSE(stored);
    expect_nothing();
}

TEST_F(S3Faults, AnObjectThatCameOutShorterIsNotKept) {
    bool completed = false;
    Storage& storage = harmed([&completed](const ProxiedRequest& request) {
        completed = completed || request.is_complete();
        if (request.method != "HEAD" || !completed) return Fault{};
        return Fault{Kind::answer,
                     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nLast-Modified: Fri, 24 May 2013 00:00:00 GMT\r\n"
                     "Connection: close\r\n\r\n",
                     0};
    });
    const auto stored = put(storage, kThreeParts);
    ASSERT_FALSE(stored);
    expect_error(stored.error(), Errc::corrupted, reason::kRemoteCorrupt);
    expect_nothing();
}

TEST_F(S3Faults, ASmallObjectIsSentAgainToo) {
    int number = 0;
    for (const Fault& fault : {Fault::status(503, "SlowDown"), Fault{Kind::tear_body, "", 0},
                               Fault{Kind::lose_answer, "", 0}, Fault{Kind::corrupt, "", 0}}) {
        const std::string key = fmt::format("small-{}", ++number);
        const auto stored = put(harmed(first(1, whole, fault)), 5000, key);
        ASSERT_TRUE(stored) << number << ": " << stored.error().message();
        expect_stored(5000, key);
    }
}

TEST_F(S3Faults, ASourceThatDiesLaterLeavesNothing) {
    FailingSource source(kThreeParts);
    const auto stored = direct_->put("object", source, {});
    ASSERT_FALSE(stored);
    EXPECT_THAT(stored.error().message(), HasSubstr("the producer died"));
    EXPECT_EQ(stored.error().reason(), "");
    expect_nothing();
}

TEST_F(S3Faults, AStopRequestEndsAnUploadAndGivesItsPartsBack) {
    std::stop_source stop;
    StorageContext context = quick();
    context.patience.stall_ms = 20'000;
    context.stop = stop.get_token();
    Storage& storage = harmed(
        [&stop, parts = 0](const ProxiedRequest& request) mutable {
            if (!request.is_part() || ++parts < 2) return Fault{};
            stop.request_stop();
            return Fault{Kind::hang, "", 0};
        },
        context);
    const auto stored = put(storage, kThreeParts);
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code(), Errc::cancelled) << stored.error().message();
    expect_nothing();
}

TEST_F(S3Faults, ALeftoverIsSweptWhenItIsOldEnough) {
    const auto no_abort = [](const ProxiedRequest& request) { return request.is_abort() || request.is_part(); };
    ASSERT_FALSE(put(harmed(always(no_abort, Fault::status(503, ""))), kThreeParts, "v1/object"));
    EXPECT_EQ(unfinished(), 1U);
    const TimeMs now = SystemClock().now_ms();
    EXPECT_EQ(direct_->sweep_leftovers(now - 3'600'000).value_or(99), 0U);
    EXPECT_EQ(unfinished(), 1U);
    EXPECT_EQ(direct_->sweep_leftovers(now + 3'600'000).value_or(99), 1U);
    expect_nothing();
}

TEST_F(S3Faults, AServerThatKnowsNoChecksumsIsServedWithoutThem) {
    const auto checksum = [](const ProxiedRequest& request) { return request.has("x-amz-checksum-"); };
    const auto sending = [=](const ProxiedRequest& request) { return request.method != "HEAD" && checksum(request); };
    Storage& storage = harmed(always(sending, Fault::status(501, "NotImplemented")));
    const auto stored = put(storage, kThreeParts);
    ASSERT_TRUE(stored) << stored.error().message();
    expect_stored(kThreeParts);
    EXPECT_EQ(proxy_->count(sending), 1) << "asked once, then remembered";
    ASSERT_TRUE(put(storage, 100, "small"));
    EXPECT_EQ(proxy_->count(sending), 1);
}

TEST_F(S3Faults, AServerThatKnowsNoConditionsIsServedWithoutThem) {
    const auto condition = [](const ProxiedRequest& request) { return request.has("If-None-Match"); };
    Storage& storage = harmed(always(condition, Fault::status(501, "NotImplemented")));
    ASSERT_TRUE(put(storage, 100, "small"));
    ASSERT_TRUE(put(storage, 100, "another"));
    EXPECT_EQ(proxy_->count(condition), 2) << "with and without checksum, then remembered";
    expect_stored(100, "another");
}

TEST_F(S3Faults, AnObjectThatAppearedMeanwhileIsNotReplaced) {
    const auto look = [](const ProxiedRequest& request) { return request.method == "HEAD"; };
    for (const std::uint64_t size : {std::uint64_t{5000}, kThreeParts}) {
        const std::string key = fmt::format("object-{}", size);
        PatternSource other(size, 77);
        ASSERT_TRUE(direct_->put(key, other, {}));
        const auto stored = put(harmed(first(1, look, Fault::status(404, ""))), size, key);
        ASSERT_FALSE(stored) << size;
        EXPECT_EQ(stored.error().code(), Errc::conflict) << stored.error().message();
        PatternSource same(size, 77);
        const auto agreed = harmed(first(1, look, Fault::status(404, ""))).put(key, same, {});
        EXPECT_TRUE(agreed) << agreed.error().message();
        expect_no_leftovers();
    }
}

}  // namespace backstay::testing
