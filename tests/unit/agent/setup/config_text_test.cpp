#include "agent/setup/config_text.h"

#include <gtest/gtest.h>

namespace backstay::setup {
namespace {

constexpr const char* kFile =
    "# top\n"
    "socket = \"a\"   # where\n"
    "roots = []\n"
    "\n"
    "[control_plane]  # far\n"
    "url = \"\"\n"
    "# url = \"commented\"\n"
    "\n"
    "[[cluster]]\n"
    "name = \"one\"\n"
    "[[cluster]]\n"
    "name = \"two # not a comment\" # this is\n"
    "list = [\n"
    "  \"a\"]\n";

std::string changed(std::string_view table, std::size_t nth, std::string_view key, std::string_view value) {
    return set_value(kFile, table, nth, key, value).value_or("none");
}

std::string replaced(std::string_view old, std::string_view now) {
    std::string text = kFile;
    return text.replace(text.find(old), old.size(), now);
}

TEST(ConfigText, ChangesOneValueAndNothingElse) {
    EXPECT_EQ(changed("", 0, "socket", "\"b\""), replaced("\"a\"   #", "\"b\"   #"));
    EXPECT_EQ(changed("[control_plane]", 0, "url", "\"x\""), replaced("url = \"\"", "url = \"x\""));
    EXPECT_EQ(changed("[[cluster]]", 1, "name", "\"x\""), replaced("\"two # not a comment\"", "\"x\""));
}

TEST(ConfigText, PutsANewKeyBehindTheOthersOfItsTable) {
    EXPECT_EQ(changed("[[cluster]]", 0, "port", "1"), replaced("name = \"one\"\n", "name = \"one\"\nport = 1\n"));
    EXPECT_EQ(changed("", 0, "new", "1"), replaced("roots = []\n", "roots = []\nnew = 1\n"));
    EXPECT_EQ(changed("[control_plane]", 0, "ca", "1"), replaced("url = \"\"\n", "url = \"\"\nca = 1\n"));
}

TEST(ConfigText, LeavesAloneWhatItDoesNotUnderstand) {
    EXPECT_EQ(changed("[[cluster]]", 1, "list", "[]"), "none") << "a value of several lines";
    EXPECT_EQ(changed("[[cluster]]", 2, "name", "\"x\""), "none");
    EXPECT_EQ(changed("[limits]", 0, "nice", "1"), "none");
}

TEST(ConfigText, QuotesWhatTomlWouldReadOtherwise) {
    EXPECT_EQ(toml_text("a\"b\\c"), "\"a\\\"b\\\\c\"");
    EXPECT_EQ(toml_text(std::vector<std::string>{"a", "b"}), "[\"a\", \"b\"]");
}

TEST(ConfigText, AddsATableAtTheEnd) {
    EXPECT_EQ(append_table("a = 1", "[b]\nc = 2\n"), "a = 1\n\n# By `backstay setup`.\n[b]\nc = 2\n");
}

}  // namespace
}  // namespace backstay::setup
