// What archives of WAL hold, for people and scripts; moments in time as people write them.
#include <fmt/format.h>

#include "agent/cli/agent_socket.h"
#include "agent/cli/commands.h"
#include "agent/cli/render.h"
#include "common/human.h"
#include "common/json/json.h"
#include "common/text.h"

namespace backstay::cli {
namespace {

std::string time_or(const std::optional<Timestamp>& time, const char* other) { return time ? when(*time) : other; }

void print_archive(const local_api::WalArchiveView& archive) {
    fmt::print("cluster {}{}system {}\n", printable(archive.cluster), archive.cluster.empty() ? "" : ", ",
               printable(archive.system_id));
    fmt::print("  recoverable from {} to {} (UTC)\n", time_or(archive.earliest_recoverable, "never"),
               time_or(archive.latest_recoverable, "never"));
    fmt::print("  {} segments, {} of WAL and {} of base backups stored\n", archive.segments,
               human::size(archive.wal_bytes), human::size(archive.base_bytes));
    if (!archive.runs.empty()) {
        Table runs({"  TIMELINE", "FROM", "TO", "SEGMENTS", "LAST COMMIT"});
        for (const auto& run : archive.runs) {
            runs.add({fmt::format("  {}{}", run.timeline, run.timeline == archive.timeline ? " *" : ""), run.start_lsn,
                      run.end_lsn, std::to_string(run.segments), time_or(run.last_commit, "-")});
        }
        fmt::print("{}", runs.text());
    }
    if (!archive.bases.empty()) {
        Table bases({"  BASE BACKUP", "TIMELINE", "FROM", "ENDED", "SIZE"});
        for (const auto& base : archive.bases) {
            bases.add({"  " + base.backup_id, std::to_string(base.timeline), base.start_lsn, when(base.ended_at),
                       human::size(base.size_bytes)});
        }
        fmt::print("{}", bases.text());
    }
    for (const auto& range : archive.ranges) fmt::print("  range {} to {}\n", when(range.start), when(range.end));
    for (const auto& gap : archive.gaps) fmt::print("  GAP   {} to {}\n", when(gap.start), when(gap.end));
    for (const std::string& fault : archive.faults) fmt::print("  fault: {}\n", printable(fault));
}

}  // namespace

int print_wal(const Output& output, const local_api::WalAnswer& answer) {
    bool whole = true;
    for (const auto& archive : answer.archives) whole = whole && archive.gaps.empty() && archive.faults.empty();
    if (output.json) {
        fmt::print("{}\n", json::encode_text(answer));
    } else {
        if (answer.archives.empty()) fmt::print("no archive of WAL\n");
        for (const auto& archive : answer.archives) print_archive(archive);
    }
    return static_cast<int>(whole ? ExitCode::ok : ExitCode::amber);
}

int show_wal(const Output& output) {
    AgentSocket agent(output.socket);
    const auto answer = agent.get<local_api::WalAnswer>("/v1/wal");
    if (!answer) return report(output, answer.error());
    return print_wal(output, *answer);
}

Result<TimeMs> parse_moment(const std::string& text) {
    std::string time = text;
    if (time.size() > 10 && time[10] == ' ') time[10] = 'T';
    if (time.size() == 16) time += ":00";
    auto parsed = parse_rfc3339(time);
    if (parsed) return parsed;
    auto utc = parse_rfc3339(time + "Z");
    if (!utc) {
        return Error(Errc::invalid, fmt::format("'{}' is no moment", text))
            .with_hint("write 2026-01-02T15:04:05+01:00, or without a zone for UTC");
    }
    fmt::print(stderr, "backstay: {} is read as UTC: {}\n", text, to_rfc3339(*utc));
    return utc;
}

}  // namespace backstay::cli
