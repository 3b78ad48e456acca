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

TEST(Text, CommandsNoTerminal) {
    EXPECT_EQ(printable("a\x1b[2Jb\nc\x7f"), "a [2Jb c ");
    EXPECT_EQ(printable("\xC2\x9B"
                        "2J"),
              " 2J")
        << "the control sequence introducer of eight bits";
    EXPECT_EQ(printable("\x9B"
                        "2J \xC3"),
              " 2J  ")
        << "no UTF-8";
    EXPECT_EQ(printable("gpj.\xE2\x80\xAE"
                        "exe"),
              "gpj. exe")
        << "writes from right to left";
    EXPECT_EQ(printable("caf\xC3\xA9 \xE5\xBA\x97 \xF0\x9F\x92\xBE"), "caf\xC3\xA9 \xE5\xBA\x97 \xF0\x9F\x92\xBE");
    EXPECT_EQ(printable("\xED\xA0\x80\xE0\x80\xAF"), "      ") << "a surrogate, and a dot that is written too long";
    EXPECT_EQ(printable_lines("a\x1b\nb\r"), "a \nb ");
}

TEST(Text, IsMeasuredAndCutByColumns) {
    EXPECT_EQ(columns_of("caf\xC3\xA9"), 4U);
    EXPECT_EQ(columns_of("e\xCC\x81"), 1U);
    EXPECT_EQ(columns_of("\xE5\xBA\x97"), 2U);
    EXPECT_EQ(cut_columns("caf\xC3\xA9s", 4), "caf\xC3\xA9");
    EXPECT_EQ(cut_columns("a\xE5\xBA\x97", 2), "a") << "half of a wide one is none";
    EXPECT_EQ(cut_columns("e\xCC\x81t", 1), "e\xCC\x81");
    EXPECT_EQ(cut_columns("", 5), "");
}

}  // namespace
}  // namespace backstay
