// The StepJournal of the daemon: evidence in SQLite, the report about it in the same transaction.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "agent/evidence/journal.h"
#include "agent/state/evidence.h"
#include "common/clock.h"

namespace backstay {

class OperationJournal final : public StepJournal {
public:
    // Opens a connection of its own, and registers the operation.
    static Result<std::unique_ptr<OperationJournal>> open(const std::string& state_dir, const Clock& clock,
                                                          const std::string& operation_id, const std::string& job_id);

    Result<> planned(const OperationPlan& plan) override;
    Result<> recorded(const StepRecord& step) override;
    Result<> copied(const CopyRecord& copy) override;
    Result<> noted(const std::string& key, const std::string& value) override;

    Result<> progressed(const Progress& progress);
    Result<OperationEvidence> evidence();

private:
    OperationJournal(sqlite::Database database, const Clock& clock, std::string operation_id)
        : database_(std::move(database)), clock_(clock), operation_id_(std::move(operation_id)) {}

    std::mutex mutex_;  // steps of one job overlap; they share the connection
    sqlite::Database database_;
    const Clock& clock_;
    std::string operation_id_;
};

}  // namespace backstay
