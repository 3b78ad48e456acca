// What the steps of operations left behind: plans, step records, copies, notes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/domain/verdict.h"
#include "common/sqlite/database.h"

namespace backstay {

struct OperationEvidence {
    std::string operation_id;
    std::string job_id;
    std::optional<OperationPlan> plan;  // absent before it began
    std::vector<StepRecord> steps;      // in the order in which they first began
    std::vector<CopyRecord> copies;
    std::optional<Progress> progress;
    Facts notes;
};

class EvidenceRepository {
public:
    explicit EvidenceRepository(sqlite::Database& database) : database_(database) {}

    // Registers an operation of a job before its first record; a known one is emptied (another attempt).
    Result<> begin(const std::string& operation_id, const std::string& job_id);
    // Each stores the record and its report in one transaction.
    Result<> plan(const std::string& operation_id, const OperationPlan& plan, TimeMs now);
    Result<> step(const std::string& operation_id, const StepRecord& record, TimeMs now);
    Result<> copy(const std::string& operation_id, const CopyRecord& record, TimeMs now);
    Result<> note(const std::string& operation_id, const std::string& key, const std::string& value);
    Result<> progress(const std::string& operation_id, const Progress& progress, TimeMs now);

    // Marks steps that still run as failed (the process died under them), with their reports.
    Result<> settle(const std::string& operation_id, const std::string& reason, const std::string& summary, TimeMs now);

    Result<std::optional<OperationEvidence>> of(const std::string& operation_id);
    // The job's own operation first.
    Result<std::vector<OperationEvidence>> of_job(const std::string& job_id);

    // The newest operation of each destination that left copies there, of jobs that are over.
    Result<std::map<std::string, std::string>> last_uses();

    // Operations that carry a note of that key; "" asks for any note. Only of jobs that are over.
    Result<std::vector<std::string>> noted_operations(const std::string& key);

private:
    Result<std::string> job_of(const std::string& operation_id);
    sqlite::Database& database_;
};

}  // namespace backstay
