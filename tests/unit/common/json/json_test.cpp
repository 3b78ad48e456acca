#include "common/json/json.h"

#include <gtest/gtest.h>

#include <limits>

namespace backstay::json {
namespace {

enum class Colour { red, blue };
BOOST_DESCRIBE_ENUM(Colour, red, blue)

struct Inner {
    std::uint8_t small_number = 0;
    std::optional<std::string> note;
};
BOOST_DESCRIBE_STRUCT(Inner, (), (small_number, note))

struct Outer {
    std::string name;
    std::int64_t size_bytes = 0;
    Colour colour = Colour::red;
    std::vector<Inner> items;
    std::map<std::string, std::string> facts;
    std::optional<Timestamp> completed_at;
};
BOOST_DESCRIBE_STRUCT(Outer, (), (name, size_bytes, colour, items, facts, completed_at))

TEST(Json, RoundTripInCamelCase) {
    const Outer value{"a", -3, Colour::blue, {{7, std::nullopt}}, {{"k", "v"}}, Timestamp{1000}};
    const std::string text = encode_text(value);
    EXPECT_EQ(text, R"({"name":"a","sizeBytes":-3,"colour":"blue","items":[{"smallNumber":7,"note":null}],)"
                    R"("facts":{"k":"v"},"completedAt":"1970-01-01T00:00:01Z"})");
    const auto back = decode_text<Outer>(text);
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(encode_text(*back), text);
}

// Every kind of value that can be described, with all that must be escaped.
struct Everything {
    std::string text;
    std::string_view view;
    const char* word = "";
    bool yes = false;
    double real = 0;
    double whole = 0;
    std::int64_t least = std::numeric_limits<std::int64_t>::min();
    std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    Value any;
    Object object;
    std::optional<Inner> nothing;
    std::optional<std::vector<Inner>> list;
    std::vector<std::string> none;
    std::map<std::string, Inner> by_name;
    std::map<std::string, int> empty;
    Outer outer;
};
BOOST_DESCRIBE_STRUCT(Everything, (),
                      (text, view, word, yes, real, whole, least, most, any, object, nothing, list, none, by_name,
                       empty, outer))

TEST(Json, TextIsWhatTheDocumentSerializesTo) {
    Everything value;
    for (int c = 0; c < 256; ++c) value.text += static_cast<char>(c);
    value.text += "\u00e4\u20ac\xf0\x9f\x98\x80";
    value.view = "a\"b";
    value.word = "back\\slash";
    value.yes = true;
    value.real = 0.1;
    value.whole = 100;
    value.any = Array{1, nullptr, "x"};
    value.object = {{"k", 1.5}};
    value.list = {{1, "one"}, {2, std::nullopt}};
    value.by_name = {{"", {}}, {"a \"quoted\" name", {3, "three"}}};
    value.outer = {"a", -3, Colour::blue, {{7, std::nullopt}}, {{"k", "v"}}, Timestamp{1001}};
    for (const Names names : {Names::camel, Names::as_is})
        EXPECT_EQ(encode_text(value, names), json::serialize(encode(value, names)));
}

TEST(Json, WrittenTextIsPutInAsItStands) {
    EXPECT_EQ(encode_text(std::vector<Written>{{"{\"a\":1}"}, {"null"}}), R"([{"a":1},null])");
}

TEST(Json, NamesEveryFaultByItsPath) {
    Outer out;
    Faults faults;
    const auto document =
        parse(R"({"name":1,"sizeBytes":1.5,"colour":"green","items":[{"smallNumber":256}],"facts":{"k":2},"extra":0})");
    ASSERT_TRUE(document);
    EXPECT_FALSE(decode_into(*document, out, faults));
    std::map<std::string, std::string> seen;
    for (const Fault& fault : faults) seen[fault.field] = fault.message;
    EXPECT_EQ(seen["name"], "must be a string");
    EXPECT_EQ(seen["sizeBytes"], "must be a whole number");
    EXPECT_EQ(seen["colour"], "must be one of red, blue");
    EXPECT_EQ(seen["items[0].smallNumber"], "must be at most 255");
    EXPECT_EQ(seen["facts.k"], "must be a string");
    EXPECT_EQ(seen["extra"], "is not known here");
    EXPECT_EQ(seen.size(), 6U);
}

TEST(Json, MissingMembersAreNamedUnlessLenient) {
    EXPECT_FALSE(decode_text<Inner>("{}"));
    EXPECT_TRUE(decode_text<Inner>(R"({"new":1})", kLenient));
}

TEST(Json, RefusesWhatReadersCouldUnderstandDifferently) {
    EXPECT_FALSE(parse(R"({"a":1,"a":2})"));
    EXPECT_FALSE(parse(R"({"o":{"a":1,"b":{},"a":2}})"));
    EXPECT_TRUE(parse(R"([{"a":1},{"a":2}])"));
    EXPECT_FALSE(parse(R"({"a":1} x)"));
    EXPECT_FALSE(parse("\"\xff\""));
    EXPECT_FALSE(parse("/* no */ {}"));
    EXPECT_FALSE(parse(""));
    EXPECT_FALSE(parse("{"));
    EXPECT_FALSE(parse(std::string(100, '[') + std::string(100, ']')));
    EXPECT_FALSE(decode_text<Outer>("[]"));
}

TEST(Json, IntegersAreExact) {
    std::int64_t out = 0;
    Faults faults;
    EXPECT_TRUE(decode_into(*parse("9223372036854775807"), out, faults));
    EXPECT_EQ(out, 9223372036854775807);
    EXPECT_FALSE(decode_into(*parse("9223372036854775808"), out, faults));
    EXPECT_FALSE(decode_into(*parse("99999999999999999999"), out, faults));
    EXPECT_FALSE(decode_into(*parse("2.0"), out, faults));
}

TEST(Json, RefuseAKeyThatStandsTwiceInOneObject) {
    for (const char* text : {R"({"a":1,"a":2})", R"({"a":1,"b":2,"a":3})", R"([{"x":{"b":{"c":1},"b":1}}])",
                             R"({"a":{"c":1},"b":{"c":1},"a":1})", R"({"ab":1,"\u0061b":2})", R"({"":1,"":2})"}) {
        const auto value = parse(text);
        ASSERT_FALSE(value) << text;
        EXPECT_NE(value.error().message().find("stands twice"), std::string::npos) << text;
    }
    for (const char* text : {R"({"a":{"a":{"a":1},"b":1},"b":{"a":1}})", R"([{"a":1},{"a":1}])",
                             R"({"a":1,"aa":2,"":3})", R"({"a":"x","x":"a","\u00e4":1})"}) {
        EXPECT_TRUE(parse(text)) << text;
    }
}

TEST(Json, KeepAPartOfADocumentThatIsGone) {
    Value part;
    {
        auto value = parse(R"({"kept":{"list":[1,"two",{"three":3}]},"other":"gone"})");
        ASSERT_TRUE(value);
        part = std::move(value->as_object()["kept"]);
    }
    part.as_object()["more"] = "added";
    EXPECT_EQ(json::serialize(part), R"({"list":[1,"two",{"three":3}],"more":"added"})");
}

}  // namespace
}  // namespace backstay::json
