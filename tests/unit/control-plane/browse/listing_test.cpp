// One level of a destination, for callers who may see different parts of it.
#include "control-plane/browse/listing.h"

#include <gtest/gtest.h>

#include "common/crypto/base64url.h"
#include "tests/support/memory_storage.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::browse {
namespace {

const SecretBox& box() {
    static const SecretBox made = SecretBox::from_key(std::string(32, 'k')).value();
    return made;
}

class ListingTest : public ::testing::Test {
protected:
    ListingTest() {
        call_.organization_id = world_.organization_id;
        call_.now = world_.now;
    }
    void put(const std::string& key) {
        StringSource content("x");
        EXPECT_TRUE(storage_.put(key, content, {}));
    }
    json::Object page(const Level& level) {
        auto answer = browse_level(call_, world_.db(), storage_, box(), level);
        EXPECT_TRUE(answer) << answer.error().message();
        return json::parse(answer->body).value().get_object();
    }
    std::string refusal(const Level& level) {
        auto answer = browse_level(call_, world_.db(), storage_, box(), level);
        return answer ? "" : answer.error().reason();
    }

    dispatch::World world_;
    testing::MemoryStorage storage_;
    api::Call call_;
};

TEST_F(ListingTest, CursorsLeadOnAndSayNothing) {
    call_.principal.project_id = "mine";
    const std::string others = "v1/" + world_.organization_id + "/";
    for (int i = 0; i < 1100; ++i) put(others + "secret-" + std::to_string(1000 + i) + "/x");
    const json::Object first = page({"d", others, ""});
    EXPECT_TRUE(first.at("files").as_array().empty()) << "another project's";
    ASSERT_TRUE(first.at("truncated").as_bool());
    const std::string cursor(first.at("nextToken").as_string());
    EXPECT_EQ(cursor.find("secret"), std::string::npos);
    const auto decoded = base64url_decode(cursor);
    EXPECT_TRUE(!decoded || decoded->find("secret") == std::string::npos);
    const json::Object second = page({"d", others, cursor});
    EXPECT_FALSE(second.at("truncated").as_bool());
    EXPECT_TRUE(second.at("nextToken").is_null());
}

TEST_F(ListingTest, CursorsAreGoodWhereTheyWereMadeOnly) {
    for (int i = 0; i < 1100; ++i) put("a/" + std::to_string(1000 + i));
    const std::string cursor(page({"d", "a/", ""}).at("nextToken").as_string());
    EXPECT_EQ(refusal({"d", "a/", cursor}), "");
    EXPECT_EQ(refusal({"d", "b/", cursor}), "invalid_parameter");
    EXPECT_EQ(refusal({"other", "a/", cursor}), "invalid_parameter");
    EXPECT_EQ(refusal({"d", "a/", base64url_encode(as_bytes("a/1500"))}), "invalid_parameter") << "made by the caller";
    EXPECT_EQ(refusal({"d", "a/", std::string(10'000, 'A')}), "invalid_parameter");
    call_.principal.project_id = "mine";
    EXPECT_EQ(refusal({"d", "a/", cursor}), "invalid_parameter");
}

}  // namespace
}  // namespace backstay::browse
