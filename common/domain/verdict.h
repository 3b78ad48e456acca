// The verdict: one pure function from what an operation set out to do and what its steps left behind to the contract's
// recoveryEvidence (contract/semantics.md 4). Agent and control plane compute it from this same code; green means
// proven, never assumed, and nobody sets it by hand.
#pragma once

#include <boost/describe.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/domain/progress.h"
#include "common/domain/steps.h"

namespace backstay {

enum class Phase { pending, running, ended, cancelled };
BOOST_DESCRIBE_ENUM(Phase, pending, running, ended, cancelled)

struct EvidenceInput {
    OperationPlan plan;
    Phase phase = Phase::pending;
    std::vector<StepRecord> steps;  // the latest record of each step
    std::vector<CopyRecord> copies;
    std::optional<Progress> progress;
    std::string failure;             // why it ended early outside any step (agent lost, timeout); "" otherwise
    std::string failure_reason;      // its reason code
    bool reverted = false;           // a restore that failed after the swap and put the previous pair back
    std::vector<std::string> notes;  // further whyGreen statements ("stop_instance: not managed by the agent")
};

struct RecoveryEvidence {
    std::string operation;
    std::string status;  // pending, in_progress, green, amber, red, unknown
    std::string reason;
    std::vector<std::string> required_steps;
    std::vector<std::string> missing_steps;
    std::vector<std::string> blocking_steps;
    std::vector<std::string> optional_failed_steps;
    std::vector<std::string> missing_evidence;
    std::map<std::string, std::string> artifact_paths;
    std::map<std::string, std::string> artifact_checksums;  // "sha256:…"
    std::string remote_copy_state;
    std::optional<Progress> progress;
    bool can_write_clean_success = false;
    std::vector<std::string> why_green;
    std::vector<std::string> why_not_green;
};
BOOST_DESCRIBE_STRUCT(RecoveryEvidence, (),
                      (operation, status, reason, required_steps, missing_steps, blocking_steps, optional_failed_steps,
                       missing_evidence, artifact_paths, artifact_checksums, remote_copy_state, progress,
                       can_write_clean_success, why_green, why_not_green))

RecoveryEvidence judge(const EvidenceInput& input);

// The row's status that follows: pending, running, completed, partial, failed, cancelled, reverted.
std::string row_status(const EvidenceInput& input, const RecoveryEvidence& verdict);

// One of the contract's remoteCopyState values.
std::string remote_copy_state(const OperationPlan& plan, const std::vector<CopyRecord>& copies);

}  // namespace backstay
