#include "agent/adoption/adoption.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "agent/adoption/leftovers.h"
#include "agent/adoption/survey.h"
#include "agent/adoption/taking.h"
#include "agent/jobs/destinations.h"
#include "agent/jobs/snapshot/own_place.h"
#include "agent/state/damage.h"
#include "agent/state/evidence.h"
#include "agent/state/identity.h"
#include "agent/state/schedules.h"
#include "common/ids.h"
#include "common/log.h"

namespace backstay::adoption {
namespace {

constexpr std::size_t kIdEnd = 8;

bool lacks_base(const Error& error) { return error.facts().contains(std::string(kBaseFact)); }

// Full snapshots first, because differentials lean on them.
Result<> take_own_snapshots(const AdoptionParts& parts, Taking& taking, LookedAt& looked, AdoptionReport& report) {
    const snapshot::OwnPlace own(parts.host);
    const auto storage = TRY(own.open(parts.stop));
    std::vector<FoundFolder> leaning;
    TRY(survey(*storage, parts.stop, [&](const FoundFolder& folder) -> Result<> {
        ++looked.folders;
        const auto taken = taking.take(*storage, std::string(kHostPlace), folder);
        if (taken || !lacks_base(taken.error())) return taken;
        leaning.push_back(folder);
        return {};
    }));
    for (const FoundFolder& folder : leaning) {
        const auto taken = taking.take(*storage, std::string(kHostPlace), folder);
        if (taken) continue;
        if (!lacks_base(taken.error())) return taken;
        ++report.fault_count;
        report.faults.push_back(fmt::format("{}: {}", folder.path, taken.error().message()));
    }
    return {};
}

Result<> take_all_of(const DestinationOrder& destination, const AdoptionParts& parts, Taking& taking,
                     LookedAt& looked) {
    const auto storage = TRY(open_destination(destination, parts.host, parts.stop));
    return survey(*storage, parts.stop, [&](const FoundFolder& folder) {
        ++looked.folders;
        return taking.take(*storage, destination.id, folder);
    });
}

Result<> note(LookedAt looked, const Result<>& taken, AdoptionReport& report) {
    if (!taken && taken.error().code() == Errc::cancelled) return taken;
    if (!taken) {
        looked.error = taken.error().message();
        log::warning("destination not adopted from", {{"destination", looked.destination_id}, {"error", looked.error}});
    }
    report.destinations.push_back(std::move(looked));
    return {};
}

Result<std::vector<std::string>> forgotten_leftovers(const AdoptionParts& parts) {
    EvidenceRepository evidence(parts.database);
    std::set<std::string> known;
    for (const std::string& id : TRY(evidence.noted_operations(""))) {
        if (id.size() >= kIdEnd) known.insert(id.substr(id.size() - kIdEnd));
    }
    return find_leftovers(
        parts.host.config, [&](const std::string& end) { return known.contains(end); }, parts.stop);
}

std::vector<std::string> lost_for_good() {
    return {"the history of jobs and the evidence of their steps, above all of those that failed",
            "reports that the control plane had not got; jobs that it had given out are given out again",
            "which moments of schedules were run here while the control plane was away",
            "which WAL some destinations lacked, and which was dropped: holes show in `backstay wal-show`",
            "ways back: what restores replaced and kept is listed, but `backstay undo` does not know it"};
}

// Why the loss stays open; empty: it is seen to.
Result<std::string> still_open(const AdoptionParts& parts, const AdoptionReport& report) {
    for (const LookedAt& one : report.destinations) {
        if (!one.error.empty()) return fmt::format("{} could not be looked at", one.destination_id);
    }
    const bool enrolled = TRY(load_identity(parts.host.config.state_dir)).has_value();
    if (enrolled && !TRY(ScheduleRepository(parts.database).contact())) {
        return std::string("the control plane has not been heard since: how long its schedules need WAL is not known");
    }
    return std::string();
}

Result<> settle(const AdoptionParts& parts, const AdoptionRequest& request, AdoptionReport& report) {
    const std::string& state_dir = parts.host.config.state_dir;
    const auto loss = TRY(load_state_loss(state_dir));
    if (!loss) return {};
    report.lost_at = loss->at;
    report.lost = lost_for_good();
    report.open = TRY(still_open(parts, report));
    if (report.shown) {
        report.settled = false;
        return {};
    }
    report.settled = report.open.empty() || request.done.value_or(false);
    return report.settled ? forget_state_loss(state_dir) : Result<>();
}

}  // namespace

Result<AdoptionReport> adopt(const AdoptionParts& parts, const AdoptionRequest& request) {
    if (request.from_agent && !is_uuid(*request.from_agent)) {
        return Error(Errc::invalid, "fromAgent: is no agent's id").with_hint("`backstay adopt --show` lists them");
    }
    AdoptionReport report;
    report.shown = request.show.value_or(false);
    Taking taking(parts, request, report);
    TRY(taking.know_oneself());
    LookedAt host{std::string(kHostPlace), 0, ""};
    const auto own = take_own_snapshots(parts, taking, host, report);
    TRY(note(std::move(host), own, report));
    for (const DestinationOrder& destination : parts.destinations) {
        LookedAt looked{destination.id, 0, ""};
        const auto taken = take_all_of(destination, parts, taking, looked);
        TRY(note(std::move(looked), taken, report));
    }
    report.leftovers = TRY(forgotten_leftovers(parts));
    TRY(settle(parts, request, report));
    if (!report.shown) {
        log::info("adopted", {{"backups", report.backups},
                              {"snapshots", report.snapshots},
                              {"base_backups", report.bases},
                              {"copies", report.copies},
                              {"faults", report.fault_count}});
    }
    return report;
}

}  // namespace backstay::adoption
