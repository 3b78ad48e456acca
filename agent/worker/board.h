// Progress of what runs now: read by a ticker, shown by `status`, streamed to those who watch. Thread-safe.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "agent/worker/runner.h"

namespace backstay {

class Board final : public ProgressBoard {
public:
    using OnProgress = std::function<void(const std::string& job_id, const Progress& progress)>;
    explicit Board(OnProgress on_progress) : on_progress_(std::move(on_progress)) {}

    void entered(const std::string& job_id, const ProgressMeter& meter, OperationJournal& journal) override;
    void left(const ProgressMeter& meter) override;

    // Tells of everything that changed since the last tick, and stores it at most once a second for each operation.
    void tick();
    // The innermost operation of that job.
    std::optional<Progress> of(const std::string& job_id) const;

private:
    struct Shown {
        std::string job_id;
        const ProgressMeter* meter;
        OperationJournal* journal;
        Progress last;
        std::int64_t stored_at = 0;
    };
    OnProgress on_progress_;
    mutable std::mutex mutex_;
    std::vector<Shown> shown_;
};

}  // namespace backstay
