#include "agent/worker/board.h"

#include "common/log.h"

namespace backstay {
namespace {

constexpr std::int64_t kStoreEveryMs = 1000;

bool same(const Progress& a, const Progress& b) {
    return a.step == b.step && a.step_status == b.step_status && a.bytes_done == b.bytes_done &&
           a.percent == b.percent && a.status == b.status && a.message == b.message && a.bytes_total == b.bytes_total;
}

}  // namespace

void Board::entered(const std::string& job_id, const ProgressMeter& meter, OperationJournal& journal) {
    const std::lock_guard lock(mutex_);
    shown_.push_back({job_id, &meter, &journal, {}, 0});
}

void Board::left(const ProgressMeter& meter) {
    const std::lock_guard lock(mutex_);
    for (const Shown& shown : shown_) {
        if (shown.meter == &meter) on_progress_(shown.job_id, meter.snapshot());
    }
    std::erase_if(shown_, [&](const Shown& shown) { return shown.meter == &meter; });
}

void Board::tick() {
    const std::lock_guard lock(mutex_);
    for (Shown& shown : shown_) {
        Progress now = shown.meter->snapshot();
        if (same(now, shown.last)) continue;
        on_progress_(shown.job_id, now);
        shown.last = std::move(now);
        if (steady_ms() - shown.stored_at < kStoreEveryMs) continue;
        shown.stored_at = steady_ms();
        if (const auto stored = shown.journal->progressed(shown.last); !stored) {
            log::warning("progress not stored", {{"job", shown.job_id}, {"error", stored.error().message()}});
        }
    }
}

std::optional<Progress> Board::of(const std::string& job_id) const {
    const std::lock_guard lock(mutex_);
    std::optional<Progress> found;
    for (const Shown& shown : shown_) {
        if (shown.job_id == job_id) found = shown.meter->snapshot();
    }
    return found;
}

}  // namespace backstay
