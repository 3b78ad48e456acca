// How an operation's progress is put into words for its event stream.
#pragma once

#include "common/clock.h"
#include "control-plane/operations/rows.h"

namespace backstay::operations {

// The progress that the next event tells, made where there is none yet.
Progress& progress_of(OperationRow& operation);
// The next event, with the operation's present state; what moved has been set by the caller.
ProgressEvent next_event(OperationRow& operation, TimeMs now);

}  // namespace backstay::operations
