// The step engine: a job is a function whose lines are steps, and each step leaves evidence. Steps of one job may run
// on several threads at once; a step body runs on its caller's thread.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "agent/evidence/journal.h"
#include "agent/evidence/progress_meter.h"
#include "agent/evidence/testimony.h"
#include "common/clock.h"
#include "common/domain/steps.h"
#include "common/result.h"

namespace backstay {

class Steps {
public:
    // `stop` ends the job: no further step begins, and running bodies are expected to watch it too. All parts outlive
    // it.
    Steps(StepJournal& journal, ProgressMeter& progress, const Clock& clock, std::stop_token stop,
          std::int32_t attempt = 1);

    // Call once, before the first step.
    Result<> plan(const OperationPlan& plan);

    // Journals that `name` began, runs the body, journals how it ended, and hands its value or error on, the error with
    // the step's name as context. A journal that cannot write fails the step, whatever it achieved.
    template <class Body>
    auto run(std::string_view name, Body&& body) -> decltype(body()) {
        using Value = typename decltype(body())::value_type;
        if (auto ready = begin(name); !ready) return std::move(ready).error();
        auto result = std::forward<Body>(body)();
        if (!result) {
            fail(name, result.error());
            return std::move(result).context(name);
        }
        if constexpr (std::is_void_v<Value>) {
            TRY(complete(name, Testimony{}));
        } else {
            static_assert(Testifies<Value>, "give the value a testify() beside its type");
            TRY(complete(name, testify(*result)));
        }
        return result;
    }

    // The step is not done, on purpose; for a required step that leaves the operation not green.
    Result<> skip(std::string_view name, std::string why);
    // A step that failed without stopping the job (an optional one).
    void note_failure(std::string_view name, const Error& error);

    Result<> copied(const CopyRecord& copy) { return journal_.copied(copy); }
    Result<> note(const std::string& key, const std::string& value) { return journal_.noted(key, value); }
    ProgressMeter& progress() { return progress_; }
    std::stop_token stop_token() const { return stop_; }
    std::int32_t attempt() const { return attempt_; }

private:
    Result<> begin(std::string_view name);
    Result<> complete(std::string_view name, const Testimony& testimony);
    void fail(std::string_view name, const Error& error);
    StepRecord record_of(std::string_view name) const;

    StepJournal& journal_;
    ProgressMeter& progress_;
    const Clock& clock_;
    std::stop_token stop_;
    std::int32_t attempt_;
    mutable std::mutex mutex_;
    std::map<std::string, StepRecord, std::less<>> running_;
    OperationPlan plan_;
};

}  // namespace backstay
