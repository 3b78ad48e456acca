#include <fmt/format.h>

#include <algorithm>

#include "agent/cli/render.h"
#include "common/human.h"
#include "common/text.h"

namespace backstay::cli {
namespace {

constexpr std::size_t kWhysShown = 3;  // the first ones tell; the others mostly follow from them

std::string ago(Timestamp at, TimeMs now) {
    const std::int64_t age = now - at.ms;
    return age >= 0 ? human::duration(age) + " ago" : "in " + human::duration(-age);
}

std::string at_and_ago(Timestamp at, TimeMs now) { return fmt::format("{} UTC ({})", when(at), ago(at, now)); }

std::string render_reason(const local_api::WhyReason& one, TimeMs now) {
    std::string text = fmt::format("\n{:<6} {}: {}\n", one.status == "red" ? "RED" : "AMBER", printable(one.subject),
                                   printable(one.message));
    if (one.since) text += fmt::format("       since  {}\n", at_and_ago(*one.since, now));
    for (std::size_t i = 0; i < std::min(one.why_not_green.size(), kWhysShown); ++i) {
        text += fmt::format("       why    {}\n", printable(one.why_not_green[i]));
    }
    if (one.why_not_green.size() > kWhysShown) {
        text += fmt::format("              … and {} more\n", one.why_not_green.size() - kWhysShown);
    }
    if (!one.reason.empty()) text += fmt::format("       code   {}\n", printable(one.reason));
    if (!one.hint.empty()) text += fmt::format("       do     {}\n", printable(one.hint));
    if (!one.next.empty()) {
        text += fmt::format("       next   {}{}\n", printable(one.next),
                            one.next_at ? ", " + at_and_ago(*one.next_at, now) : std::string());
    }
    if (!one.job_id.empty()) text += fmt::format("       see    backstay job {}\n", printable(one.job_id));
    return text;
}

std::string proof_of(const local_api::ProvenView& one, TimeMs now) {
    return fmt::format(
        "{} backed up {}{}{}", one.database.empty() ? "cluster " + printable(one.cluster) : printable(one.database),
        at_and_ago(one.completed_at, now),
        one.destination_ids.empty() ? std::string()
                                    : printable(fmt::format(" to {}", fmt::join(one.destination_ids, ", "))),
        one.read_back_at ? fmt::format(", read back {} UTC", when(*one.read_back_at)) : std::string());
}

}  // namespace

std::string health_line(const local_api::WhyAnswer& answer) {
    if (answer.reasons.empty()) return answer.status == "green" ? "all green" : answer.status;
    const auto red = std::count_if(answer.reasons.begin(), answer.reasons.end(),
                                   [](const local_api::WhyReason& one) { return one.status == "red"; });
    const auto amber = static_cast<std::ptrdiff_t>(answer.reasons.size()) - red;
    if (red == 0) return fmt::format("amber: {} {}", amber, amber == 1 ? "reason" : "reasons");
    return fmt::format("red: {} {}{}", red, red == 1 ? "reason" : "reasons",
                       amber == 0 ? "" : fmt::format(", and {} amber", amber));
}

std::string render_why(const local_api::WhyAnswer& answer, TimeMs now) {
    std::string text = health_line(answer);
    if (answer.reasons.empty() && answer.proven.size() == 1)
        return text + ": " + proof_of(answer.proven[0], now) + "\n";
    text += "\n";
    for (const local_api::WhyReason& one : answer.reasons) text += render_reason(one, now);
    if (!answer.proven.empty()) text += answer.reasons.empty() ? "" : "\nproven all the same\n";
    for (const local_api::ProvenView& one : answer.proven) text += "  " + proof_of(one, now) + "\n";
    if (!answer.reasons.empty() && !answer.why_green.empty()) text += "\ngreen in it\n";
    for (const std::string& line : answer.why_green) text += "  - " + printable(line) + "\n";
    return text;
}

}  // namespace backstay::cli
