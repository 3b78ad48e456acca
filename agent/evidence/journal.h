// Where evidence goes. Implementations: the agent's state (SQLite, with the outbox in the same transaction), a printing
// one for commands that run without the daemon, a remembering one in tests. Thread-safe: steps of one job may overlap.
#pragma once

#include <string>

#include "common/domain/steps.h"
#include "common/result.h"

namespace backstay {

class StepJournal {
public:
    virtual ~StepJournal() = default;
    // The plan, before the first step.
    virtual Result<> planned(const OperationPlan& plan) = 0;
    // A step record each time a step begins, ends or is skipped; durable when it returns. An error fails the step.
    virtual Result<> recorded(const StepRecord& step) = 0;
    // The state of one artifact in one destination.
    virtual Result<> copied(const CopyRecord& copy) = 0;
    // A durable note that the job needs after a crash ("I am about to swap these names"): replaces the note of that
    // key; an empty value removes it. On success it is on disk.
    virtual Result<> noted(const std::string& key, const std::string& value) = 0;
};

}  // namespace backstay
