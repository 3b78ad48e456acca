#include "control-plane/browse/content.h"

#include <gtest/gtest.h>

namespace backstay::browse {
namespace {

const ObjectInfo kObject{"a/b.zst", 1000, 1'700'000'000'000, "tag", ""};

ContentPlan plan(const std::string& range, const std::string& name = "", const std::string& value = "") {
    http::Request request;
    request.method = "GET";
    if (!range.empty()) request.headers.add("Range", range);
    if (!name.empty()) request.headers.add(name, value);
    return plan_content(request, kObject, "b.zst");
}

TEST(Content, IsWholeByDefault) {
    const ContentPlan whole = plan("");
    EXPECT_EQ(whole.head.status, 200);
    EXPECT_EQ(whole.head.headers.get("Content-Length"), "1000");
    EXPECT_EQ(whole.head.headers.get("ETag"), "\"tag\"");
    EXPECT_EQ(whole.head.headers.get("Last-Modified"), "Tue, 14 Nov 2023 22:13:20 GMT");
    EXPECT_EQ(whole.head.headers.get("Accept-Ranges"), "bytes");
    EXPECT_TRUE(whole.has_body);
}

TEST(Content, ServesOneRange) {
    struct Case {
        const char* range;
        std::uint64_t first, count;
        const char* shown;
    };
    for (const Case& one :
         {Case{"bytes=0-0", 0, 1, "bytes 0-0/1000"}, Case{"bytes=10-19", 10, 10, "bytes 10-19/1000"},
          Case{"bytes=990-", 990, 10, "bytes 990-999/1000"}, Case{"bytes=-5", 995, 5, "bytes 995-999/1000"},
          Case{"bytes=-5000", 0, 1000, "bytes 0-999/1000"}, Case{"bytes=900-9999", 900, 100, "bytes 900-999/1000"}}) {
        const ContentPlan part = plan(one.range);
        EXPECT_EQ(part.head.status, 206) << one.range;
        EXPECT_EQ(part.range.first, one.first) << one.range;
        EXPECT_EQ(part.range.count, one.count) << one.range;
        EXPECT_EQ(part.head.headers.get("Content-Range"), one.shown);
        EXPECT_EQ(part.head.headers.get("Content-Length"), std::to_string(one.count));
    }
}

TEST(Content, PassesOverRangesThatAreNone) {
    for (const char* range : {"bytes=", "bytes=-", "bytes=5-3", "bytes=a-b", "bytes=1-2,4-5", "lines=1-2", "bytes=1",
                              "bytes=-1x", "bytes=99999999999999999999999-"}) {
        EXPECT_EQ(plan(range).head.status, 200) << range;
    }
}

TEST(Content, TellsWhenARangeCannotBe) {
    for (const char* range : {"bytes=1000-", "bytes=1000-2000", "bytes=-0"}) {
        const ContentPlan none = plan(range);
        EXPECT_EQ(none.head.status, 416) << range;
        EXPECT_EQ(none.head.headers.get("Content-Range"), "bytes */1000");
        EXPECT_FALSE(none.has_body);
    }
}

TEST(Content, HeedsConditions) {
    EXPECT_EQ(plan("", "If-None-Match", "\"tag\"").head.status, 304);
    EXPECT_EQ(plan("", "If-None-Match", "\"x\", \"tag\"").head.status, 304);
    EXPECT_EQ(plan("", "If-None-Match", "\"other\"").head.status, 200);
    EXPECT_EQ(plan("bytes=0-1", "If-Range", "\"tag\"").head.status, 206);
    EXPECT_EQ(plan("bytes=0-1", "If-Range", "\"other\"").head.status, 200);
}

TEST(Content, NamesTheFileSoThatNothingElseIsReadIntoIt) {
    EXPECT_EQ(content_disposition("a\"b\r\nX: y%ü.zst"),
              "attachment; filename=\"a_b__X: y___.zst\"; filename*=UTF-8''a%22b%0D%0AX%3A%20y%25%C3%BC.zst");
}

}  // namespace
}  // namespace backstay::browse
