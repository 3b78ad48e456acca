// A StepJournal that keeps nothing: for work whose evidence is another operation's, or nobody's.
#pragma once

#include "agent/evidence/journal.h"

namespace backstay {

class SilentJournal final : public StepJournal {
public:
    Result<> planned(const OperationPlan& /*plan*/) override { return {}; }
    Result<> recorded(const StepRecord& /*step*/) override { return {}; }
    Result<> copied(const CopyRecord& /*copy*/) override { return {}; }
    Result<> noted(const std::string& /*key*/, const std::string& /*value*/) override { return {}; }
};

}  // namespace backstay
