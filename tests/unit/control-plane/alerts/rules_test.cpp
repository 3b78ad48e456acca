#include "control-plane/alerts/rules.h"

#include <gmock/gmock.h>

#include "common/domain/reasons.h"

namespace backstay::alerts {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr TimeMs kNow = 1'800'000'000'000;

Ended ended(const std::string& status, const std::string& environment_type = "production") {
    Ended out;
    out.environment = {"e1", "p1", "prod", environment_type};
    out.operation_id = "op";
    out.backup_id = "b1";
    out.scope = "full";
    out.status = status;
    out.message = "the disk is full";
    out.reason = "disk_space_low";
    return out;
}

const Finding* found(const Judgement& judgement, std::string_view type) {
    for (const Finding& finding : judgement.found) {
        if (finding.type == type) return &finding;
    }
    return nullptr;
}

bool is_over(const Judgement& judgement, std::string_view type, const std::string& subject) {
    for (const Relief& relief : judgement.over) {
        if (relief.type == type && relief.subject == subject && !relief.backup_id) return true;
    }
    return false;
}

TEST(BackupAlerts, AFailureIsCriticalOnProductionOnly) {
    const Judgement production = judge_backup(ended("failed"));
    ASSERT_NE(found(production, type::kBackupFailed), nullptr);
    const Finding& finding = *found(production, type::kBackupFailed);
    EXPECT_EQ(finding.severity, Severity::critical);
    EXPECT_EQ(finding.subject, "e1:full");
    EXPECT_EQ(finding.title, "Backup of prod failed");
    EXPECT_EQ(finding.message, "the disk is full");
    EXPECT_EQ(finding.reason, "disk_space_low");
    EXPECT_EQ(finding.about.backup_id, "b1");
    EXPECT_EQ(finding.about.environment_id, "e1");
    EXPECT_EQ(finding.about.project_id, "p1");
    EXPECT_TRUE(finding.is_event);
    EXPECT_EQ(found(judge_backup(ended("failed", "staging")), type::kBackupFailed)->severity, Severity::warning);
}

TEST(BackupAlerts, ASuccessEndsWhatItsOwnTypeFailedAt) {
    const Judgement judgement = judge_backup(ended("completed"));
    EXPECT_THAT(judgement.found, IsEmpty());
    EXPECT_TRUE(is_over(judgement, type::kBackupFailed, "e1:full"));
    EXPECT_TRUE(is_over(judgement, type::kBackupPartial, "e1:full"));
    EXPECT_TRUE(is_over(judgement, type::kBackupOverdue, "e1:full"));
    EXPECT_FALSE(is_over(judgement, type::kBackupFailed, "e1:db"));
}

TEST(BackupAlerts, APartialOneEndsTheFailureAndIsAWarningItself) {
    const Judgement judgement = judge_backup(ended("partial"));
    ASSERT_THAT(judgement.found, SizeIs(1));
    EXPECT_EQ(judgement.found[0].type, type::kBackupPartial);
    EXPECT_EQ(judgement.found[0].severity, Severity::warning);
    EXPECT_TRUE(is_over(judgement, type::kBackupFailed, "e1:full"));
    EXPECT_FALSE(is_over(judgement, type::kBackupPartial, "e1:full"));
}

TEST(BackupAlerts, ACancelledOneSaysNothing) {
    const Judgement judgement = judge_backup(ended("cancelled"));
    EXPECT_THAT(judgement.found, IsEmpty());
    EXPECT_THAT(judgement.over, IsEmpty());
}

TEST(BackupAlerts, WhatComesLateBehindANewerGoodOneIsNoNews) {
    Ended late = ended("failed");
    late.outdated = true;
    late.destinations.push_back({"d1", "disk", false, true, "refused", ""});
    EXPECT_THAT(judge_backup(late).found, IsEmpty());
}

TEST(BackupAlerts, ARefusingDestinationIsCriticalWhenNoCopyIsLeft) {
    Ended partial = ended("partial");
    partial.destinations = {{"d1", "disk", true, false, "", ""},
                            {"d2", "bucket", false, true, "403", "destination_auth_failed"}};
    const Judgement one_left = judge_backup(partial);
    ASSERT_NE(found(one_left, type::kRemoteCopyFailed), nullptr);
    EXPECT_EQ(found(one_left, type::kRemoteCopyFailed)->severity, Severity::warning);
    EXPECT_EQ(found(one_left, type::kRemoteCopyFailed)->subject, "e1:d2");
    EXPECT_EQ(found(one_left, type::kRemoteCopyFailed)->about.destination_id, "d2");
    EXPECT_TRUE(is_over(one_left, type::kRemoteCopyFailed, "e1:d1"));
    Ended failed = ended("failed");
    failed.destinations = {{"d2", "bucket", false, true, "403", ""}};
    const Judgement none_left = judge_backup(failed);
    EXPECT_EQ(found(none_left, type::kRemoteCopyFailed)->severity, Severity::critical);
    EXPECT_THAT(found(none_left, type::kRemoteCopyFailed)->message, HasSubstr("no destination holds it"));
}

TEST(BackupAlerts, ADestinationThatWasNeverReachedRefusedNothing) {
    Ended failed = ended("failed");
    failed.destinations = {{"d2", "bucket", false, false, "", ""}};
    EXPECT_EQ(found(judge_backup(failed), type::kRemoteCopyFailed), nullptr);
}

TEST(BackupAlerts, AFailedCheckAndAMissingKeyAreToldByName) {
    Ended failed = ended("failed");
    failed.check_failed = true;
    EXPECT_EQ(found(judge_backup(failed), type::kVerificationFailed)->subject, "b1");
    failed.check_failed = false;
    failed.reason = reason::kEncryptionKeyMissing;
    EXPECT_EQ(found(judge_backup(failed), type::kKeyMissing)->severity, Severity::critical);
    EXPECT_EQ(found(judge_backup(failed), type::kVerificationFailed), nullptr);
    EXPECT_TRUE(is_over(judge_backup(ended("completed")), type::kKeyMissing, "e1"));
}

TEST(CopyAlerts, AHealedBackupEndsOnlyItsOwnPartialAlert) {
    Ended copy = ended("completed");
    copy.destinations = {{"d2", "bucket", true, false, "", ""}};
    const Judgement judgement = judge_copy(copy);
    EXPECT_TRUE(is_over(judgement, type::kRemoteCopyFailed, "e1:d2"));
    ASSERT_THAT(judgement.over, SizeIs(2));
    EXPECT_EQ(judgement.over[0].type, type::kBackupPartial);
    EXPECT_EQ(judgement.over[0].backup_id, "b1");
}

TEST(VerificationAlerts, WhatCouldNotBeLookedAtIsNoDamage) {
    Ended bad = ended("failed");
    bad.reason = reason::kChecksumMismatch;
    EXPECT_EQ(found(judge_verification(bad), type::kVerificationFailed)->severity, Severity::critical);
    bad.reason = reason::kDestinationUnreachable;
    EXPECT_EQ(found(judge_verification(bad), type::kVerificationFailed)->severity, Severity::warning);
    EXPECT_TRUE(is_over(judge_verification(ended("completed")), type::kVerificationFailed, "b1"));
}

TEST(SnapshotAlerts, TheFailurePolicySaysHowBadItIs) {
    for (const auto& [policy, severity] : {std::pair{"block", Severity::critical}, std::pair{"warn", Severity::warning},
                                           std::pair{"ignore", Severity::info}}) {
        Ended failed = ended("failed");
        failed.failure_policy = policy;
        EXPECT_EQ(found(judge_snapshot(failed), type::kSnapshotFailed)->severity, severity) << policy;
    }
    EXPECT_TRUE(is_over(judge_snapshot(ended("completed")), type::kSnapshotFailed, "e1"));
}

TEST(RestoreAlerts, FailureAndReversalAreCriticalSuccessOnProductionIsTold) {
    EXPECT_EQ(found(judge_restore(ended("failed", "staging"), false), type::kRestoreFailed)->severity,
              Severity::critical);
    const Judgement reverted = judge_restore(ended("reverted"), true);
    EXPECT_EQ(found(reverted, type::kRollbackFailed)->title, "Rollback into prod was reverted");
    EXPECT_EQ(found(reverted, type::kRollbackFailed)->about.snapshot_id, "b1");
    EXPECT_EQ(found(reverted, type::kRollbackFailed)->about.restore_log_id, "op");
    const Judgement done = judge_restore(ended("completed"), false);
    EXPECT_EQ(found(done, type::kRestoreCompleted)->severity, Severity::info);
    EXPECT_EQ(found(done, type::kRestoreCompleted)->subject, "op") << "each one is told";
    EXPECT_TRUE(is_over(done, type::kRestoreFailed, "e1"));
    EXPECT_THAT(judge_restore(ended("completed", "staging"), false).found, IsEmpty());
}

TEST(RetentionAlerts, StayWhileAnotherBackupOfTheEnvironmentIsStuck) {
    EXPECT_FALSE(found(judge_deletion(ended("failed"), false), type::kRetentionBlocked)->is_event)
        << "each further try is no news";
    EXPECT_THAT(judge_deletion(ended("completed"), true).over, IsEmpty());
    EXPECT_TRUE(is_over(judge_deletion(ended("completed"), false), type::kRetentionBlocked, "e1"));
}

TEST(DestinationAlerts, SilenceOfAQuarterOfAnHourIsTold) {
    const SilentDestination silent{"d1", "bucket", kNow, "no route"};
    EXPECT_THAT(judge_destination(silent, kNow + kUnreachableMs - 1).found, IsEmpty());
    ASSERT_THAT(judge_destination(silent, kNow + kUnreachableMs).found, SizeIs(1));
    EXPECT_THAT(judge_destination(silent, kNow + kUnreachableMs).found[0].message, HasSubstr("no route"));
}

AgentSign sign() {
    AgentSign out;
    out.id = "a1";
    out.name = "db1";
    return out;
}

TEST(AgentAlerts, SilenceIsAWarningAfterNinetySecondsAndCriticalAfterAnHour) {
    const AgentSilence silence{"a1", "db1", kNow, 0};
    EXPECT_FALSE(judge_silence(silence, kNow + kOfflineMs - 1));
    EXPECT_EQ(judge_silence(silence, kNow + kOfflineMs)->severity, Severity::warning);
    EXPECT_EQ(judge_silence(silence, kNow + kOfflineLongMs - 1)->severity, Severity::warning);
    EXPECT_EQ(judge_silence(silence, kNow + kOfflineLongMs)->severity, Severity::critical);
}

TEST(AgentAlerts, NobodyIsSilentWhileNobodyListened) {
    const AgentSilence silence{"a1", "db1", kNow, kNow + kOfflineLongMs};
    EXPECT_FALSE(judge_silence(silence, kNow + kOfflineLongMs + kOfflineMs - 1));
    EXPECT_EQ(judge_silence(silence, kNow + kOfflineLongMs + kOfflineMs)->severity, Severity::critical);
    EXPECT_FALSE(judge_silence({"a1", "db1", 0, 0}, kNow)) << "enrolled, never heard: it has not begun";
}

TEST(AgentAlerts, AWrongClockIsToldInBothDirections) {
    AgentSign one = sign();
    one.clock_skew_ms = kSkewMs - 1;
    EXPECT_THAT(judge_clock(one), IsEmpty());
    one.clock_skew_ms = -kSkewMs;
    ASSERT_THAT(judge_clock(one), SizeIs(1));
    EXPECT_THAT(judge_clock(one)[0].message, HasSubstr("behind"));
    one.clock_skew_ms = kSkewLargeMs;
    EXPECT_EQ(judge_clock(one)[0].severity, Severity::critical);
    EXPECT_THAT(judge_clock(one)[0].message, HasSubstr("ahead"));
}

TEST(AgentAlerts, DisksAreJudgedByTheirRole) {
    AgentSign one = sign();
    one.disks = {{"/var/lib/backstay", "state", 1ULL << 30, 100ULL << 30},
                 {"/backups", "destination", 19, 100},
                 {"/filestore", "filestore", 0, 100},
                 {"/tmp", "scratch", 1ULL << 30, 4ULL << 30}};
    const auto low = judge_disks(one);
    ASSERT_THAT(low, SizeIs(1)) << "a small disk that is a quarter free has room for what it is for";
    EXPECT_EQ(low[0].type, type::kAgentDiskLow);
    EXPECT_EQ(low[0].severity, Severity::warning);
    one.disks = {{"/var/lib/backstay", "state", 1, 100ULL << 30}, {"/backups", "destination", 1, 100}};
    ASSERT_THAT(judge_disks(one), SizeIs(1));
    EXPECT_EQ(judge_disks(one)[0].severity, Severity::critical);
}

TEST(WalAlerts, FailuresAndLagOfArchivingAreCritical) {
    AgentSign one = sign();
    ArchiveFact archive;
    archive.cluster = "main";
    archive.enabled = true;
    archive.status = "ok";
    one.archives = {archive};
    EXPECT_THAT(judge_archives(one), IsEmpty());
    one.archives->front().lag_seconds = 601;
    ASSERT_THAT(judge_archives(one), SizeIs(1));
    one.archives->front().archive_timeout_seconds = 300;
    EXPECT_THAT(judge_archives(one), IsEmpty()) << "the server itself waits for five minutes";
    one.archives->front().lag_seconds = 3001;
    ASSERT_THAT(judge_archives(one), SizeIs(1));
    one.archives->front().archive_timeout_seconds = 0;
    one.archives->front().lag_seconds = 600;
    EXPECT_THAT(judge_archives(one), IsEmpty()) << "off: as if it were a minute";
    one.archives->front().archive_timeout_seconds = 1;
    one.archives->front().lag_seconds = 60;
    EXPECT_THAT(judge_archives(one), IsEmpty()) << "between two heartbeats nobody knows";
    one.archives->front().lag_seconds = 61;
    ASSERT_THAT(judge_archives(one), SizeIs(1));
    EXPECT_EQ(judge_archives(one)[0].subject, "a1:main");
    one.archives->front().lag_seconds.reset();
    one.archives->front().status = "failing";
    EXPECT_EQ(judge_archives(one)[0].severity, Severity::critical);
    one.archives->front().enabled = false;
    EXPECT_THAT(judge_archives(one), IsEmpty());
}

TEST(WalAlerts, AGapIsToldOnceAlsoWhenANewBaseBackupIsThereAlready) {
    AgentSign one = sign();
    ArchiveFact archive;
    archive.cluster = "main";
    archive.gaps = {{kNow, kNow + 1000, std::nullopt, true}};
    one.archives = {archive};
    ASSERT_THAT(judge_archives(one), SizeIs(1)) << "it goes on while nothing makes up for it";
    EXPECT_THAT(judge_archives(one)[0].message, HasSubstr("until a new base backup"));
    one.archives->front().gaps = {{kNow, kNow + 1000, "base9", false}};
    ASSERT_THAT(judge_archives(one), SizeIs(1));
    EXPECT_THAT(judge_archives(one)[0].message, HasSubstr("base9"));
    one.archives->front().gaps.front().told = true;
    EXPECT_THAT(judge_archives(one), IsEmpty());
}

TEST(SpaceAlerts, NameTheDestinationWhereTwoMoreFullBackupsDoNotFit) {
    SpaceFact space{"a1", "db1", "d1", "disk", "/backups/acme", 200, 100};
    EXPECT_FALSE(judge_space(space));
    space.free_bytes = 199;
    const auto found = judge_space(space);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->about.destination_id, "d1");
    EXPECT_THAT(found->title, HasSubstr("disk"));
    EXPECT_FALSE(found->is_event);
    space.destination_id.reset();
    EXPECT_EQ(judge_space(space)->subject, "a1:/backups/acme");
    space.last_full_bytes = 0;
    EXPECT_FALSE(judge_space(space)) << "nobody knows how much is needed";
}

TEST(WindowAlerts, AreRaisedOnceTheWindowShouldBeFilled) {
    const std::int64_t day = 24LL * 3600 * 1000;
    const std::int64_t hour = 3600LL * 1000;
    WindowFact window{{"e1", "p1", "prod", "production"}, "a1", 7, kNow, kNow + day};
    EXPECT_FALSE(judge_window(window, kNow + 7 * day)) << "it fills";
    const auto found = judge_window(window, kNow + 7 * day + hour);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->severity, Severity::warning);
    EXPECT_EQ(found->about.environment_id, "e1");
    window.earliest = kNow;
    EXPECT_FALSE(judge_window(window, kNow + 7 * day + hour));
    window.earliest.reset();
    EXPECT_THAT(judge_window(window, kNow + 8 * day)->message, HasSubstr("no moment"));
}

TEST(OverdueAlerts, AreRaisedByTheCadence) {
    const std::int64_t day = 24LL * 3600 * 1000;
    Cadence cadence{{"e1", "p1", "prod", "production"}, "full", day, kNow - 30 * day, kNow};
    EXPECT_FALSE(judge_cadence(cadence, kNow + day + day / 2));
    EXPECT_EQ(judge_cadence(cadence, kNow + day + day / 2 + 1)->severity, Severity::warning);
    EXPECT_EQ(judge_cadence(cadence, kNow + 2 * day)->severity, Severity::critical);
    cadence.expected_since = kNow + day;
    EXPECT_FALSE(judge_cadence(cadence, kNow + 2 * day)) << "the schedule is new";
    cadence.last_restorable_at.reset();
    EXPECT_THAT(judge_cadence(cadence, kNow + 3 * day)->message, HasSubstr("none"));
}

}  // namespace
}  // namespace backstay::alerts
