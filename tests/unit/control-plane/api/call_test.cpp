#include "control-plane/api/call.h"

#include <gtest/gtest.h>

namespace backstay::api {
namespace {

struct Order {
    std::string name;
    std::optional<std::int64_t> count;
};
BOOST_DESCRIBE_STRUCT(Order, (), (name, count))

Call with_body(std::string text, const std::string& type = "application/json") {
    Call call;
    call.request.body = std::move(text);
    call.request.headers.add("Content-Type", type);
    return call;
}

std::string refusal(const Call& call) {
    const auto order = body<Order>(call, json::Missing::refuse);
    return order ? "" : order.error().reason();
}

TEST(Body, IsDecodedStrictly) {
    const auto order = body<Order>(with_body(R"({"name":"n","count":3})"));
    ASSERT_TRUE(order);
    EXPECT_EQ(order->count, 3);
    EXPECT_EQ(refusal(with_body(R"({"name":"n"})")), "");
    EXPECT_EQ(refusal(with_body(R"({"name":"n","other":1})")), "validation_error");
    EXPECT_EQ(refusal(with_body(R"({"name":1})")), "validation_error");
    EXPECT_EQ(refusal(with_body(R"({"count":1})")), "validation_error");
    EXPECT_EQ(refusal(with_body(R"([])")), "validation_error");
    EXPECT_EQ(refusal(with_body(R"({"name":)")), "invalid_json");
    EXPECT_EQ(refusal(with_body("{\"name\":\"\xff\"}")), "invalid_json");
    EXPECT_EQ(refusal(with_body(R"({"name":"a","name":"b"})")), "invalid_json");
}

TEST(Body, MayBeLeftOutWhereNothingIsRequired) {
    const auto order = body<Order>(with_body(""));
    ASSERT_TRUE(order);
    EXPECT_EQ(order->name, "");
}

TEST(Body, MustBeJsonUnlessItsTypeIsUnstated) {
    EXPECT_EQ(refusal(with_body(R"({"name":"n"})", "application/json; charset=utf-8")), "");
    EXPECT_EQ(refusal(with_body(R"({"name":"n"})", "application/x-www-form-urlencoded")), "");
    EXPECT_EQ(refusal(with_body(R"({"name":"n"})", "")), "");
    EXPECT_EQ(refusal(with_body("<name/>", "text/xml")), "unsupported_media_type");
}

Call with_query(std::vector<std::pair<std::string, std::string>> query) {
    Call call;
    call.request.query = std::move(query);
    return call;
}

TEST(Paging, TakesWholeNumbersWithinItsBounds) {
    EXPECT_EQ(page_of(with_query({}), 20)->limit, 20);
    EXPECT_EQ(page_of(with_query({{"limit", "0"}}), 20)->limit, 20);
    EXPECT_EQ(page_of(with_query({{"limit", "5"}, {"offset", "7"}}), 20)->offset, 7);
    EXPECT_EQ(page_of(with_query({{"limit", "5000"}}), 20)->limit, 100);
    for (const char* bad : {"-1", "x", "1.5", "", " 3", "3 ", "99999999999999999999"}) {
        const auto page = page_of(with_query({{"limit", bad}}), 20);
        ASSERT_FALSE(page) << bad;
        EXPECT_EQ(page.error().reason(), "invalid_parameter");
        EXPECT_FALSE(page_of(with_query({{"offset", bad}}), 20)) << bad;
    }
}

TEST(Choices, AreOfTheirWords) {
    EXPECT_EQ(*choice_of(with_query({}), "type", {"db", "full"}), "");
    EXPECT_EQ(*choice_of(with_query({{"type", "db"}}), "type", {"db", "full"}), "db");
    EXPECT_EQ(choice_of(with_query({{"type", "DB"}}), "type", {"db", "full"}).error().reason(), "invalid_parameter");
}

}  // namespace
}  // namespace backstay::api
