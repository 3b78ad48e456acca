#include "control-plane/browse/stream_tokens.h"

#include <gtest/gtest.h>

namespace backstay::browse {
namespace {

SecretBox box_of(char fill) { return *SecretBox::from_key(std::string(32, fill)); }

StreamGrant grant() { return {"org", "dest", "v1/a b/ü.zst", "ü.zst", 1'000'000}; }

TEST(StreamTokens, GiveBackWhatTheyWereMadeFor) {
    const StreamTokens tokens(box_of('a'));
    const auto opened = tokens.open(tokens.make(grant()), 999'999);
    ASSERT_TRUE(opened.has_value());
    EXPECT_EQ(opened->organization_id, "org");
    EXPECT_EQ(opened->destination_id, "dest");
    EXPECT_EQ(opened->key, "v1/a b/ü.zst");
    EXPECT_EQ(opened->download_name, "ü.zst");
    EXPECT_EQ(opened->expires_at, 1'000'000);
}

TEST(StreamTokens, Expire) {
    const StreamTokens tokens(box_of('a'));
    const auto late = tokens.open(tokens.make(grant()), 1'000'000);
    ASSERT_FALSE(late.has_value());
    EXPECT_EQ(late.error().reason(), "link_expired");
}

TEST(StreamTokens, CannotBeAlteredInAnyCharacter) {
    const StreamTokens tokens(box_of('a'));
    const std::string token = tokens.make(grant());
    for (std::size_t at = 0; at < token.size(); ++at) {
        std::string other = token;
        other[at] = other[at] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(tokens.open(other, 0).has_value()) << at;
    }
    for (const std::string& other :
         {std::string(), std::string("."), token + "A", token.substr(1), token + "." + token}) {
        EXPECT_FALSE(tokens.open(other, 0).has_value()) << other;
    }
}

TEST(StreamTokens, OfAnotherInstallationAreUnknown) {
    const auto opened = StreamTokens(box_of('b')).open(StreamTokens(box_of('a')).make(grant()), 0);
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().reason(), "link_not_found");
}

TEST(StreamTokens, NameTheServerAsItsCallerReachedIt) {
    const StreamTokens tokens(box_of('a'));
    http::Request request;
    EXPECT_TRUE(tokens.url(grant(), request).starts_with("/api/storage/stream/"));
    request.headers.add("Host", "backup.example.com:8480");
    EXPECT_TRUE(tokens.url(grant(), request).starts_with("http://backup.example.com:8480/api/storage/stream/"));
    request.secure = true;
    EXPECT_TRUE(tokens.url(grant(), request).starts_with("https://backup.example.com:8480/api/storage/stream/"));
}

}  // namespace
}  // namespace backstay::browse
