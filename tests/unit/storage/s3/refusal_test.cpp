#include "storage/s3/refusal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/domain/reasons.h"
#include "storage/s3/endpoint.h"
#include "storage/s3/object_options.h"

namespace backstay::s3 {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

http::ClientResponse answer(int status, std::string_view code = "", std::string_view message = "m") {
    http::ClientResponse response;
    response.status = status;
    if (!code.empty()) {
        response.body = fmt::format("<Error><Code>{}</Code><Message>{}</Message></Error>", code, message);
    }
    return response;
}

TEST(Refusal, TurnsStatusAndCodeIntoOurReasons) {
    const std::vector<std::tuple<int, std::string, Errc, std::string_view>> cases = {
        {404, "NoSuchKey", Errc::not_found, reason::kRemoteMissing},
        {404, "", Errc::not_found, reason::kRemoteMissing},
        {404, "NoSuchBucket", Errc::invalid, reason::kDestinationUnreachable},
        {301, "PermanentRedirect", Errc::invalid, reason::kDestinationUnreachable},
        {302, "", Errc::invalid, reason::kDestinationUnreachable},
        {400, "AuthorizationHeaderMalformed", Errc::invalid, reason::kDestinationUnreachable},
        {403, "AccessDenied", Errc::denied, reason::kDestinationAuthFailed},
        {403, "", Errc::denied, reason::kDestinationAuthFailed},
        {401, "", Errc::denied, reason::kDestinationAuthFailed},
        {403, "SignatureDoesNotMatch", Errc::denied, reason::kDestinationAuthFailed},
        {403, "QuotaExceeded", Errc::exhausted, reason::kDestinationFull},
        {507, "", Errc::exhausted, reason::kDestinationFull},
        {400, "EntityTooLarge", Errc::exhausted, ""},
        {503, "SlowDown", Errc::unavailable, reason::kDestinationUnreachable},
        {500, "", Errc::unavailable, reason::kDestinationUnreachable},
        {429, "", Errc::unavailable, reason::kDestinationUnreachable},
        {408, "", Errc::unavailable, reason::kDestinationUnreachable},
        {409, "", Errc::unavailable, reason::kDestinationUnreachable},
        {400, "XAmzContentSHA256Mismatch", Errc::unavailable, reason::kChecksumMismatch},
        {412, "", Errc::conflict, ""},
        {416, "", Errc::invalid, ""},
        {501, "NotImplemented", Errc::invalid, ""},
        {400, "SomethingNew", Errc::invalid, ""}};
    for (const auto& [status, code, errc, why] : cases) {
        const Error error = refusal(answer(status, code));
        EXPECT_EQ(to_string(error.code()), to_string(errc)) << status << code;
        EXPECT_EQ(error.reason(), why) << status << code;
        EXPECT_EQ(has_code(error, code), true);
        EXPECT_TRUE(has_status(error, fmt::format("{}", status)));
    }
}

TEST(Refusal, RecognisesALockInASentence) {
    for (const char* text : {"Access Denied because object protected by object lock.", "Object is WORM protected"}) {
        EXPECT_EQ(refusal(answer(403, "AccessDenied", text)).reason(), reason::kRemoteImmutable) << text;
    }
}

TEST(Refusal, KeepsWhatAServerWritesOnOneShortLine) {
    const Error error = refusal(answer(500, "Code", "first\nsecond\x7F" + std::string(5000, 'x')));
    EXPECT_THAT(error.message(), HasSubstr("first second"));
    EXPECT_LT(error.message().size(), 700U);
    EXPECT_EQ(refusal(answer(502, "", "")).message(), "the store answers 502");
    http::ClientResponse page = answer(502);
    page.body = "<html><body>Bad gateway</body></html>";
    EXPECT_EQ(refusal(page).message(), "the store answers 502");
}

TEST(Refusal, NotesRequestAndRegion) {
    http::ClientResponse moved = answer(301, "PermanentRedirect");
    moved.headers.set("x-amz-request-id", "R1");
    moved.headers.set("x-amz-bucket-region", "eu-west-3");
    const Error error = refusal(moved);
    EXPECT_EQ(error.facts().at("s3_request_id"), "R1");
    EXPECT_EQ(error.facts().at("bucket_region"), "eu-west-3");
}

TEST(Refusal, FindsAnErrorThatCameAsASuccess) {
    EXPECT_TRUE(hidden_refusal(answer(200, "InternalError")));
    http::ClientResponse good;
    good.status = 200;
    good.body = "<CompleteMultipartUploadResult/>";
    EXPECT_FALSE(hidden_refusal(good));
    EXPECT_TRUE(is_unsupported(refusal(answer(501))));
    EXPECT_TRUE(is_unsupported(refusal(answer(400, "InvalidArgument"))));
    EXPECT_FALSE(is_unsupported(refusal(answer(400, "InvalidPart"))));
    EXPECT_FALSE(is_unsupported(Error(Errc::invalid, "not from a store")));
}

S3Config at(std::string endpoint, std::string bucket, bool path_style) {
    S3Config config;
    config.endpoint = std::move(endpoint);
    config.bucket = std::move(bucket);
    config.path_style = path_style;
    return config;
}

TEST(Endpoint, AddressesBucketsInBothWays) {
    const Address path = *find_address(at("https://s3.example.com/", "buck.et", true));
    EXPECT_EQ(path.origin() + path.path("a b/c"), "https://s3.example.com/buck.et/a%20b/c");
    const Address host = *find_address(at("http://s3.example.com:9000", "bucket", false));
    EXPECT_EQ(host.origin() + host.path("k"), "http://bucket.s3.example.com:9000/k");
    EXPECT_EQ(find_address(at("https://s3.example.com:443", "b-1", false))->host, "b-1.s3.example.com");
    EXPECT_EQ(find_address(at("http://s3.example.com:80", "b-1", true))->host, "s3.example.com");
}

TEST(Endpoint, PutsABucketIntoThePathThatFitsNoHostName) {
    for (const char* bucket : {"Upper", "under_score", "dot.ted"}) {
        EXPECT_EQ(find_address(at("https://h.example", bucket, false))->host, "h.example") << bucket;
    }
    EXPECT_EQ(find_address(at("http://h.example", "dot.ted", false))->host, "dot.ted.h.example");
    EXPECT_EQ(find_address(at("http://10.0.0.1:80", "bucket", false))->host, "10.0.0.1");
    EXPECT_EQ(find_address(at("https://[fd00::1]:9000", "bucket", false))->host, "[fd00::1]:9000");
}

TEST(Endpoint, KnowsAmazonsOwn) {
    S3Config config = at("", "bucket", false);
    config.region = "eu-central-1";
    EXPECT_EQ(find_address(config)->host, "bucket.s3.eu-central-1.amazonaws.com");
    config.region = "cn-north-1";
    EXPECT_EQ(find_address(config)->host, "bucket.s3.cn-north-1.amazonaws.com.cn");
}

TEST(Endpoint, RefusesWhatIsNoOrigin) {
    for (const char* url :
         {"", "s3.example.com", "ftp://h", "https://", "https://user@h", "https://h/path", "https://h?x", "https://h:0",
          "https://h:65536", "https://h:9x", "https://h:", "https://[fd00::1", "https://[zz]", "https://h h"}) {
        EXPECT_FALSE(parse_endpoint(url)) << url;
    }
}

TEST(ObjectOptions, BecomeHeaders) {
    ObjectOptions options = {"STANDARD_IA", "aws:kms", "key-1", 30};
    PutOptions put;
    put.content_type = "application/zstd";
    const http::Headers all = options.headers(put, *parse_rfc3339("2026-01-01T00:00:00.5Z"));
    EXPECT_EQ(all.get("Content-Type"), "application/zstd");
    EXPECT_EQ(all.get("x-amz-storage-class"), "STANDARD_IA");
    EXPECT_EQ(all.get("x-amz-server-side-encryption"), "aws:kms");
    EXPECT_EQ(all.get("x-amz-server-side-encryption-aws-kms-key-id"), "key-1");
    EXPECT_EQ(all.get("x-amz-object-lock-mode"), "COMPLIANCE");
    EXPECT_EQ(all.get(kLockUntil), "2026-01-31T00:00:01Z");
    put.retain = false;
    EXPECT_FALSE(options.headers(put, 0).has(kLockUntil));
    EXPECT_EQ(ObjectOptions{}.headers(put, 0).all().size(), 1U);
}

}  // namespace
}  // namespace backstay::s3
