#include "agent/state/journal.h"

#include "agent/state/state.h"

namespace backstay {

Result<std::unique_ptr<OperationJournal>> OperationJournal::open(const std::string& state_dir, const Clock& clock,
                                                                 const std::string& operation_id,
                                                                 const std::string& job_id) {
    sqlite::Database database = TRY(open_state(state_dir));
    TRY(EvidenceRepository(database).begin(operation_id, job_id));
    return std::unique_ptr<OperationJournal>(new OperationJournal(std::move(database), clock, operation_id));
}

Result<> OperationJournal::planned(const OperationPlan& plan) {
    const std::lock_guard lock(mutex_);
    return EvidenceRepository(database_).plan(operation_id_, plan, clock_.now_ms());
}

Result<> OperationJournal::recorded(const StepRecord& step) {
    const std::lock_guard lock(mutex_);
    return EvidenceRepository(database_).step(operation_id_, step, clock_.now_ms());
}

Result<> OperationJournal::copied(const CopyRecord& copy) {
    const std::lock_guard lock(mutex_);
    return EvidenceRepository(database_).copy(operation_id_, copy, clock_.now_ms());
}

Result<> OperationJournal::noted(const std::string& key, const std::string& value) {
    const std::lock_guard lock(mutex_);
    return EvidenceRepository(database_).note(operation_id_, key, value);
}

Result<> OperationJournal::progressed(const Progress& progress) {
    const std::lock_guard lock(mutex_);
    return EvidenceRepository(database_).progress(operation_id_, progress, clock_.now_ms());
}

Result<OperationEvidence> OperationJournal::evidence() {
    const std::lock_guard lock(mutex_);
    auto found = TRY(EvidenceRepository(database_).of(operation_id_));
    if (!found) return Error(Errc::not_found, "there is no operation " + operation_id_);
    return std::move(*found);
}

}  // namespace backstay
