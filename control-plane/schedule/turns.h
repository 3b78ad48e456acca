// What is to be done about an environment's due moments: the scheduler's pure core, tested with a clock moved by hand.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/domain/schedule.h"
#include "common/result.h"
#include "control-plane/store/schedules.h"

namespace backstay::schedule {

enum class What {
    wait,  // its agent is away: later, while the moment is young
    order,
    cover,  // a full backup of the same moment holds the database too
    skip,   // something works on the environment
    miss,   // nothing could run it in time
};

struct Turn {
    std::string scope;
    Slot slot;
    std::optional<TimeMs> passed_over;  // the first moment before it that nothing was decided about
    What what = What::wait;
    std::string message;  // why there is no backup
};

struct Situation {
    TimeMs now = 0;
    bool agent_here = false;          // and it told which runs it made by itself
    std::string busy;                 // what works on the environment; empty: nothing
    std::optional<TimeMs> last_full;  // the moment of the newest scheduled full backup
};

// The turns that are due, full ones first; none of a schedule that is off or paused. An error: a cron or a zone that is
// not known here.
Result<std::vector<Turn>> turns(const store::Schedule& schedule, const Situation& situation);

}  // namespace backstay::schedule
