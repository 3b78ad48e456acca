#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/wal/segment_name.h"

namespace backstay::wal {
namespace {

constexpr std::uint64_t kSixteenMiB = 16 << 20;

TEST(WalNames, AreOfFourKinds) {
    EXPECT_EQ(parse_wal_name("00000001000000A0000000FF")->kind, NameKind::segment);
    EXPECT_EQ(parse_wal_name("00000001000000A0000000FF.partial")->kind, NameKind::partial);
    EXPECT_EQ(parse_wal_name("00000001000000A0000000FF.00000028.backup")->kind, NameKind::backup_label);
    const auto history = parse_wal_name("0000000A.history");
    ASSERT_TRUE(history);
    EXPECT_EQ(history->kind, NameKind::history);
    EXPECT_EQ(history->timeline, 10U);
}

TEST(WalNames, RefuseEverythingElse) {
    for (const char* text :
         {"", "00000001", "0000000100000000000000", "00000001000000a0000000ff", "00000001000000A0000000FFF",
          "00000000000000A0000000FF", "../0000001000000A0000000F", "00000001000000A0000000FF.partial.ready",
          "00000001000000A0000000FF.0000002.backup", "00000001000000A0000000FF-00000028.backup", "0000000a.history",
          "RECOVERYXLOG", "00000001000000A0000000FF.00000028.BACKUP", "xlogtemp.1234", "0000000G.history"}) {
        EXPECT_FALSE(parse_wal_name(text)) << text;
    }
}

TEST(WalNames, CountSegmentsOfAnySize) {
    for (const std::uint64_t bytes : {1ULL << 20, 1ULL << 24, 1ULL << 26, 1ULL << 30}) {
        for (const std::uint64_t number : {0ULL, 1ULL, 3ULL, 4ULL, 255ULL, 256ULL, 100'000ULL}) {
            const auto name = parse_wal_name(segment_name(7, number, bytes));
            ASSERT_TRUE(name);
            EXPECT_EQ(name->timeline, 7U);
            EXPECT_EQ(segment_number(*name, bytes).value(), number);
        }
    }
    EXPECT_EQ(segment_name(1, 256, kSixteenMiB), "000000010000000100000000");
    EXPECT_EQ(start_of_segment(256, kSixteenMiB), 0x1'0000'0000ULL);
}

TEST(WalNames, RefuseSegmentsThatTheSizeDoesNotKnow) {
    EXPECT_FALSE(segment_number(*parse_wal_name("000000010000000000000100"), kSixteenMiB));
    EXPECT_TRUE(segment_number(*parse_wal_name("000000010000000000000100"), 1 << 20));
    EXPECT_FALSE(segment_number(*parse_wal_name("000000010000000000000001"), 3 << 20));
    EXPECT_FALSE(segment_number(*parse_wal_name("00000002.history"), kSixteenMiB));
}

TEST(WalNames, LieInFoldersThatAScanUnderstands) {
    const std::string folder = "v1/local/clusters/7";
    const std::string digest(64, 'b');
    const auto key = [&](const char* name, bool encrypted = false) {
        return archive_key(folder, parse_wal_name(name).value(), digest, encrypted);
    };
    EXPECT_EQ(key("00000001000000A0000000FF"),
              "v1/local/clusters/7/wal/00000001/00000001000000A0/00000001000000A0000000FF.zst");
    EXPECT_EQ(key("00000001000000A0000000FF", true),
              "v1/local/clusters/7/wal/00000001/00000001000000A0/00000001000000A0000000FF.zst.enc");
    EXPECT_EQ(
        key("00000001000000A0000000FF.partial"),
        "v1/local/clusters/7/wal/00000001/00000001000000A0/00000001000000A0000000FF.partial-bbbbbbbbbbbbbbbb.zst");
    EXPECT_EQ(key("00000001000000A0000000FF.00000028.backup"),
              "v1/local/clusters/7/wal/00000001/00000001000000A0/00000001000000A0000000FF.00000028.backup.zst");
    EXPECT_EQ(key("00000002.history"), "v1/local/clusters/7/wal/00000002/00000002.history.zst");
}

TEST(WalNames, AreReadBackFromKeys) {
    const std::string folder = "v1/local/clusters/7";
    for (const char* text : {"00000001000000A0000000FF", "00000001000000A0000000FF.partial",
                             "00000001000000A0000000FF.00000028.backup", "00000002.history"}) {
        for (const bool encrypted : {false, true}) {
            const WalName name = parse_wal_name(text).value();
            const auto entry = parse_archive_key(folder, archive_key(folder, name, std::string(64, 'c'), encrypted));
            ASSERT_TRUE(entry) << text;
            EXPECT_EQ(entry->name.text, text);
            EXPECT_EQ(entry->encrypted, encrypted);
            EXPECT_EQ(entry->digest, name.kind == NameKind::partial ? "cccccccccccccccc" : "");
        }
    }
    for (const char* key : {"v1/local/clusters/7/wal/00000002/00000001000000A0/00000001000000A0000000FF.zst",
                            "v1/local/clusters/7/wal/00000001/00000001000000A0/00000001000000A0000000FF",
                            "v1/local/clusters/8/wal/00000001/00000001000000A0/00000001000000A0000000FF.zst",
                            "v1/local/clusters/7/wal/00000001/00000001000000A0/00000001000000A0000000FF.partial.zst",
                            "v1/local/clusters/7/base/x/manifest.json"}) {
        EXPECT_FALSE(parse_archive_key(folder, key)) << key;
    }
}

}  // namespace
}  // namespace backstay::wal
