#include "agent/postgres/base_backup.h"

#include <gtest/gtest.h>

namespace backstay::postgres {
namespace {

constexpr std::string_view kLabel =
    "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\nCHECKPOINT LOCATION: 0/2000060\n"
    "BACKUP METHOD: streamed\nBACKUP FROM: primary\nSTART TIME: 2026-11-21 11:42:37 UTC\n"
    "LABEL: START TIMELINE: 9\nSTART TIMELINE: 3\n";

TEST(BackupLabel, SaysWhereAndOnWhichTimeline) {
    const auto label = parse_backup_label(kLabel);
    ASSERT_TRUE(label);
    EXPECT_EQ(label->start, 0x2000028U);
    EXPECT_EQ(label->checkpoint, 0x2000060U);
    EXPECT_EQ(label->timeline, 3U);
}

TEST(BackupLabel, IsRefusedWhenAnythingOfThatIsMissing) {
    EXPECT_FALSE(parse_backup_label(""));
    for (const char* line : {"START WAL LOCATION", "CHECKPOINT LOCATION", "\nSTART TIMELINE"}) {
        std::string text(kLabel);
        text.replace(text.find(line) + 1, 1, "#");
        EXPECT_FALSE(parse_backup_label(text)) << line;
    }
}

TEST(WalNeed, IsReadFromTheEndOfPostgresqlsManifest) {
    const auto need = parse_wal_need(R"(cut off", "Size": 3 },
],
"WAL-Ranges": [
{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" },
{ "Timeline": 2, "Start-LSN": "0/2000100", "End-LSN": "1/0" }
],
"Manifest-Checksum": "87"})");
    ASSERT_TRUE(need) << need.error().message();
    EXPECT_EQ(need->start, 0x2000028U);
    EXPECT_EQ(need->stop, 0x1'0000'0000U);
    EXPECT_EQ(need->timeline, 2U);
}

TEST(WalNeed, IsRefusedWhenTheManifestIsCutOrNamesNone) {
    for (const char* bad : {"", "\"WAL-Ranges\": [", "\"WAL-Ranges\": []", "\"WAL-Ranges\": [{\"Timeline\": 1}]",
                            "\"WAL-Ranges\": [{\"Timeline\": 1, \"Start-LSN\": \"0/2\", \"End-LSN\": \"0/1\"}]"}) {
        EXPECT_FALSE(parse_wal_need(bad)) << bad;
    }
}

TEST(BaseBackup, NamesWhatAServerRefuses) {
    Error refused(Errc::io, "pg_basebackup: exit status 1");
    refused.add_fact("stderr", "FATAL:  no pg_hba.conf entry for replication connection from host \"[local]\"");
    const Error named = classify_base_backup_error(refused);
    EXPECT_EQ(named.reason(), "db_auth_failed");
    EXPECT_NE(named.hint().find("pg_hba.conf"), std::string::npos);
    EXPECT_EQ(classify_base_backup_error(Error(Errc::io, "something else")).reason(), "base_backup_failed");
}

}  // namespace
}  // namespace backstay::postgres
