#include "control-plane/operations/telling.h"

#include "common/json/json.h"

namespace backstay::operations {

Progress& progress_of(OperationRow& operation) {
    if (!operation.progress) {
        operation.progress.emplace();
        operation.progress->step_count = static_cast<std::int32_t>(operation.plan.steps.size());
    }
    Progress& progress = *operation.progress;
    progress.operation = to_string(operation.kind);
    progress.id = operation.id;
    progress.environment_id = operation.environment_id;
    return progress;
}

ProgressEvent next_event(OperationRow& operation, TimeMs now) {
    Progress& progress = progress_of(operation);
    progress.status = operation.status;
    progress.at = {now};
    progress.done = is_ended(operation);
    return {++operation.event_id, json::encode_text(progress)};
}

}  // namespace backstay::operations
