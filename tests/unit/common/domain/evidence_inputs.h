// Operations as tests like them: everything proven, ready to be damaged in one place.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "common/domain/verdict.h"

namespace backstay {

inline const std::string kS3 = "11111111-1111-4111-8111-111111111111";
inline const std::string kSftp = "22222222-2222-4222-8222-222222222222";

inline StepRecord completed_step(const std::string& name, bool required = true) {
    StepRecord record;
    record.name = name;
    record.required = required;
    record.status = StepStatus::completed;
    record.summary = "done";
    return record;
}

inline CopyRecord verified_copy(const std::string& destination, const std::string& artifact) {
    CopyRecord copy;
    copy.destination_id = destination;
    copy.artifact = artifact;
    copy.state = CopyState::verified;
    copy.key = "v1/o/p/e/backups/2026/01/02/b/" + artifact + ".zst";
    copy.sha256 = std::string(64, 'a');
    copy.size_bytes = 10;
    return copy;
}

// Every step completed, every proof left by the last one, every copy verified.
inline EvidenceInput all_proven(const OperationPlan& plan) {
    EvidenceInput input;
    input.plan = plan;
    input.phase = Phase::ended;
    for (const StepPlan& planned : plan.steps) {
        input.steps.push_back(completed_step(planned.name, planned.required));
    }
    input.steps.back().proofs = plan.required_proofs;
    for (const std::string& id : plan.destination_ids) {
        for (const std::string& name : plan.artifacts) input.copies.push_back(verified_copy(id, name));
    }
    return input;
}

inline StepRecord& step_of(EvidenceInput& input, std::string_view name) {
    return *std::find_if(input.steps.begin(), input.steps.end(), [&](const StepRecord& s) { return s.name == name; });
}

inline void fail_step(EvidenceInput& input, std::string_view name, const std::string& why, const std::string& reason) {
    StepRecord& record = step_of(input, name);
    record.status = StepStatus::failed;
    record.summary = why;
    record.reason = reason;
    record.proofs.clear();
}

inline void forget_step(EvidenceInput& input, std::string_view name) {
    std::erase_if(input.steps, [&](const StepRecord& s) { return s.name == name; });
}

inline void set_copies(EvidenceInput& input, const std::string& destination, CopyState state,
                       const std::string& message = "") {
    for (CopyRecord& copy : input.copies) {
        if (copy.destination_id != destination) continue;
        copy.state = state;
        copy.message = message;
    }
}

}  // namespace backstay
