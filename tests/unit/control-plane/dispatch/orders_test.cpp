#include "control-plane/dispatch/orders.h"

#include <gtest/gtest.h>

namespace backstay::dispatch {
namespace {

Result<std::optional<DestinationOrder>> open_all_but_gone(std::string_view id) {
    if (id == "gone") return std::optional<DestinationOrder>();
    return std::optional<DestinationOrder>({std::string(id), "name of it", "local", {{"path", "/secret"}}});
}

json::Array named(std::initializer_list<std::string_view> ids) {
    json::Array out;
    for (const std::string_view id : ids) out.push_back(json::Object{{"id", id}, {"config", json::Object{{"k", "v"}}}});
    return out;
}

TEST(Orders, LoseEverySecretWhereverItStands) {
    json::Object safety{{"destinations", named({"a"})}, {"encryptFor", json::Array()}};
    json::Object order{{"destinations", named({"b"})},
                       {"from", named({"c"})},
                       {"to", named({"d"})},
                       {"destination", named({"e"})[0]},
                       {"safetyBackup", safety}};
    const std::string bare = json::serialize(json::Value(without_secrets(order)));
    EXPECT_EQ(bare.find("\"v\""), std::string::npos);
    for (const char* id : {"\"a\"", "\"b\"", "\"c\"", "\"d\"", "\"e\""}) EXPECT_NE(bare.find(id), std::string::npos);
}

TEST(Orders, GetEverySecretBackWhenTheyGoOut) {
    json::Object safety{{"destinations", named({"a"})}, {"encryptFor", json::Array()}};
    json::Object order{{"destinations", named({"b"})}, {"destination", named({"e"})[0]}, {"safetyBackup", safety}};
    const auto filled = with_secrets(without_secrets(order), open_all_but_gone);
    ASSERT_TRUE(filled) << filled.error().message();
    EXPECT_EQ(filled->at("destinations").at(0).at("config").at("path").as_string(), "/secret");
    EXPECT_EQ(filled->at("destination").at("config").at("path").as_string(), "/secret");
    EXPECT_EQ(filled->at("safetyBackup").at("destinations").at(0).at("config").at("path").as_string(), "/secret");
}

TEST(Orders, ThatReadDoWithoutADestinationThatIsGoneAsLongAsAnotherIsLeft) {
    const auto one_left = with_secrets({{"destinations", named({"gone", "a"})}}, open_all_but_gone);
    ASSERT_TRUE(one_left);
    EXPECT_EQ(one_left->at("destinations").as_array().size(), 1U);
    EXPECT_FALSE(with_secrets({{"destinations", named({"gone"})}}, open_all_but_gone));
}

TEST(Orders, ThatWriteNeedEveryDestination) {
    const auto backup =
        with_secrets({{"destinations", named({"a", "gone"})}, {"encryptFor", json::Array()}}, open_all_but_gone);
    ASSERT_FALSE(backup);
    EXPECT_EQ(backup.error().code(), Errc::not_found);
    EXPECT_FALSE(with_secrets({{"from", named({"a"})}, {"to", named({"a", "gone"})}}, open_all_but_gone));
    EXPECT_FALSE(with_secrets({{"destination", named({"gone"})[0]}}, open_all_but_gone));
}

TEST(Orders, ThatAreDamagedAreRefused) {
    EXPECT_EQ(with_secrets({{"destinations", json::Array{5}}}, open_all_but_gone).error().code(), Errc::corrupted);
    EXPECT_EQ(with_secrets({{"destination", json::Object{{"id", 7}}}}, open_all_but_gone).error().code(),
              Errc::corrupted);
}

}  // namespace
}  // namespace backstay::dispatch
