// Runs one job from its start to its outcome, on the caller's thread. Everything it needs is opened here, so that
// nothing is shared with other jobs but the settings.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "agent/state/journal.h"
#include "agent/worker/orders.h"
#include "agent/worker/settings.h"
#include "control-plane-client/protocol.h"

namespace backstay {

// Why a job was asked to stop; decides its outcome.
enum class StopCause { none, cancelled, timed_out, shut_down, lost };

// An operation while it runs: what a ticker may read and store from another thread, until `left`.
class ProgressBoard {
public:
    virtual ~ProgressBoard() = default;
    virtual void entered(const std::string& job_id, const ProgressMeter& meter, OperationJournal& journal) = 0;
    virtual void left(const ProgressMeter& meter) = 0;
};

struct RunnerParts {
    const Settings& settings;
    ProgressBoard& board;
    std::stop_token stop;
    std::function<StopCause()> stop_cause;
};

// Starts the row, runs the order and finishes the row. An error means that the journal itself failed.
Result<control_plane::JobFinish> run_job(const JobRequest& request, const RunnerParts& parts);

// The kind of a job's progress: "backup", "restore", "verification" …
std::string operation_name(std::string_view kind);

}  // namespace backstay
