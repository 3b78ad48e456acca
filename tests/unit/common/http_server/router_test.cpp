#include <gtest/gtest.h>

#include "common/http/router.h"

namespace backstay::http {
namespace {

Router make_router() {
    Router router;
    const auto nothing = [](std::unique_ptr<Exchange>, const PathParams&) {};
    router.add("GET", "/", nothing);
    router.add("GET", "/api/backups", nothing);
    router.add("POST", "/api/backups", nothing);
    router.add("GET", "/api/backups/{id}", nothing);
    router.add("DELETE", "/api/backups/{id}", nothing);
    router.add("GET", "/api/backups/{id}/steps/{step}", nothing);
    router.add("GET", "/api/backups/latest", nothing);
    router.add("PUT", "/api/objects/{key*}", nothing);
    router.add("GET", "/api/{anything}/special", nothing);
    return router;
}

struct RouterTest : ::testing::Test {
    Router router = make_router();
    Router::Match match(const std::string& method, const std::string& target) const {
        Request request;
        request.method = method;
        request.target = target;
        return router.match(request);
    }
};

TEST_F(RouterTest, ListsAllThatWasAdded) {
    const auto routes = router.routes();
    EXPECT_EQ(routes.size(), 9U);
    const std::pair<std::string, std::string> one("PUT", "/api/objects/{key*}");
    EXPECT_EQ(std::count(routes.begin(), routes.end(), one), 1);
}

TEST_F(RouterTest, FindsLiteralsBeforeBraces) {
    EXPECT_EQ(match("GET", "/api/backups/latest").pattern, "/api/backups/latest");
    EXPECT_EQ(match("GET", "/api/backups/17").pattern, "/api/backups/{id}");
    EXPECT_EQ(match("GET", "/api/backups/special").pattern, "/api/backups/{id}");
    EXPECT_EQ(match("GET", "/api/other/special").pattern, "/api/{anything}/special");
    EXPECT_EQ(match("GET", "/").pattern, "/");
    EXPECT_EQ(match("GET", "/?a=b").pattern, "/");
}

TEST_F(RouterTest, HandsOverWhatBracesStoodFor) {
    const auto found = match("GET", "/api/backups/a%20b/steps/db_dump?x=/../");
    ASSERT_NE(found.handler, nullptr);
    EXPECT_EQ(found.params["id"], "a b");
    EXPECT_EQ(found.params["step"], "db_dump");
    EXPECT_EQ(match("PUT", "/api/objects/a/b%2Bc/d").params["key"], "a/b+c/d");
}

TEST_F(RouterTest, NamesTheMethodsThatAPathTakes) {
    const auto wrong = match("PATCH", "/api/backups/17");
    EXPECT_EQ(wrong.handler, nullptr);
    EXPECT_EQ(wrong.allow, "GET, HEAD, DELETE");
    EXPECT_EQ(match("GET", "/api/objects/a").allow, "PUT");
}

TEST_F(RouterTest, ServesHeadWhereItServesGet) {
    EXPECT_NE(match("HEAD", "/api/backups").handler, nullptr);
    EXPECT_EQ(match("HEAD", "/api/objects/a").handler, nullptr);
}

TEST_F(RouterTest, FindsNothingWhereNothingIs) {
    for (const char* target : {"/api", "/api/", "/api/backups/", "//api/backups", "/api//backups",
                               "/api/backups/1/steps", "/API/backups", "/api/objects", "/api/objects/", "*", ""}) {
        const auto found = match("GET", target);
        EXPECT_TRUE(found.handler == nullptr && found.allow.empty()) << target;
    }
}

TEST_F(RouterTest, RefusesTraversalHoweverItIsWritten) {
    for (const char* target :
         {"/api/objects/../backups", "/api/objects/a/../b", "/api/objects/%2e%2e/b", "/api/objects/%2E./b",
          "/api/objects/a%2f..%2fb", "/api/objects/a%2Fb", "/api/./objects/a", "/api/objects/.", "/api/objects/a//b",
          "/api/backups/..", "/api/backups/%2e%2e", "/api/backups/a%2fb", "/api/objects/%", "/api/objects/%00",
          "/api/objects/%ff"}) {
        EXPECT_EQ(match("PUT", target).handler, nullptr) << target;
        EXPECT_EQ(match("GET", target).handler, nullptr) << target;
    }
}

TEST_F(RouterTest, RefusesPatternsThatCannotBeMeant) {
    const auto nothing = [](std::unique_ptr<Exchange>, const PathParams&) {};
    EXPECT_DEATH(router.add("GET", "/api/backups/{other}", nothing), "");
    EXPECT_DEATH(router.add("GET", "/a/{rest*}/b", nothing), "");
    EXPECT_DEATH(router.add("GET", "a", nothing), "");
    EXPECT_DEATH(router.add("GET", "/a{b}", nothing), "");
}

}  // namespace
}  // namespace backstay::http
