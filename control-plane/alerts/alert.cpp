#include "control-plane/alerts/alert.h"

namespace backstay::alerts {

std::string_view to_string(Severity severity) { return boost::describe::enum_to_string(severity, "warning"); }

std::optional<Severity> severity_from(std::string_view text) {
    for (const Severity severity : {Severity::info, Severity::warning, Severity::critical}) {
        if (to_string(severity) == text) return severity;
    }
    return std::nullopt;
}

const std::vector<std::string_view>& all_types() {
    static const std::vector<std::string_view> types{
        type::kBackupFailed,        type::kBackupPartial,       type::kBackupOverdue,
        type::kScheduleSkipped,     type::kVerificationFailed,  type::kDrillFailed,
        type::kDrillOverdue,        type::kRemoteCopyFailed,    type::kDestinationUnreachable,
        type::kDestinationLowSpace, type::kWalArchivingFailing, type::kWalGap,
        type::kPitrWindowShort,     type::kSnapshotFailed,      type::kRestoreFailed,
        type::kRestoreCompleted,    type::kRollbackFailed,      type::kRollbackCompleted,
        type::kRetentionBlocked,    type::kScanSuspicious,      type::kStaleRecordsRemoved,
        type::kOrphansRemoved,      type::kAgentOffline,        type::kAgentDiskLow,
        type::kClockSkew,           type::kKeyMissing};
    return types;
}

}  // namespace backstay::alerts
