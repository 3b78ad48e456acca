#include "control-plane/auth/claims.h"

#include <gtest/gtest.h>

namespace backstay::auth {
namespace {

Result<Claims> read(std::string_view text) { return read_claims(json::parse(text).value().as_object()); }

TEST(Claims, AreReadWhole) {
    const auto claims = read(R"({"sub":"u1","email":"a@b.c","typ":"access","org":"o1","role":"admin",
        "orgs":[{"id":"o2","slug":"two","role":"owner"},{"id":"o3"}],"perms":["view:backups","view:weather"],
        "project":"p1","iat":1000,"exp":1300,"other":{"x":1}})");
    ASSERT_TRUE(claims) << claims.error().message();
    EXPECT_EQ(claims->subject, "u1");
    EXPECT_EQ(claims->name, "a@b.c");
    EXPECT_EQ(claims->organization_id, "o1");
    EXPECT_EQ(claims->role, Role::admin);
    ASSERT_EQ(claims->organizations.size(), 2U);
    EXPECT_EQ(claims->organizations[0].role, Role::owner);
    EXPECT_EQ(claims->organizations[1].role, Role::viewer);
    EXPECT_EQ(claims->permissions->words(), "view:backups");
    EXPECT_EQ(claims->project_id, "p1");
    EXPECT_EQ(claims->lifetime_s, 300);
}

TEST(Claims, NeedOnlyASubject) {
    const auto claims = read(R"({"sub":"u1","exp":1300})");
    ASSERT_TRUE(claims);
    EXPECT_EQ(claims->name, "u1");
    EXPECT_FALSE(claims->organization_id);
    EXPECT_FALSE(claims->role);
    EXPECT_FALSE(claims->permissions);
    EXPECT_EQ(claims->lifetime_s, 0);
}

TEST(Claims, OfTheWrongTypeAreRefused) {
    for (const char* text :
         {"{}", R"({"sub":""})", R"({"sub":5})", R"({"sub":"u","typ":"refresh"})", R"({"sub":"u","typ":1})",
          R"({"sub":"u","org":1})", R"({"sub":"u","role":"root"})", R"({"sub":"u","role":[]})",
          R"({"sub":"u","orgs":{}})", R"({"sub":"u","orgs":["o"]})", R"({"sub":"u","orgs":[{"slug":"s"}]})",
          R"({"sub":"u","perms":"view:backups"})", R"({"sub":"u","perms":[1]})", R"({"sub":"u","project":2})"}) {
        const auto claims = read(text);
        ASSERT_FALSE(claims) << text;
        EXPECT_EQ(claims.error().reason(), "invalid_token") << text;
    }
}

TEST(Claims, WithTimesThatAreNoDatesAreRefused) {
    for (const char* text :
         {R"({"sub":"u","iat":-9223372036854775807,"exp":9223372036854775807})", R"({"sub":"u","iat":-1,"exp":5})",
          R"({"sub":"u","iat":1e300,"exp":5})", R"({"sub":"u","iat":"1","exp":5})",
          R"({"sub":"u","iat":18446744073709551615,"exp":5})", R"({"sub":"u","iat":253402300800,"exp":5})",
          R"({"sub":"u","iat":5,"exp":-9223372036854775807})"}) {
        const auto claims = read(text);
        ASSERT_FALSE(claims) << text;
        EXPECT_EQ(claims.error().reason(), "invalid_token") << text;
    }
    EXPECT_EQ(read(R"({"sub":"u","iat":1000.5,"exp":1300})")->lifetime_s, 300);
    EXPECT_EQ(read(R"({"sub":"u","iat":1,"exp":253402300799})")->lifetime_s, 253402300798);
    EXPECT_LT(read(R"({"sub":"u","iat":7})")->lifetime_s, 0) << "without an expiry: never short-lived";
}

}  // namespace
}  // namespace backstay::auth
