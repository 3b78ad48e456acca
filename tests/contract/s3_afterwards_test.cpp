// What comes after the bytes of an upload: looks, comparisons, locks, and the sweeping of what others left.
#include "storage/s3/upload.h"
#include "tests/contract/s3_faults.h"

namespace backstay::testing {

using Kind = Fault::Kind;

namespace {

// A fault for the first `times` requests that `which` names, once the upload was completed.
FaultProxy::Chooser after_completion(int times, std::function<bool(const ProxiedRequest&)> which, Fault completion,
                                     Fault fault) {
    return [=, left = times, completed = false](const ProxiedRequest& request) mutable {
        if (request.is_complete()) {
            const bool again = std::exchange(completed, true);
            // RGW would answer a second completion as the first.
            return again ? Fault::status(404, "NoSuchUpload") : completion;
        }
        if (!completed || !which(request) || left == 0) return Fault{};
        --left;
        return fault;
    };
}

class S3Sweep : public S3Faults {
protected:
    S3Sweep() : connection_(S3Server::connect(config_)) {}

    std::string begin_upload(const std::string& key) {
        s3::Call call;
        call.method = "POST";
        call.key = key;
        call.query = {{"uploads", ""}};
        const auto answer = connection_.persist(call);
        EXPECT_TRUE(answer) << answer.error().message();
        return key;
    }
    std::vector<s3::UnfinishedUpload> uploads() {
        std::vector<s3::UnfinishedUpload> all;
        const auto note = [&all](const s3::UnfinishedUpload& upload) {
            all.push_back(upload);
            return false;
        };
        EXPECT_TRUE(s3::abort_uploads(connection_, "", note, false));
        return all;
    }

    s3::Connection connection_;
};

}  // namespace

TEST_F(S3Faults, ALookAfterTheCompletionIsRepeated) {
    const auto look = [](const ProxiedRequest& request) { return request.method == "HEAD"; };
    const auto stored = put(harmed(after_completion(2, look, {}, Fault::status(503, ""))), kThreeParts);
    ASSERT_TRUE(stored) << stored.error().message();
    expect_stored(kThreeParts);
}

TEST_F(S3Faults, AComparisonThatFailsForAWhileIsMadeAgain) {
    const Fault lost = {Kind::lose_answer, "", 0};
    const auto stored = put(harmed(after_completion(2, read, lost, Fault::status(503, "SlowDown"))), kThreeParts);
    ASSERT_TRUE(stored) << stored.error().message();
    expect_stored(kThreeParts);
}

TEST_F(S3Faults, AnUploadBegunTwiceNeedsNoRightToListUploads) {
    bool lost = false;
    Storage& storage = harmed([&lost](const ProxiedRequest& request) {
        if (request.is_begin() && !std::exchange(lost, true)) return Fault{Kind::lose_answer, "", 0};
        const bool listing = request.method == "GET" && request.target.find("uploads=") != std::string::npos;
        return listing ? Fault::status(403, "AccessDenied") : Fault{};
    });
    const auto stored = put(storage, kThreeParts);
    ASSERT_TRUE(stored) << stored.error().message();
    EXPECT_EQ(unfinished(), 1U) << "left to the sweep";
}

TEST_F(S3Faults, WhatAnEarlierPutLeftUnlockedIsLocked) {
    S3Config config = S3Server::get().new_bucket(false, true);
    ASSERT_TRUE(put(*open(config), 5000));
    config.object_lock_days = 1;
    const auto locking = open(config);
    const auto again = put(*locking, 5000);
    ASSERT_TRUE(again) << again.error().message();
    const auto removed = locking->remove("object");
    ASSERT_FALSE(removed) << "the object is believed to be locked, and is not";
    expect_error(removed.error(), Errc::denied, reason::kRemoteImmutable);
}

TEST_F(S3Sweep, AbortsOnlyWhatLiesWhereWeWrite) {
    begin_upload("v1/local/x/database.dump.zst");
    begin_upload("somebody/elses");
    begin_upload("v1");
    const TimeMs late = SystemClock().now_ms() + 3'600'000;
    EXPECT_EQ(direct_->sweep_leftovers(late).value_or(99), 1U);
    EXPECT_EQ(uploads().size(), 2U);
    S3Config prefixed = config_;
    prefixed.prefix = "somebody";
    begin_upload("somebody/v1/local/y");
    EXPECT_EQ(open(prefixed)->sweep_leftovers(late).value_or(99), 1U);
    EXPECT_EQ(uploads().size(), 2U);
}

// A first backup over a thin line takes days; the sweep of another job must not end it.
TEST_F(S3Sweep, LeavesAnUploadThatStillGetsParts) {
    s3::Features features;
    auto upload = s3::MultipartUpload::begin(connection_, "v1/local/x", {}, features);
    ASSERT_TRUE(upload) << upload.error().message();
    const TimeMs began = uploads().at(0).initiated_at;
    s3::PartBuffer part("/tmp");
    // Until a part is surely younger than the beginning, even for a server that counts whole seconds.
    do {
        PatternSource source(100, 3);
        ASSERT_TRUE(part.fill(source, 100));
        const auto added = upload->add(part);
        ASSERT_TRUE(added) << added.error().message();
    } while (connection_.now_ms() < began + 2'500 && upload->parts().size() < 9'000);
    EXPECT_EQ(direct_->sweep_leftovers(began + 1'000).value_or(99), 0U);
    EXPECT_EQ(uploads().size(), 1U);
    EXPECT_EQ(direct_->sweep_leftovers(SystemClock().now_ms() + 3'600'000).value_or(99), 1U);
    EXPECT_EQ(uploads().size(), 0U);
}

TEST_F(S3Sweep, LeavesWhatItCannotLookInto) {
    begin_upload("v1/local/x");
    const auto parts = [](const ProxiedRequest& request) {
        return request.method == "GET" && request.target.find("uploadId=") != std::string::npos;
    };
    Storage& storage = harmed(always(parts, Fault::status(403, "AccessDenied")));
    EXPECT_EQ(storage.sweep_leftovers(SystemClock().now_ms() + 3'600'000).value_or(99), 0U);
    EXPECT_FALSE(harmed(always(parts, Fault::status(503, ""))).sweep_leftovers(SystemClock().now_ms() + 3'600'000));
    EXPECT_EQ(uploads().size(), 1U);
}

}  // namespace backstay::testing
