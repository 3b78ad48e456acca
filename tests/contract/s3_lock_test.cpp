// Object lock against a real bucket that was made with it: what the very credentials that wrote a backup can do to it.
#include "common/crypto/digest.h"
#include "storage/s3/refusal.h"
#include "storage/s3/xml.h"
#include "tests/contract/s3_faults.h"

namespace backstay::testing {

using ::testing::HasSubstr;

namespace {

constexpr std::int64_t kDayMs = 86'400'000;

class S3Lock : public S3Faults {
protected:
    S3Lock() : bucket_(S3Server::get().new_bucket(false, true)), connection_(S3Server::connect(bucket_)) {
        config_ = bucket_;
        config_.object_lock_days = 1;
        locking_ = open(config_);
    }

    Result<http::ClientResponse> call(const std::string& method, const std::string& key, s3::Query query,
                                      const std::string& body = "", const http::Headers& headers = {}) {
        s3::Call call;
        call.method = method;
        call.key = key;
        call.query = std::move(query);
        call.body = body;
        call.headers = headers;
        if (!body.empty()) call.payload_sha256 = digest_hex(DigestKind::sha256, as_bytes(body));
        return connection_.once(call);
    }
    std::string version_of(const std::string& key) {
        const auto head = call("HEAD", key, {});
        EXPECT_TRUE(head) << head.error().message();
        return head ? std::string(head->headers.get("x-amz-version-id")) : "";
    }
    // Versions and deletion markers, of all keys.
    std::size_t kept() {
        const auto answer = call("GET", "", {{"versions", ""}});
        EXPECT_TRUE(answer) << answer.error().message();
        const auto root = s3::parse_xml(answer->body);
        return static_cast<std::size_t>(
            std::count_if(root->children.begin(), root->children.end(),
                          [](const auto& one) { return one.name == "Version" || one.name == "DeleteMarker"; }));
    }
    static std::string retention(const std::string& mode, TimeMs until) {
        return fmt::format("<Retention><Mode>{}</Mode><RetainUntilDate>{}</RetainUntilDate></Retention>", mode,
                           to_rfc3339(until / 1000 * 1000));
    }
    void lock_until(const std::string& key, TimeMs until) {
        const auto answer = call("PUT", key, {{"retention", ""}}, retention("COMPLIANCE", until));
        ASSERT_TRUE(answer) << answer.error().message();
    }

    S3Config bucket_;
    s3::Connection connection_;
    std::unique_ptr<Storage> locking_;
};

}  // namespace

// The keys are those of the bucket's owner: an agent's can do no more.
TEST_F(S3Lock, WhoeverWroteAnObjectCannotDestroyIt) {
    for (const std::uint64_t size : {std::uint64_t{5000}, kThreeParts}) {
        const std::string key = fmt::format("object-{}", size);
        ASSERT_TRUE(put(*locking_, size, key));
        const std::string version = version_of(key);
        ASSERT_FALSE(version.empty());
        http::Headers bypass;
        bypass.set("x-amz-bypass-governance-retention", "true");
        const TimeMs soon = SystemClock().now_ms() + 60'000;
        EXPECT_FALSE(call("DELETE", key, {{"versionId", version}}));
        EXPECT_FALSE(call("DELETE", key, {{"versionId", version}}, "", bypass));
        EXPECT_FALSE(call("PUT", key, {{"retention", ""}}, retention("COMPLIANCE", soon), bypass)) << "shortened";
        EXPECT_FALSE(call("PUT", key, {{"retention", ""}}, retention("GOVERNANCE", soon + kDayMs), bypass))
            << "weakened";
        EXPECT_FALSE(call("PUT", key, {{"retention", ""}}, "<Retention/>", bypass)) << "taken off";
        // Put over it, and hidden: the bytes stay under their version.
        EXPECT_TRUE(call("PUT", key, {}, "rubbish"));
        EXPECT_TRUE(call("DELETE", key, {}));
        const auto still = call("HEAD", key, {{"versionId", version}});
        ASSERT_TRUE(still) << still.error().message();
        EXPECT_EQ(still->headers.get("Content-Length"), fmt::format("{}", size));
    }
    EXPECT_FALSE(call("DELETE", "", {})) << "the bucket itself";
}

TEST_F(S3Lock, ARefusedRemovalSaysUntilWhen) {
    ASSERT_TRUE(put(*locking_, 5000));
    const auto removed = locking_->remove("object");
    ASSERT_FALSE(removed);
    expect_error(removed.error(), Errc::denied, reason::kRemoteImmutable);
    const TimeMs tomorrow = SystemClock().now_ms() + kDayMs;
    EXPECT_THAT(removed.error().message(), HasSubstr("locked until " + to_rfc3339(tomorrow).substr(0, 10)));
    EXPECT_FALSE(locking_->remove_all({"object", "other"}));
    EXPECT_EQ(kept(), 1U);
}

// A bucket with object lock keeps every version: a mere deletion would hide the bytes, and pay for them for ever.
TEST_F(S3Lock, WhatIsNoLongerLockedGoesWithAllItsBytes) {
    const auto plain = open(bucket_);
    for (const std::uint64_t size : {std::uint64_t{5000}, kThreeParts}) {
        ASSERT_TRUE(put(*plain, size));
        ASSERT_NO_FATAL_FAILURE(lock_until("object", SystemClock().now_ms() + 3'000));
        ASSERT_FALSE(locking_->remove("object"));
        Result<> removed = locking_->remove("object");
        for (const std::int64_t until = steady_ms() + 20'000; !removed && steady_ms() < until;) {
            ASSERT_EQ(removed.error().reason(), reason::kRemoteImmutable) << removed.error().message();
            removed = locking_->remove("object");
        }
        ASSERT_TRUE(removed) << removed.error().message();
        EXPECT_EQ(kept(), 0U);
    }
    EXPECT_TRUE(locking_->remove("object"));
    EXPECT_TRUE(probe_storage(*locking_));
    EXPECT_EQ(kept(), 0U) << "the probe's object";
}

// Versions that somebody put over the object go with it; those that are locked do not, and are told of.
TEST_F(S3Lock, EveryVersionOfAKeyGoes) {
    ASSERT_TRUE(call("PUT", "object", {}, "older"));
    ASSERT_TRUE(call("PUT", "object", {}, "newer"));
    EXPECT_EQ(kept(), 2U);
    const auto removed = locking_->remove("object");
    ASSERT_TRUE(removed) << removed.error().message();
    EXPECT_EQ(kept(), 0U);
    ASSERT_TRUE(put(*locking_, 5000));
    ASSERT_TRUE(call("PUT", "object", {}, "rubbish over a locked one"));
    const auto refused = locking_->remove("object");
    ASSERT_FALSE(refused);
    expect_error(refused.error(), Errc::denied, reason::kRemoteImmutable);
    EXPECT_EQ(locking_->stat("object").value_or({}).size_bytes, 5000U)
        << "the rubbish has gone, the backup shows again";
}

// AWS: "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters".
TEST_F(S3Lock, AStoreThatDemandsChecksumsGetsThem) {
    Storage& strict = harmed([](const ProxiedRequest& request) {
        const bool carries = request.is_put() || request.is_part();
        const bool proven = request.has("\r\nx-amz-checksum-sha256: ") || request.has("\r\ncontent-md5: ");
        return carries && !proven ? Fault::status(400, "InvalidRequest") : Fault{};
    });
    for (const std::uint64_t size : {std::uint64_t{5000}, kThreeParts}) {
        const auto stored = put(strict, size, fmt::format("object-{}", size));
        ASSERT_TRUE(stored) << stored.error().message();
        EXPECT_FALSE(locking_->remove(fmt::format("object-{}", size)));
    }
}

}  // namespace backstay::testing
