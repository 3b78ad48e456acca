// Alerts (contract/semantics.md 10): what somebody should look at. Rules find them (rules.h), the repository keeps and
// merges them (repository.h), deliveries tell of them.
//
// An alert has a type and a subject. While one of both is open (not resolved), what happens again is merged into it; an
// event raises `occurrences` and makes it unread and undismissed again, a condition that merely goes on changes nothing
// unless it became worse.
#pragma once

#include <boost/describe.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"

namespace backstay::alerts {

enum class Severity { info, warning, critical };
BOOST_DESCRIBE_ENUM(Severity, info, warning, critical)
std::string_view to_string(Severity severity);
std::optional<Severity> severity_from(std::string_view text);

namespace type {
inline constexpr std::string_view kBackupFailed = "backup_failed";
inline constexpr std::string_view kBackupPartial = "backup_partial";
inline constexpr std::string_view kBackupOverdue = "backup_overdue";
inline constexpr std::string_view kScheduleSkipped = "schedule_skipped";
inline constexpr std::string_view kVerificationFailed = "verification_failed";
inline constexpr std::string_view kDrillFailed = "drill_failed";
inline constexpr std::string_view kDrillOverdue = "drill_overdue";
inline constexpr std::string_view kRemoteCopyFailed = "remote_copy_failed";
inline constexpr std::string_view kDestinationUnreachable = "destination_unreachable";
inline constexpr std::string_view kDestinationLowSpace = "destination_low_space";
inline constexpr std::string_view kWalArchivingFailing = "wal_archiving_failing";
inline constexpr std::string_view kWalGap = "wal_gap";
inline constexpr std::string_view kPitrWindowShort = "pitr_window_short";
inline constexpr std::string_view kSnapshotFailed = "snapshot_failed";
inline constexpr std::string_view kRestoreFailed = "restore_failed";
inline constexpr std::string_view kRestoreCompleted = "restore_completed";
inline constexpr std::string_view kRollbackFailed = "rollback_failed";
inline constexpr std::string_view kRollbackCompleted = "rollback_completed";
inline constexpr std::string_view kRetentionBlocked = "retention_blocked";
inline constexpr std::string_view kScanSuspicious = "scan_suspicious";
inline constexpr std::string_view kStaleRecordsRemoved = "stale_records_removed";
inline constexpr std::string_view kOrphansRemoved = "orphans_removed";
inline constexpr std::string_view kAgentOffline = "agent_offline";
inline constexpr std::string_view kAgentDiskLow = "agent_disk_low";
inline constexpr std::string_view kClockSkew = "clock_skew";
inline constexpr std::string_view kKeyMissing = "key_missing";
}  // namespace type

// Every type that this version raises.
const std::vector<std::string_view>& all_types();

// The things that an alert speaks of.
struct About {
    std::optional<std::string> project_id;
    std::optional<std::string> environment_id;
    std::optional<std::string> backup_id;
    std::optional<std::string> snapshot_id;
    std::optional<std::string> restore_log_id;  // a restore's or a rollback's
    std::optional<std::string> destination_id;
    std::optional<std::string> agent_id;
};

// What a rule found: an alert to be raised, or merged into the open one.
struct Finding {
    std::string type;
    Severity severity = Severity::warning;
    std::string subject;
    bool is_event = true;  // false: a condition that goes on
    std::string title;
    std::string message;
    std::string reason;
    About about;
};

// An open alert whose cause is over. With a backup: only while the alert speaks of that one.
struct Relief {
    std::string type;
    std::string subject;
    std::optional<std::string> backup_id;
};

struct Judgement {
    std::vector<Finding> found;
    std::vector<Relief> over;
};

struct Alert {
    std::string id;
    std::string organization_id;
    std::string type;
    std::string subject;
    Severity severity = Severity::warning;
    std::string title;
    std::string message;
    std::optional<std::string> url;  // path of the thing below the API's host
    std::string reason;
    About about;
    std::int64_t occurrences = 1;
    TimeMs first_occurred_at = 0;
    TimeMs last_occurred_at = 0;
    std::optional<TimeMs> resolved_at;
    std::optional<TimeMs> read_at;
    std::optional<std::string> read_by;
    std::optional<TimeMs> dismissed_at;
    std::optional<std::string> dismissed_by;
    TimeMs created_at = 0;
};

}  // namespace backstay::alerts
