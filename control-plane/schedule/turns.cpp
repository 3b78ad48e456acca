#include "control-plane/schedule/turns.h"

#include "common/time/cron.h"
#include "common/time/zone.h"

namespace backstay::schedule {
namespace {

void choose(Turn& turn, const Situation& situation) {
    if (situation.now >= turn.slot.stale_at) {
        turn.what = What::miss;
        turn.message = situation.agent_here ? "nothing looked after it in time" : "the agent was away";
    } else if (!situation.agent_here) {
        turn.what = What::wait;
    } else if (turn.scope == "db" && situation.last_full == turn.slot.due) {
        turn.what = What::cover;
        turn.message = "the full backup of the same moment holds the database too";
    } else if (!situation.busy.empty()) {
        turn.what = What::skip;
        turn.message = situation.busy + " works on this environment";
    } else {
        turn.what = What::order;
    }
}

}  // namespace

Result<std::vector<Turn>> turns(const store::Schedule& schedule, const Situation& given) {
    std::vector<Turn> out;
    if (!schedule.runs()) return out;
    Situation situation = given;
    const Zone zone = TRY(Zone::find(schedule.time_zone));
    for (const std::string_view scope : store::kScheduledScopes) {
        const store::Cadence& cadence = schedule.of(scope);
        if (!cadence.next || *cadence.next > situation.now) continue;
        const Cron cron = TRY(Cron::parse(cadence.cron));
        const auto slot = newest_slot(cron, zone, *cadence.next, situation.now);
        if (!slot) continue;
        Turn turn;
        turn.scope = scope;
        turn.slot = *slot;
        if (slot->due != *cadence.next) turn.passed_over = cadence.next;
        choose(turn, situation);
        if (turn.what == What::order && scope == "full") {
            situation.last_full = turn.slot.due;
            situation.busy = "the full backup";
        }
        out.push_back(std::move(turn));
    }
    return out;
}

}  // namespace backstay::schedule
