#include "common/domain/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "common/domain/copies.h"
#include "common/domain/reasons.h"

namespace backstay {
namespace {

using Strings = std::vector<std::string>;

const StepRecord* find_step(const std::vector<StepRecord>& steps, std::string_view name) {
    const auto found = std::find_if(steps.begin(), steps.end(), [&](const StepRecord& s) { return s.name == name; });
    return found == steps.end() ? nullptr : &*found;
}

const CopyRecord* find_copy(const std::vector<CopyRecord>& copies, const std::string& destination,
                            const std::string& artifact) {
    for (const CopyRecord& copy : copies) {
        if (copy.destination_id == destination && copy.artifact == artifact) return &copy;
    }
    return nullptr;
}

bool is_stored(const CopyRecord* copy) { return copy != nullptr && is_stored(*copy); }

bool holds_everything(const OperationPlan& plan, const std::vector<CopyRecord>& copies,
                      const std::string& destination) {
    return std::all_of(plan.artifacts.begin(), plan.artifacts.end(),
                       [&](const std::string& name) { return is_stored(find_copy(copies, destination, name)); });
}

bool a_usable_copy_exists(const EvidenceInput& input) {
    const OperationPlan& plan = input.plan;
    return std::any_of(plan.destination_ids.begin(), plan.destination_ids.end(),
                       [&](const std::string& id) { return holds_everything(plan, input.copies, id); });
}

void sort_steps(const EvidenceInput& input, RecoveryEvidence& out) {
    for (const StepPlan& planned : input.plan.steps) {
        const StepRecord* record = find_step(input.steps, planned.name);
        const bool failed = record != nullptr && record->status == StepStatus::failed;
        const bool completed = record != nullptr && record->status == StepStatus::completed;
        if (planned.required) {
            out.required_steps.push_back(planned.name);
            if (failed) {
                out.blocking_steps.push_back(planned.name);
            } else if (!completed) {
                out.missing_steps.push_back(planned.name);
            }
        } else if (failed) {
            out.optional_failed_steps.push_back(planned.name);
        }
    }
}

// Proofs owed: the plan's, and for each destination the path and checksum of each artifact. A destination that already
// failed is named by its own step or copy, not once more by each of its missing proofs.
Strings missing_proofs(const EvidenceInput& input) {
    std::set<std::string> left;
    for (const StepRecord& step : input.steps) {
        if (step.status == StepStatus::completed) left.insert(step.proofs.begin(), step.proofs.end());
    }
    Strings missing;
    for (const std::string& proof : input.plan.required_proofs) {
        if (!left.contains(proof)) missing.push_back(proof);
    }
    for (const std::string& id : input.plan.destination_ids) {
        if (!holds_everything(input.plan, input.copies, id)) continue;
        for (const std::string& name : input.plan.artifacts) {
            const CopyRecord* copy = find_copy(input.copies, id, name);
            if (copy->key.empty()) missing.push_back(fmt::format("remote_path:{}:{}", id, name));
            if (copy->state != CopyState::verified) missing.push_back(fmt::format("remote_checksum:{}:{}", id, name));
        }
    }
    return missing;
}

void name_artifacts(const EvidenceInput& input, RecoveryEvidence& out) {
    for (const CopyRecord& copy : input.copies) {
        if (copy.sha256.empty()) continue;
        const std::size_t slash = copy.key.rfind('/');
        out.artifact_paths.emplace(copy.artifact, slash == std::string::npos ? copy.key : copy.key.substr(slash + 1));
        out.artifact_checksums.emplace(copy.artifact, "sha256:" + copy.sha256);
    }
}

void explain_success(const EvidenceInput& input, RecoveryEvidence& out) {
    for (const StepPlan& planned : input.plan.steps) {
        const StepRecord* record = find_step(input.steps, planned.name);
        if (record == nullptr || record->status != StepStatus::completed || record->summary.empty()) continue;
        out.why_green.push_back(planned.name + ": " + record->summary);
    }
    out.why_green.insert(out.why_green.end(), input.notes.begin(), input.notes.end());
}

std::string describe_failure(const StepRecord& record) {
    return fmt::format("{}: {}", record.name, record.summary.empty() ? "failed" : record.summary);
}

void explain_failures(const EvidenceInput& input, RecoveryEvidence& out) {
    if (!input.failure.empty()) {
        out.why_not_green.push_back(fmt::format("{}: {}", input.failure_reason, input.failure));
    }
    for (const Strings* names : {&out.blocking_steps, &out.optional_failed_steps}) {
        for (const std::string& name : *names) {
            out.why_not_green.push_back(describe_failure(*find_step(input.steps, name)));
        }
    }
    for (const std::string& name : out.missing_steps) {
        const StepRecord* record = find_step(input.steps, name);
        const bool skipped = record != nullptr && record->status == StepStatus::skipped;
        const std::string why =
            skipped && !record->summary.empty() ? "skipped, " + record->summary : "did not complete";
        out.why_not_green.push_back(fmt::format("{}: {}", name, why));
    }
    for (const std::string& proof : out.missing_evidence) {
        // The step that should have left the proof may say why it did not.
        std::string why = "this proof is missing";
        for (const StepRecord& step : input.steps) {
            const auto noted = step.facts.find("missing " + proof);
            if (noted != step.facts.end()) why = noted->second;
        }
        out.why_not_green.push_back(fmt::format("{}: {}", proof, why));
    }
    for (const CopyRecord& copy : input.copies) {
        const bool bad =
            copy.state == CopyState::failed || copy.state == CopyState::missing || copy.state == CopyState::corrupt;
        const std::string upload = fmt::format("{}:{}", step::kRemoteUpload, copy.destination_id);
        const bool told = std::find(out.optional_failed_steps.begin(), out.optional_failed_steps.end(), upload) !=
                          out.optional_failed_steps.end();
        if (!bad || (told && copy.state == CopyState::failed)) continue;
        out.why_not_green.push_back(
            fmt::format("remote_copy:{}:{}: {}", copy.destination_id, copy.artifact,
                        copy.message.empty() ? boost::describe::enum_to_string(copy.state, "") : copy.message));
    }
}

std::string pick_reason(const EvidenceInput& input, const RecoveryEvidence& out) {
    if (!input.failure_reason.empty()) return input.failure_reason;
    if (input.phase == Phase::cancelled) return std::string(reason::kCancelled);
    for (const Strings* names : {&out.blocking_steps, &out.optional_failed_steps}) {
        for (const std::string& name : *names) {
            const StepRecord& record = *find_step(input.steps, name);
            if (name.starts_with("remote_upload:")) return std::string(reason::kRemoteCopyPartial);
            if (!record.reason.empty()) return record.reason;
        }
    }
    for (const CopyRecord& copy : input.copies) {
        if (copy.state == CopyState::corrupt) return std::string(reason::kRemoteCorrupt);
        if (copy.state == CopyState::missing) return std::string(reason::kRemoteMissing);
        if (copy.state == CopyState::failed) return std::string(reason::kRemoteCopyPartial);
    }
    for (const std::string& proof : out.missing_evidence) {
        if (proof == "filestore:reconciled") return std::string(reason::kFilestoreInconsistent);
        if (proof.starts_with("artifact:")) return std::string(reason::kArtifactMissing);
    }
    if (!out.blocking_steps.empty() || !out.missing_steps.empty()) return std::string(reason::kInternalError);
    if (input.reverted) return std::string(reason::kSuperseded);
    if (out.remote_copy_state == "not_configured") return std::string(reason::kNoDestination);
    return std::string(out.remote_copy_state == "not_required" ? reason::kInternalError : reason::kRemoteCopyPartial);
}

// Once nothing is on its way any more, what did not arrive has failed.
std::string state_after_the_end(const EvidenceInput& input, const std::string& state) {
    if (input.phase != Phase::ended && input.phase != Phase::cancelled) return state;
    if (state != "uploading" && state != "pending") return state;
    const bool any =
        std::any_of(input.copies.begin(), input.copies.end(), [](const CopyRecord& copy) { return is_stored(copy); });
    return any ? "partial" : "failed";
}

// The last line, when no finding above explains why it is not green.
std::string explain_the_rest(const EvidenceInput& input, const RecoveryEvidence& out) {
    if (input.reverted) return out.reason + ": the previous database and filestore were put back";
    if (input.phase == Phase::cancelled) return out.reason + ": somebody asked to stop";
    return out.reason + ": the copies are " + out.remote_copy_state;
}

}  // namespace

std::string remote_copy_state(const OperationPlan& plan, const std::vector<CopyRecord>& copies) {
    if (plan.operation != Operation::backup && plan.operation != Operation::snapshot) return "not_required";
    if (plan.destination_ids.empty()) {
        return plan.operation == Operation::snapshot ? "not_required" : "not_configured";
    }
    std::map<CopyState, std::size_t> count;
    for (const std::string& id : plan.destination_ids) {
        for (const std::string& name : plan.artifacts) {
            const CopyRecord* copy = find_copy(copies, id, name);
            ++count[copy == nullptr ? CopyState::pending : copy->state];
        }
    }
    const std::size_t all = plan.destination_ids.size() * plan.artifacts.size();
    const std::size_t stored = count[CopyState::uploaded] + count[CopyState::verified];
    if (count[CopyState::corrupt] > 0) return "corrupt";
    if (count[CopyState::missing] > 0) return "missing";
    if (count[CopyState::deleted] == all) return "deleted";
    if (count[CopyState::deleting] + count[CopyState::deleted] > 0) return "deleting";
    if (count[CopyState::verified] == all) return "verified";
    if (stored == all) return "uploaded";
    if (count[CopyState::failed] > 0) return stored == 0 ? "failed" : "partial";
    if (count[CopyState::pending] == all) return "pending";
    return "uploading";
}

RecoveryEvidence judge(const EvidenceInput& input) {
    RecoveryEvidence out;
    out.operation = boost::describe::enum_to_string(input.plan.operation, "");
    out.progress = input.progress;
    out.remote_copy_state = state_after_the_end(input, remote_copy_state(input.plan, input.copies));
    sort_steps(input, out);
    out.missing_evidence = missing_proofs(input);
    name_artifacts(input, out);
    explain_success(input, out);

    const bool copies_clean = out.remote_copy_state == "verified" || out.remote_copy_state == "not_required";
    const bool steps_clean = out.missing_steps.empty() && out.blocking_steps.empty() &&
                             out.optional_failed_steps.empty() && out.missing_evidence.empty();
    out.can_write_clean_success =
        input.phase == Phase::ended && steps_clean && copies_clean && input.failure.empty() && !input.reverted;

    if (input.phase == Phase::pending || input.phase == Phase::running) {
        out.status = input.phase == Phase::pending ? "pending" : "in_progress";
        return out;
    }
    if (out.can_write_clean_success) {
        out.status = "green";
        out.reason = reason::kOk;
        return out;
    }
    const bool stores = input.plan.operation == Operation::backup;
    const bool broken = !out.blocking_steps.empty() || !out.missing_steps.empty() || !input.failure.empty() ||
                        input.phase == Phase::cancelled || input.reverted;
    out.status = broken || (stores && !a_usable_copy_exists(input)) ? "red" : "amber";
    out.reason = pick_reason(input, out);
    explain_failures(input, out);
    if (out.why_not_green.empty()) out.why_not_green.push_back(explain_the_rest(input, out));
    return out;
}

std::string row_status(const EvidenceInput& input, const RecoveryEvidence& verdict) {
    switch (input.phase) {
        case Phase::pending:
            return "pending";
        case Phase::running:
            return "running";
        case Phase::cancelled:
            return "cancelled";
        case Phase::ended:
            break;
    }
    if (input.reverted) return "reverted";
    if (verdict.status == "green") return "completed";
    return verdict.status == "amber" ? "partial" : "failed";
}

}  // namespace backstay
