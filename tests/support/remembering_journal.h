// A StepJournal that keeps everything in memory and can be told to fail from the n-th record on, or to call somebody
// with each step record, who may then change the world under the job.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "agent/evidence/journal.h"
#include "common/domain/verdict.h"

namespace backstay {

class RememberingJournal final : public StepJournal {
public:
    Result<> planned(const OperationPlan& plan) override {
        const std::lock_guard lock(mutex_);
        plan_ = plan;
        return {};
    }
    Result<> recorded(const StepRecord& step) override {
        if (on_record) on_record(step);
        const std::lock_guard lock(mutex_);
        if (records_left_ == 0) return Error(Errc::io, "the journal's disk is full");
        if (records_left_ > 0) --records_left_;
        history_.push_back(step);
        for (StepRecord& known : latest_) {
            if (known.name == step.name) {
                known = step;
                return {};
            }
        }
        latest_.push_back(step);
        return {};
    }
    Result<> copied(const CopyRecord& copy) override {
        const std::lock_guard lock(mutex_);
        if (on_copy) on_copy(copy);
        for (CopyRecord& known : copies_) {
            if (known.destination_id == copy.destination_id && known.artifact == copy.artifact) {
                known = copy;
                return {};
            }
        }
        copies_.push_back(copy);
        return {};
    }
    Result<> noted(const std::string& key, const std::string& value) override {
        const std::lock_guard lock(mutex_);
        if (value.empty()) {
            notes_.erase(key);
        } else {
            notes_[key] = value;
        }
        return {};
    }

    std::function<void(const CopyRecord&)> on_copy;  // what happens to a copy while it is being recorded
    // Set before the job begins.
    std::function<void(const StepRecord&)> on_record;

    void fail_after(int records) { records_left_ = records; }
    const std::vector<StepRecord>& history() const { return history_; }
    const std::vector<StepRecord>& steps() const { return latest_; }
    const std::vector<CopyRecord>& copies() const { return copies_; }
    const Facts& notes() const { return notes_; }
    const OperationPlan& plan() const { return plan_; }
    const StepRecord* find(std::string_view name) const {
        for (const StepRecord& step : latest_) {
            if (step.name == name) return &step;
        }
        return nullptr;
    }
    // The evidence as it stands, judged as after the end.
    RecoveryEvidence verdict(Phase phase = Phase::ended) const {
        EvidenceInput input;
        input.plan = plan_;
        input.phase = phase;
        input.steps = latest_;
        input.copies = copies_;
        return judge(input);
    }

private:
    std::mutex mutex_;
    int records_left_ = -1;
    OperationPlan plan_;
    std::vector<StepRecord> history_;
    std::vector<StepRecord> latest_;
    std::vector<CopyRecord> copies_;
    Facts notes_;
};

}  // namespace backstay
