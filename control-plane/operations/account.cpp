#include "control-plane/operations/account.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control-plane/operations/lifecycle.h"
#include "control-plane/operations/telling.h"

namespace backstay::operations {
namespace {

std::int64_t order_of(const OperationPlan& plan, std::string_view step) {
    const auto found =
        std::find_if(plan.steps.begin(), plan.steps.end(), [&](const StepPlan& p) { return p.name == step; });
    return (found - plan.steps.begin()) + 1;
}

}  // namespace

void Account::tell(TimeMs now) {
    events_.push_back(next_event(operation_, now));
    changed_ = true;
}

void Account::plan(const OperationPlan& plan) {
    operation_.plan = plan;
    progress_of(operation_).step_count = static_cast<std::int32_t>(plan.steps.size());
    changed_ = true;
}

void Account::step(const StepRecord& step, TimeMs now) {
    Progress& progress = progress_of(operation_);
    progress.step = step.name;
    progress.step_status = boost::describe::enum_to_string(step.status, "");
    progress.step_index = static_cast<std::int32_t>(order_of(operation_.plan, step.name));
    progress.message = step.summary.empty() ? fmt::format("{}: {}", step.name, progress.step_status)
                                            : fmt::format("{}: {}", step.name, step.summary);
    steps_.insert_or_assign(step.name, step);
    tell(now);
}

void Account::progress(const Progress& progress, TimeMs now) {
    const double before = operation_.progress ? operation_.progress->percent : 0;
    operation_.progress = progress;
    operation_.progress->percent = std::clamp(std::max(before, progress.percent), 0.0, 100.0);
    tell(now);
}

Result<> Account::copy(const CopyRecord& copy, TimeMs now) {
    if (!operation_.backup_id) return {};
    TRY(put_copy(db_, *operation_.backup_id, copy, now));
    if (makes_copies(operation_.kind)) {
        changed_ = true;
        return {};
    }
    auto backup = TRY(find_operation(db_, *operation_.backup_id));
    if (!backup) return {};
    return refresh(db_, *backup, now);
}

Result<> Account::store(TimeMs now) {
    if (!std::exchange(changed_, false)) return {};
    for (const auto& [name, step] : std::exchange(steps_, {}))
        TRY(put_step(db_, operation_.id, step, order_of(operation_.plan, name)));
    TRY(append_events(db_, operation_.id, std::exchange(events_, {})));
    return refresh(db_, operation_, now);
}

}  // namespace backstay::operations
