#include "storage/s3/signer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/crypto/digest.h"
#include "storage/s3/dates.h"
#include "tests/unit/storage/s3/signer_vectors.h"

namespace backstay::s3 {
namespace {

// "Authenticating Requests: Using the Authorization Header" and "Using Query Parameters" in Amazon's S3 API reference.
const Credentials kExample = {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", "us-east-1"};

TimeMs at(std::string_view text) { return *parse_rfc3339(text); }

Signable example(std::string method, std::string path, Query query, std::string_view sha256 = kEmptySha256) {
    return {std::move(method), "examplebucket.s3.amazonaws.com", std::move(path), std::move(query),
            std::string(sha256)};
}

std::string signature_of(const Signable& request, http::Headers headers = {}) {
    sign(kExample, request, at("2013-05-24T00:00:00Z"), headers);
    const std::string text(headers.get("Authorization"));
    return text.substr(text.find("Signature=") + 10);
}

TEST(Signer, SignsAmazonsExampleOfARangedGet) {
    http::Headers headers;
    headers.set("Range", "bytes=0-9");
    sign(kExample, example("GET", "/test.txt", {}), at("2013-05-24T00:00:00Z"), headers);
    EXPECT_EQ(headers.get("Authorization"),
              "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
              "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
              "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(Signer, SignsAmazonsExampleOfAPut) {
    http::Headers headers;
    headers.set("Date", "Fri, 24 May 2013 00:00:00 GMT");
    headers.set("x-amz-storage-class", "REDUCED_REDUNDANCY");
    const std::string body_sha256 = digest_hex(DigestKind::sha256, as_bytes("Welcome to Amazon S3."));
    EXPECT_EQ(body_sha256, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
    EXPECT_EQ(signature_of(example("PUT", "/test%24file.text", {}, body_sha256), headers),
              "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(Signer, SignsAmazonsExamplesOfQueries) {
    EXPECT_EQ(signature_of(example("GET", "/", {{"lifecycle", ""}})),
              "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    EXPECT_EQ(signature_of(example("GET", "/", {{"prefix", "J"}, {"max-keys", "2"}})),
              "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(Signer, PresignsAmazonsExample) {
    EXPECT_EQ(presign(kExample, example("GET", "/test.txt", {}), at("2013-05-24T00:00:00Z"), 86'400),
              "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F"
              "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
              "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

TEST(Signer, AgreesWithBotocoreOnAwkwardKeysAndQueries) {
    const std::vector<Query> queries = {
        {},
        {{"uploads", ""}},
        {{"partNumber", "7"}, {"uploadId", "2~a/b+c="}},
        {{"list-type", "2"}, {"prefix", "a b/\xC3\xA9"}, {"delimiter", "/"}, {"max-keys", "1000"}},
        {{"Z", "1"}, {"a", "2"}, {"A", "3"}}};
    for (const BotocoreVector& vector : kBotocoreVectors) {
        const Credentials credentials = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                         vector.token ? "tok/en+==" : "", "eu-central-1"};
        Signable request = {"PUT", "bucket.example.com:8443", "/" + http::percent_encode(vector.key, true),
                            queries[static_cast<std::size_t>(vector.query)],
                            digest_hex(DigestKind::sha256, as_bytes("hello"))};
        http::Headers headers;
        headers.set("x-amz-meta-note", "two  blanks ");
        sign(credentials, request, at("2024-02-29T12:34:56Z"), headers);
        EXPECT_THAT(std::string(headers.get("Authorization")), ::testing::EndsWith(vector.signature)) << vector.key;
        request.method = "GET";
        request.query.clear();
        EXPECT_THAT(presign(credentials, request, at("2024-02-29T12:34:56Z"), 900),
                    ::testing::EndsWith(vector.presigned))
            << vector.key;
    }
}

TEST(Signer, CutsALifeThatTheServerWouldRefuse) {
    EXPECT_THAT(presign(kExample, example("GET", "/k", {}), 0, 4'000'000), ::testing::HasSubstr("Expires=604800&"));
}

TEST(Signer, SpellsDigestsInBase64AndBack) {
    const std::string sha256(kEmptySha256);
    EXPECT_EQ(base64_of_hex(sha256), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    EXPECT_EQ(sha256_of_base64("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="), sha256);
    EXPECT_EQ(base64_of_hex("4d"), "TQ==");
    EXPECT_EQ(base64_of_hex("xy"), "");
    EXPECT_EQ(sha256_of_base64("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=-3"), "") << "a composite is no digest";
    EXPECT_EQ(sha256_of_base64("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hS*FU="), "");
}

TEST(Dates, ReadWhatServersSend) {
    EXPECT_EQ(amz_time(at("2013-05-24T01:02:03.456Z")), "20130524T010203Z");
    EXPECT_EQ(parse_http_date("Fri, 24 May 2013 01:02:03 GMT").value_or(0), at("2013-05-24T01:02:03Z"));
    for (const char* bad :
         {"", "Fri, 24 Mai 2013 01:02:03 GMT", "Fri, 24 May 2013 01:02:03 UTC", "Fri, 99 May 2013 01:02:03 GMT",
          "Friday, 24-May-13 01:02:03 GMT", "Fri; 24 May 2013 01:02:03 GMT"}) {
        EXPECT_FALSE(parse_http_date(bad)) << bad;
    }
}

}  // namespace
}  // namespace backstay::s3
