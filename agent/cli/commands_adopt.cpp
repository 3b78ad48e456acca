#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "agent/cli/agent_socket.h"
#include "agent/cli/commands.h"
#include "agent/cli/render.h"
#include "common/text.h"

namespace backstay::cli {
namespace {

using adoption::AdoptionReport;

constexpr std::uint64_t kPatienceMs = 6ULL * 3600 * 1000;  // thousands of manifests, one after the other
constexpr std::size_t kItemsShown = 50;

std::string render_items(const AdoptionReport& report) {
    if (report.items.empty()) return "";
    std::string text = "\n";
    for (std::size_t i = 0; i < std::min(report.items.size(), kItemsShown); ++i) {
        const adoption::AdoptedItem& item = report.items[i];
        const std::string of = item.kind == "base" ? "cluster " + item.cluster : item.database;
        text += fmt::format("  {:<8}  {}  {}  {}  in {}\n", item.kind, item.id, when(item.created_at), printable(of),
                            printable(item.where));
    }
    const std::uint64_t all = report.backups + report.snapshots + report.bases;
    if (all > kItemsShown) text += fmt::format("  and {} more\n", all - kItemsShown);
    return text;
}

std::string render_foreign(const AdoptionReport& report) {
    std::string text;
    for (const adoption::ForeignItems& one : report.foreign) {
        text += fmt::format(
            "  {}  {} of them, the newest of {} UTC{}\n", printable(one.agent_id), one.count, when(one.newest),
            one.databases.empty() ? "" : printable(fmt::format(": {}", fmt::join(one.databases, ", "))));
    }
    if (text.empty()) return "";
    return "\nmade by other agents, and left alone (`--from-agent ID` when this host takes that one's place):\n" + text;
}

std::string render_lines(std::string_view title, const std::vector<std::string>& lines) {
    if (lines.empty()) return "";
    std::string text = fmt::format("\n{}:\n", title);
    for (const std::string& line : lines) text += fmt::format("  {}\n", printable(line));
    return text;
}

std::string render(const AdoptionReport& report) {
    std::string text;
    for (const adoption::LookedAt& one : report.destinations) {
        text += one.error.empty()
                    ? fmt::format("looked at {}: {} with a manifest\n", printable(one.destination_id), one.folders)
                    : fmt::format("NOT looked at {}: {}\n", printable(one.destination_id), printable(one.error));
    }
    text += fmt::format("{} {} backups, {} snapshots, {} base backups, {} further copies; {} were known\n",
                        report.shown ? "to be adopted:" : "adopted:", report.backups, report.snapshots, report.bases,
                        report.copies, report.known);
    if (report.copies_alone > 0) {
        text += fmt::format("{} copies of snapshots that do not lie on this host stay the control plane's\n",
                            report.copies_alone);
    }
    text += render_items(report) + render_foreign(report);
    text += render_lines(fmt::format("damaged or not whole, and not adopted ({})", report.fault_count), report.faults);
    text +=
        render_lines("left by restores, and known to nobody (remove them when you do not need them)", report.leftovers);
    text += render_lines("lost for good", report.lost);
    if (!report.settled && !report.shown) {
        text += fmt::format("\nthe loss of {} UTC stays open: {}\n", when(report.lost_at.value_or(Timestamp{})),
                            printable(report.open));
        text += "  hint: `backstay adopt` again when that is mended, or `backstay adopt --done`\n";
    }
    return text;
}

}  // namespace

int adopt(const Output& output, const adoption::AdoptionRequest& request) {
    AgentSocket agent(output.socket, kPatienceMs);
    const auto text = agent.call("POST", "/v1/adoptions", json::encode_text(request));
    if (!text) return report(output, text.error());
    const auto answer = json::decode_text<AdoptionReport>(*text, json::kLenient);
    if (!answer) return report(output, answer.error());
    fmt::print("{}", output.json ? *text : render(*answer));
    const bool all = std::all_of(answer->destinations.begin(), answer->destinations.end(),
                                 [](const adoption::LookedAt& one) { return one.error.empty(); });
    return static_cast<int>(all && answer->fault_count == 0 ? ExitCode::ok : ExitCode::amber);
}

}  // namespace backstay::cli
