#include "control-plane/api/routes.h"

#include <gtest/gtest.h>

namespace backstay::api {
namespace {

class RoutesTest : public ::testing::Test {
protected:
    RoutesTest() {
        const auto read = [](Call&, sql::Database&) -> Result<http::Response> { return http::Response{}; };
        const auto write = [](Call&, sql::Transaction&) -> Result<http::Response> { return http::Response{}; };
        routes_.add({.method = "GET", .pattern = "/api/backups/{id}"}, read);
        routes_.add_write({.method = "DELETE", .pattern = "/api/backups/{id}"}, write);
        routes_.add({.method = "GET", .pattern = "/api/backups/latest"}, read);
        routes_.add_loop({.method = "GET", .pattern = "/api/backups/{id}/progress", .query_token = true},
                         [](const Call&, std::unique_ptr<http::Exchange>) {});
    }
    std::string found(std::string_view method, std::string_view path) const {
        const auto match = routes_.find(method, path);
        return match.route == nullptr ? "-" + match.allowed : match.route->pattern;
    }
    RouteTable routes_;
};

TEST_F(RoutesTest, AreFoundByMethodAndPath) {
    EXPECT_EQ(found("GET", "/api/backups/7"), "/api/backups/{id}");
    EXPECT_EQ(found("GET", "/api/backups/latest"), "/api/backups/latest");
    EXPECT_EQ(found("DELETE", "/api/backups/latest"), "/api/backups/{id}");
    EXPECT_EQ(found("GET", "/api/backups/7/progress"), "/api/backups/{id}/progress");
    EXPECT_EQ(routes_.find("GET", "/api/backups/7").params.at("id"), "7");
}

TEST_F(RoutesTest, AnswerHeadLikeGetButNotForStreams) {
    EXPECT_EQ(found("HEAD", "/api/backups/7"), "/api/backups/{id}");
    EXPECT_EQ(found("HEAD", "/api/backups/7/progress"), "-GET");
}

TEST_F(RoutesTest, SayWhichMethodsAPathHas) {
    EXPECT_EQ(found("POST", "/api/backups/7"), "-GET, DELETE");
    EXPECT_EQ(found("PUT", "/api/backups/7/progress"), "-GET");
    EXPECT_EQ(found("GET", "/api/backups"), "-");
    EXPECT_EQ(found("GET", "/api/backups/"), "-");
    EXPECT_EQ(found("GET", "/api/backups//progress"), "-");
    EXPECT_EQ(found("GET", "/api/backups/7/"), "-");
    EXPECT_EQ(found("GET", "/"), "-");
}

TEST_F(RoutesTest, KnowWhatTheyAre) {
    EXPECT_TRUE(routes_.find("DELETE", "/api/backups/7").route->writes());
    EXPECT_FALSE(routes_.find("GET", "/api/backups/7").route->writes());
    EXPECT_TRUE(routes_.find("GET", "/api/backups/7/progress").route->query_token);
    EXPECT_EQ(routes_.all().size(), 4U);
}

}  // namespace
}  // namespace backstay::api
