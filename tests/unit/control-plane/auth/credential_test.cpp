#include "control-plane/auth/credential.h"

#include <gtest/gtest.h>

#include <set>

namespace backstay::auth {
namespace {

http::Request with_header(const std::string& name, const std::string& value) {
    http::Request request;
    request.headers.add(name, value);
    return request;
}

std::string refusal(const http::Request& request, bool api_key_header = false, bool query_token = false) {
    const auto credential = credential_of(request, api_key_header, query_token);
    return credential ? "" : credential.error().reason();
}

TEST(Credential, IsToldByItsPrefix) {
    const auto kind = [](const std::string& secret) {
        return credential_of(with_header("Authorization", "Bearer " + secret), false, false)->kind;
    };
    EXPECT_EQ(kind("aaa.bbb.ccc"), Credential::Kind::token);
    EXPECT_EQ(kind("bks_ro_x"), Credential::Kind::api_key);
    EXPECT_EQ(kind("bks_rw_x"), Credential::Kind::api_key);
    EXPECT_EQ(kind("bks_agent_x"), Credential::Kind::agent);
}

TEST(Credential, ComesWithTheBearerSchemeInAnyCase) {
    EXPECT_EQ(credential_of(with_header("authorization", "bearer t"), false, false)->secret, "t");
    EXPECT_EQ(refusal(with_header("Authorization", "Basic dTpw")), "invalid_auth");
    EXPECT_EQ(refusal(with_header("Authorization", "Bearer")), "invalid_auth");
    EXPECT_EQ(refusal(with_header("Authorization", "Bearer a b")), "invalid_auth");
    EXPECT_EQ(refusal(with_header("Authorization", "Bearer " + std::string(9000, 'x'))), "invalid_auth");
}

TEST(Credential, IsAbsentWhenNothingWasSent) { EXPECT_EQ(credential_of({}, true, true)->kind, Credential::Kind::none); }

TEST(Credential, TakesXApiKeyOnlyWhereItIsAllowed) {
    const auto request = with_header("X-API-Key", "bks_ro_x");
    EXPECT_EQ(credential_of(request, false, false)->kind, Credential::Kind::none);
    EXPECT_EQ(credential_of(request, true, false)->kind, Credential::Kind::api_key);
    EXPECT_EQ(refusal(with_header("X-API-Key", "a.b.c"), true), "invalid_key_format");
    auto both = request;
    both.headers.add("Authorization", "Bearer a.b.c");
    EXPECT_EQ(credential_of(both, true, false)->kind, Credential::Kind::token);
}

TEST(Credential, StandsInTheQueryOnlyOfEventStreams) {
    http::Request request;
    request.query = {{"access_token", "a.b.c"}};
    EXPECT_EQ(credential_of(request, false, false)->kind, Credential::Kind::none);
    const auto credential = credential_of(request, false, true);
    EXPECT_EQ(credential->secret, "a.b.c");
    EXPECT_TRUE(credential->from_query);
}

TEST(Secrets, AreRandomAndKeptAsTheirHash) {
    std::set<std::string> seen;
    for (int i = 0; i < 100; ++i) seen.insert(new_secret(kWriteKeyPrefix));
    EXPECT_EQ(seen.size(), 100U);
    const std::string key = *seen.begin();
    EXPECT_EQ(key.size(), 7U + 43U);
    EXPECT_EQ(display_prefix(key), key.substr(0, 15));
    EXPECT_EQ(hash_secret("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace backstay::auth
