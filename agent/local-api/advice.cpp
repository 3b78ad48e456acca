#include "agent/local-api/advice.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/domain/reasons.h"

namespace backstay::local_api {
namespace {

constexpr std::string_view kDoctor = "`backstay doctor` says what this host lacks";
constexpr std::string_view kMend =
    "mend the destination (`backstay doctor`), then `backstay copy` with the backup's id";
constexpr std::string_view kSteps = "`backstay job` with its id shows the step and the program's own words";

constexpr std::array kAdvice = {
    std::pair{reason::kPreflightFailed, kDoctor},
    std::pair{reason::kDiskSpaceLow,
              std::string_view("make room on the disk that is named; nothing half-written is left")},
    std::pair{reason::kDbUnreachable,
              std::string_view("is PostgreSQL running? `backstay check` says how the agent connects")},
    std::pair{reason::kDbAuthFailed,
              std::string_view("the agent's role, its password_file and pg_hba.conf must agree")},
    std::pair{reason::kDbNotFound, std::string_view("is the name right? `backstay inventory` lists the databases")},
    std::pair{reason::kPgToolTooOld, std::string_view("install postgresql-client of the server's major version")},
    std::pair{reason::kDbDumpFailed, kSteps},
    std::pair{reason::kBaseBackupFailed, kSteps},
    std::pair{reason::kFilestoreMissing,
              std::string_view("name the folder with filestore in an [[odoo]], or mount its disk")},
    std::pair{reason::kFilestoreUnreadable, std::string_view("put the agent's user into the group of Odoo's files")},
    std::pair{
        reason::kFilestoreInconsistent,
        std::string_view("Odoo itself has lost the files that are named: look at those records, or restore them")},
    std::pair{reason::kConfigMissing,
              std::string_view("name odoo.conf with odoo_conf in an [[odoo]] of the configuration")},
    std::pair{reason::kArtifactMissing,
              std::string_view("make another backup; `backstay job` with its id shows what is gone")},
    std::pair{reason::kChecksumMismatch,
              std::string_view("do not trust that destination; make another backup elsewhere")},
    std::pair{reason::kStructureInvalid,
              std::string_view("what is stored cannot be restored: make another backup, look at the disk")},
    std::pair{reason::kNoDestination, std::string_view("add a [[destination]] to the agent's configuration")},
    std::pair{reason::kDestinationUnreachable, kMend},
    std::pair{reason::kDestinationAuthFailed,
              std::string_view("renew the destination's key or its rights, then `backstay doctor`")},
    std::pair{reason::kDestinationFull, std::string_view("make room at the destination, or name another one")},
    std::pair{reason::kRemoteCopyPartial, kMend},
    std::pair{reason::kRemoteMissing,
              std::string_view("somebody removed it there: `backstay copy` with the backup's id brings it back")},
    std::pair{reason::kRemoteCorrupt, std::string_view("do not trust that destination; make another backup elsewhere")},
    std::pair{reason::kRemoteImmutable, std::string_view("its lock ends by itself")},
    std::pair{reason::kEncryptionKeyMissing,
              std::string_view("put the key back where encryption_key_file says, readable by the agent alone")},
    std::pair{reason::kDecryptFailed, std::string_view("it was encrypted under another key: find that one")},
    std::pair{reason::kWalGap,
              std::string_view("a new base backup makes later moments reachable: `backstay base-backup`")},
    std::pair{reason::kPitrTargetUnreachable,
              std::string_view("`backstay wal-show` has the moments that can be had back")},
    std::pair{reason::kTargetLocked, std::string_view("stop Odoo, or give the agent its stop_command")},
    std::pair{reason::kTargetNotEmpty, std::string_view("choose another name, or remove what is there")},
    std::pair{reason::kVersionMismatch,
              std::string_view("restore into a server of the same major version or a later one")},
    std::pair{reason::kRestoreFailed, kSteps},
    std::pair{reason::kSafetyCopyFailed, std::string_view("nothing was touched; mend what the safety copy lacked")},
    std::pair{reason::kNeutralizeFailed, kSteps},
    std::pair{reason::kHealthCheckFailed,
              std::string_view("Odoo did not come up on it; the previous pair was put back: see Odoo's log")},
    std::pair{reason::kAgentOffline, std::string_view("systemctl status backstay-agent")},
    std::pair{reason::kAgentRestarted,
              std::string_view("the agent was stopped meanwhile: order it again, if nothing does so by itself")},
    std::pair{reason::kTimeout, std::string_view("it took too long: `backstay job` with its id shows which step")},
    std::pair{reason::kCancelled, std::string_view("somebody cancelled it: order it again when it suits")},
    std::pair{reason::kInternalError, kSteps},
};

}  // namespace

std::string_view advice(std::string_view reason) {
    const auto* const found =
        std::find_if(kAdvice.begin(), kAdvice.end(), [&](const auto& one) { return one.first == reason; });
    return found == kAdvice.end() ? std::string_view() : found->second;
}

std::string contact_hint(const ControlPlaneView& plane) {
    if (plane.last_code == "denied") {
        return "it refuses this agent's credential: make a token there (backstay-control agent enroll-token), then "
               "backstay "
               "enroll here";
    }
    if (plane.last_code == "conflict")
        return "another process with this agent's identity runs: was the host cloned? enroll anew";
    return "is it up, and does this host reach it (DNS, firewall, TLS)? curl -I " + plane.url;
}

std::string destination_hint(const Error& error) {
    if (!error.hint().empty()) return error.hint();
    if (error.reason() == reason::kDestinationAuthFailed) {
        return "mend the key, the secret in its file, or the rights that the key has there";
    }
    if (error.reason() == reason::kDestinationFull) return std::string(advice(error.reason()));
    if (error.code() == Errc::not_found)
        return "make the bucket or the folder, or mend its name in the [[destination]]";
    if (error.code() == Errc::unavailable || error.code() == Errc::timed_out) {
        return "is the address right, and does this host reach it (DNS, firewall)? is the store up?";
    }
    return "mend the [[destination]] by what the store says";
}

}  // namespace backstay::local_api
