// What an agent tells of an operation while it works on it. What comes together is stored together: one look at the
// facts, one verdict and one row for all of it, and an event for each word.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/domain/steps.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/operations/rows.h"

namespace backstay::operations {

class Account {
public:
    // As it is stored; nobody else changes it before store(). The connection outlives the account.
    Account(sql::Database& db, OperationRow operation) : db_(db), operation_(std::move(operation)) {}

    void plan(const OperationPlan& plan);
    void step(const StepRecord& step, TimeMs now);
    void progress(const Progress& progress, TimeMs now);
    // A copy of the operation's backup, whatever kind of operation tells of it. Stored at once.
    Result<> copy(const CopyRecord& copy, TimeMs now);

    // Stores what was told since the last time. Inside the caller's transaction; nothing is stored without it.
    Result<> store(TimeMs now);
    // Stored, unless something was told since.
    OperationRow& operation() { return operation_; }

private:
    void tell(TimeMs now);

    sql::Database& db_;
    OperationRow operation_;
    bool changed_ = false;
    std::map<std::string, StepRecord> steps_;
    std::vector<ProgressEvent> events_;
};

}  // namespace backstay::operations
