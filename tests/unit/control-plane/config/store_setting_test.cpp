#include "control-plane/config/store_setting.h"

#include <gtest/gtest.h>

#include "control-plane/config/settings.h"

namespace backstay {
namespace {

constexpr const char* kUrl = "postgresql://a@b/c?x=\"y\"";

TEST(StoreSetting, ChangesOneValueAndKeepsCommentsAndAllElse) {
    const auto changed = with_store("# mine\n  store = 'old#.db' # here\nlisten = \"x:1\"\n", "/new.db");
    ASSERT_TRUE(changed) << changed.error().message();
    EXPECT_EQ(*changed, "# mine\n  store = \"/new.db\" # here\nlisten = \"x:1\"\n");
}

TEST(StoreSetting, ChangesTheTextThatInitWrites) {
    const std::string text = settings_text("127.0.0.1:1");
    const auto changed = with_store(text, kUrl);
    ASSERT_TRUE(changed) << changed.error().message();
    EXPECT_EQ(settings_of(*changed, "/s")->store, kUrl);
    EXPECT_EQ(with_store(*changed, "control.db").value(), text);
}

TEST(StoreSetting, AddsItWhereNoneWasAndNotInASection) {
    const auto changed = with_store("[mail]\nhost = \"\"\n", "/new.db");
    ASSERT_TRUE(changed) << changed.error().message();
    EXPECT_EQ(*changed, "store = \"/new.db\"\n[mail]\nhost = \"\"\n");
}

TEST(StoreSetting, RefusesWhatItDoesNotUnderstand) {
    EXPECT_FALSE(with_store("\"store\" = \"a\"\n", "/new.db"));
    EXPECT_FALSE(with_store("store = \"\"\"\na\"\"\"\n", "/new.db"));
}

}  // namespace
}  // namespace backstay
