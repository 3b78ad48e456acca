#include "agent/evidence/steps.h"

#include "common/domain/reasons.h"
#include "common/log.h"

namespace backstay {
namespace {

constexpr std::size_t kOutputMax = 16 * 1024;

std::string_view reason_of(const Error& error) {
    if (!error.reason().empty()) return error.reason();
    if (error.code() == Errc::cancelled) return reason::kCancelled;
    if (error.code() == Errc::timed_out) return reason::kTimeout;
    return reason::kInternalError;
}

}  // namespace

Steps::Steps(StepJournal& journal, ProgressMeter& progress, const Clock& clock, std::stop_token stop,
             std::int32_t attempt)
    : journal_(journal), progress_(progress), clock_(clock), stop_(std::move(stop)), attempt_(attempt) {}

Result<> Steps::plan(const OperationPlan& plan) {
    plan_ = plan;
    progress_.set_plan(plan);
    return journal_.planned(plan);
}

StepRecord Steps::record_of(std::string_view name) const {
    StepRecord record;
    record.name = name;
    record.required = false;
    for (const StepPlan& planned : plan_.steps) {
        if (planned.name == name) record.required = planned.required;
    }
    record.attempt = attempt_;
    return record;
}

Result<> Steps::begin(std::string_view name) {
    if (stop_.stop_requested()) {
        return Error(Errc::cancelled, fmt::format("stopped before {}", name)).with_reason(reason::kCancelled);
    }
    StepRecord record = record_of(name);
    record.status = StepStatus::running;
    record.started_at = Timestamp{clock_.now_ms()};
    TRY(journal_.recorded(record));
    const std::lock_guard lock(mutex_);
    running_.insert_or_assign(std::string(name), std::move(record));
    progress_.began(name);
    return {};
}

Result<> Steps::complete(std::string_view name, const Testimony& testimony) {
    StepRecord record;
    {
        const std::lock_guard lock(mutex_);
        record = std::move(running_.extract(running_.find(name)).mapped());
    }
    record.status = StepStatus::completed;
    record.completed_at = Timestamp{clock_.now_ms()};
    record.duration_ms = record.completed_at->ms - record.started_at->ms;
    record.summary = testimony.summary;
    record.facts = testimony.facts;
    record.proofs = testimony.proofs;
    record.output = testimony.output.substr(0, kOutputMax);
    TRY(journal_.recorded(record).context(name));
    progress_.ended(name, StepStatus::completed);
    return {};
}

void Steps::fail(std::string_view name, const Error& error) {
    StepRecord record;
    {
        const std::lock_guard lock(mutex_);
        record = std::move(running_.extract(running_.find(name)).mapped());
    }
    record.status = StepStatus::failed;
    record.completed_at = Timestamp{clock_.now_ms()};
    record.duration_ms = record.completed_at->ms - record.started_at->ms;
    record.summary = error.message().substr(0, 2000);
    if (!error.hint().empty()) record.summary += " (" + error.hint() + ")";
    record.facts = error.facts();
    record.reason = reason_of(error);
    if (const auto tail = error.facts().find("stderr"); tail != error.facts().end()) {
        record.output = tail->second.substr(0, kOutputMax);
        record.facts.erase("stderr");
    }
    if (auto written = journal_.recorded(record); !written) {
        // The job fails in any case; this is the last place that hears of the second failure.
        log::error("evidence not written", {{"step", name}, {"error", written.error().message()}});
    }
    progress_.ended(name, StepStatus::failed);
}

Result<> Steps::skip(std::string_view name, std::string why) {
    StepRecord record = record_of(name);
    record.status = StepStatus::skipped;
    record.completed_at = Timestamp{clock_.now_ms()};
    record.summary = std::move(why);
    TRY(journal_.recorded(record).context(name));
    progress_.ended(name, StepStatus::skipped);
    return {};
}

void Steps::note_failure(std::string_view name, const Error& error) {
    if (auto ready = begin(name); ready) fail(name, error);
}

}  // namespace backstay
