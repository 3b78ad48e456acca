#include "common/text.h"

#include <gtest/gtest.h>

namespace backstay {
namespace {

TEST(Text, IsCutBetweenCharacters) {
    EXPECT_EQ(cut_utf8("short", 5), "short");
    EXPECT_EQ(cut_utf8("longer", 4), "long");
    EXPECT_EQ(cut_utf8("\xC3\xA9\xC3\xA9", 3), "\xC3\xA9");
    EXPECT_EQ(cut_utf8("\xC3\xA9\xC3\xA9", 4), "\xC3\xA9\xC3\xA9");
    EXPECT_EQ(cut_utf8("a\xF0\x9F\x92\xBE", 4), "a");
    EXPECT_EQ(cut_utf8("\xF0\x9F\x92\xBE", 3), "");
    EXPECT_EQ(cut_utf8("", 0), "");
}

}  // namespace
}  // namespace backstay
