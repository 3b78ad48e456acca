// Rules about agents and their hosts: what a heartbeat says, and what its absence does.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "common/domain/reasons.h"
#include "common/human.h"
#include "control-plane/alerts/rules.h"

namespace backstay::alerts {
namespace {

Finding condition(const std::string& agent_id, std::string_view type, Severity severity, std::string subject) {
    Finding out;
    out.type = type;
    out.severity = severity;
    out.subject = std::move(subject);
    out.is_event = false;
    out.about.agent_id = agent_id;
    return out;
}

void put_environment(const ArchiveFact& archive, Finding& found) {
    if (!archive.environment) return;
    found.about.environment_id = archive.environment->id;
    found.about.project_id = archive.environment->project_id;
}

Finding gap_finding(const AgentSign& sign, const ArchiveFact& archive, const GapFact& gap) {
    Finding found = condition(sign.id, type::kWalGap, Severity::critical,
                              fmt::format("{}:{}:{}", sign.id, archive.cluster, to_rfc3339(gap.start)));
    found.title = fmt::format("WAL of {} on {} is missing", archive.cluster, sign.name);
    found.message =
        fmt::format("no moment between {} and {} can be had back", to_rfc3339(gap.start), to_rfc3339(gap.end));
    found.message += gap.base_after ? "; base backup " + *gap.base_after + " makes those after it reachable again"
                                    : "; those after it neither, until a new base backup is made";
    found.reason = reason::kWalGap;
    found.about.backup_id = gap.base_after;
    put_environment(archive, found);
    return found;
}

std::optional<Finding> low_disk(const AgentSign& sign, const DiskFact& disk) {
    const auto below = [&](std::uint64_t bytes, std::uint64_t percent) {
        return disk.free_bytes < bytes && disk.free_bytes * 100 < disk.total_bytes * percent;
    };
    // Those of destinations are measured by what goes there: judge_space().
    if (disk.role == "destination" || disk.role == "filestore" || !below(kDiskLowBytes, 5)) return std::nullopt;
    const bool very = below(kDiskVeryLowBytes, 1);
    Finding found = condition(sign.id, type::kAgentDiskLow, very ? Severity::critical : Severity::warning,
                              sign.id + ":" + disk.path);
    found.title = fmt::format("A disk of {} is nearly full", sign.name);
    found.message = fmt::format("{} ({}) has {} of {} left", disk.path, disk.role, human::size(disk.free_bytes),
                                human::size(disk.total_bytes));
    found.reason = reason::kDiskSpaceLow;
    return found;
}

// Ten times what the server lets pass before it hands over a segment.
std::int64_t lag_limit(const ArchiveFact& archive) {
    const std::int64_t own = archive.archive_timeout_seconds.value_or(0);
    return std::max(kWalLagTimeouts * (own > 0 ? own : kUsualTimeoutSeconds), kWalLagLeastSeconds);
}

}  // namespace

std::vector<Finding> judge_clock(const AgentSign& sign) {
    const std::int64_t skew = std::abs(sign.clock_skew_ms);
    if (skew < kSkewMs) return {};
    const Severity severity = skew >= kSkewLargeMs ? Severity::critical : Severity::warning;
    Finding found = condition(sign.id, type::kClockSkew, severity, sign.id);
    found.title = fmt::format("The clock of {} is wrong", sign.name);
    found.message = fmt::format("it is {} {} the control plane's", human::duration(skew),
                                sign.clock_skew_ms > 0 ? "ahead of" : "behind");
    return {std::move(found)};
}

std::vector<Finding> judge_disks(const AgentSign& sign) {
    std::vector<Finding> out;
    if (!sign.disks) return out;
    for (const DiskFact& disk : *sign.disks) {
        if (auto found = low_disk(sign, disk)) out.push_back(std::move(*found));
    }
    return out;
}

std::vector<Finding> judge_archives(const AgentSign& sign) {
    std::vector<Finding> out;
    if (!sign.archives) return out;
    for (const ArchiveFact& archive : *sign.archives) {
        for (const GapFact& gap : archive.gaps) {
            if (!gap.base_after || !gap.told) out.push_back(gap_finding(sign, archive, gap));
        }
        const bool lags = archive.lag_seconds.value_or(0) > lag_limit(archive);
        if (!archive.enabled || (archive.status != "failing" && !lags)) continue;
        Finding found = condition(sign.id, type::kWalArchivingFailing, Severity::critical,
                                  fmt::format("{}:{}", sign.id, archive.cluster));
        found.title = fmt::format("WAL of {} on {} is not archived", archive.cluster, sign.name);
        found.message = lags ? fmt::format("the oldest WAL waits for {}", human::duration(*archive.lag_seconds * 1000))
                             : fmt::format("{} tries failed", archive.failed_count);
        put_environment(archive, found);
        out.push_back(std::move(found));
    }
    return out;
}

std::optional<Finding> judge_space(const SpaceFact& space) {
    if (space.last_full_bytes == 0 || space.free_bytes >= 2 * space.last_full_bytes) return std::nullopt;
    Finding found = condition(
        space.agent_id, type::kDestinationLowSpace, Severity::warning,
        space.destination_id ? *space.destination_id + ":" + space.agent_id : space.agent_id + ":" + space.path);
    found.title = space.destination_id
                      ? fmt::format("Little space in {} on {}", space.destination_name, space.agent_name)
                      : fmt::format("Little space for backups on {}", space.agent_name);
    found.message = fmt::format("{} has {} left; the last full backup took {}", space.path,
                                human::size(space.free_bytes), human::size(space.last_full_bytes));
    found.reason = reason::kDestinationFull;
    found.about.destination_id = space.destination_id;
    return found;
}

std::optional<Finding> judge_window(const WindowFact& window, TimeMs now) {
    constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
    constexpr std::int64_t kSlackMs = 3600LL * 1000;  // heartbeats, and the base backup that ends a little later
    const std::int64_t wanted = window.days * kDayMs;
    if (now < window.since + wanted + kSlackMs) return std::nullopt;
    if (window.earliest && now - *window.earliest >= wanted - kSlackMs) return std::nullopt;
    Finding found = condition(window.agent_id, type::kPitrWindowShort, Severity::warning, window.environment.id);
    found.title = fmt::format("{} cannot be brought back {} days", window.environment.name, window.days);
    found.message = window.earliest
                        ? fmt::format("the earliest moment that can be had back is {}", to_rfc3339(*window.earliest))
                        : std::string("no moment can be had back");
    found.about.environment_id = window.environment.id;
    found.about.project_id = window.environment.project_id;
    return found;
}

std::optional<Finding> judge_silence(const AgentSilence& silence, TimeMs now) {
    if (silence.seen_at == 0 || now - std::max(silence.seen_at, silence.listening_since) < kOfflineMs) {
        return std::nullopt;
    }
    const bool long_gone = now - silence.seen_at >= kOfflineLongMs;
    Finding found =
        condition(silence.id, type::kAgentOffline, long_gone ? Severity::critical : Severity::warning, silence.id);
    found.title = fmt::format("Agent {} is offline", silence.name);
    found.message = fmt::format("it was last heard at {}", to_rfc3339(silence.seen_at));
    found.reason = reason::kAgentOffline;
    return found;
}

}  // namespace backstay::alerts
