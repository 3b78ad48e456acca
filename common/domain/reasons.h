// The stable reason codes of the contract (contract/semantics.md 4.4): why an operation is not green. Errors carry
// them, the verdict names the most important one.
#pragma once

#include <string_view>

namespace backstay::reason {

inline constexpr std::string_view kOk = "ok";
inline constexpr std::string_view kPreflightFailed = "preflight_failed";
inline constexpr std::string_view kDiskSpaceLow = "disk_space_low";
inline constexpr std::string_view kDbUnreachable = "db_unreachable";
inline constexpr std::string_view kDbAuthFailed = "db_auth_failed";
inline constexpr std::string_view kDbNotFound = "db_not_found";
inline constexpr std::string_view kPgToolTooOld = "pg_tool_too_old";
inline constexpr std::string_view kDbDumpFailed = "db_dump_failed";
inline constexpr std::string_view kBaseBackupFailed = "base_backup_failed";  // additive: pg_basebackup said no
inline constexpr std::string_view kFilestoreMissing = "filestore_missing";
inline constexpr std::string_view kFilestoreUnreadable = "filestore_unreadable";
inline constexpr std::string_view kFilestoreInconsistent = "filestore_inconsistent";
inline constexpr std::string_view kConfigMissing = "config_missing";
inline constexpr std::string_view kArtifactMissing = "artifact_missing";
inline constexpr std::string_view kChecksumMismatch = "checksum_mismatch";
inline constexpr std::string_view kStructureInvalid = "structure_invalid";
inline constexpr std::string_view kNoDestination = "no_destination";
inline constexpr std::string_view kDestinationUnreachable = "destination_unreachable";
inline constexpr std::string_view kDestinationAuthFailed = "destination_auth_failed";
inline constexpr std::string_view kDestinationFull = "destination_full";
inline constexpr std::string_view kRemoteCopyPartial = "remote_copy_partial";
inline constexpr std::string_view kRemoteMissing = "remote_missing";
inline constexpr std::string_view kRemoteCorrupt = "remote_corrupt";
inline constexpr std::string_view kRemoteImmutable = "remote_immutable";
inline constexpr std::string_view kEncryptionKeyMissing = "encryption_key_missing";
inline constexpr std::string_view kDecryptFailed = "decrypt_failed";
inline constexpr std::string_view kWalGap = "wal_gap";
inline constexpr std::string_view kPitrTargetUnreachable = "pitr_target_unreachable";
inline constexpr std::string_view kTargetLocked = "target_locked";
inline constexpr std::string_view kTargetNotEmpty = "target_not_empty";
inline constexpr std::string_view kVersionMismatch = "version_mismatch";
inline constexpr std::string_view kRestoreFailed = "restore_failed";  // additive: pg_restore or the counts said no
inline constexpr std::string_view kSafetyCopyFailed = "safety_copy_failed";
inline constexpr std::string_view kNeutralizeFailed = "neutralize_failed";
inline constexpr std::string_view kHealthCheckFailed = "health_check_failed";
inline constexpr std::string_view kAgentOffline = "agent_offline";
inline constexpr std::string_view kAgentRestarted = "agent_restarted";
inline constexpr std::string_view kTimeout = "timeout";
inline constexpr std::string_view kCancelled = "cancelled";
inline constexpr std::string_view kSuperseded = "superseded";
inline constexpr std::string_view kInternalError = "internal_error";

}  // namespace backstay::reason
