#include "agent/cli/top.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/cli/bar.h"
#include "agent/cli/render.h"
#include "common/human.h"
#include "common/text.h"

namespace backstay::cli {
namespace {

enum class Paint { plain, dim, bold, green, amber, red };

struct Piece {
    std::string text;
    Paint paint = Paint::plain;
};
using Line = std::vector<Piece>;

struct Section {
    std::string title;
    std::vector<Line> lines;
};

std::string_view code_of(Paint paint) {
    switch (paint) {
        case Paint::plain:
            return "";
        case Paint::dim:
            return "\x1b[2m";
        case Paint::bold:
            return "\x1b[1m";
        case Paint::green:
            return "\x1b[32m";
        case Paint::amber:
            return "\x1b[33m";
        case Paint::red:
            return "\x1b[31m";
    }
    return "";
}

Paint paint_of(std::string_view status) {
    if (status == "red" || status == "failed") return Paint::red;
    if (status == "amber" || status == "partial") return Paint::amber;
    return status == "green" || status == "completed" || status == "ok" ? Paint::green : Paint::plain;
}

// What does not fit is cut.
std::string drawn(const Line& line, const Screen& screen) {
    std::string text;
    std::size_t left = screen.columns;
    for (const Piece& piece : line) {
        const std::string shown = cut_columns(printable(piece.text), left);
        left -= columns_of(shown);
        const bool colours = screen.colour && piece.paint != Paint::plain && !shown.empty();
        text += colours ? fmt::format("{}{}\x1b[0m", code_of(piece.paint), shown) : shown;
    }
    if (!screen.colour) text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

// Cells below each other; the last of each row is not padded.
std::vector<Line> aligned(std::vector<Line> rows) {
    std::vector<std::size_t> widths;
    for (const Line& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], columns_of(printable(row[i].text)));
    }
    for (Line& row : rows) {
        for (std::size_t i = 0; i + 1 < row.size(); ++i) {
            row[i].text.append(widths[i] - columns_of(printable(row[i].text)) + 2, ' ');
        }
        row.insert(row.begin(), Piece{"  "});
    }
    return rows;
}

std::string age(Timestamp at, TimeMs now) { return human::duration(std::max<std::int64_t>(now - at.ms, 0)); }

std::string clock(TimeMs at) { return when({at}) + " UTC"; }

Section running(const local_api::StatusAnswer& status, const TopView& view, const Screen& screen) {
    Section section{"running", {}};
    for (const local_api::JobView& job : status.active) {
        if (job.state != "running") continue;
        const std::string who = fmt::format(
            "  {} {} ", job.kind, job.database.empty() ? job.cluster : cut_columns(printable(job.database), 24));
        const std::string for_long = job.started_at ? age(*job.started_at, view.now) : "";
        const std::size_t used = columns_of(who);
        const std::size_t room = screen.columns > used + 12 ? screen.columns - used : 12;
        section.lines.push_back(
            {Piece{who, Paint::bold}, Piece{job.progress ? Bar::line(*job.progress, room) : "for " + for_long}});
    }
    return section;
}

Section waiting(const local_api::StatusAnswer& status, const TopView& view) {
    Section section{"waiting", {}};
    std::vector<Line> rows;
    for (const local_api::JobView& job : status.active) {
        if (job.state == "running") continue;
        rows.push_back({Piece{job.kind}, Piece{job.database.empty() ? job.cluster : job.database},
                        Piece{"for " + age(job.created_at, view.now)}, Piece{shorten(job.job_id), Paint::dim}});
    }
    section.lines = aligned(std::move(rows));
    return section;
}

Section reasons(const local_api::StatusAnswer& status) {
    Section section{"why (backstay why says more)", {}};
    for (const local_api::WhyReason& one : status.why.reasons) {
        const std::string first = one.why_not_green.empty() ? "" : ": " + one.why_not_green.front();
        section.lines.push_back({Piece{"  " + one.subject + ": ", paint_of(one.status)}, Piece{one.message + first}});
    }
    return section;
}

Section archives(const local_api::StatusAnswer& status, const TopView& view) {
    Section section{"WAL", {}};
    std::vector<Line> rows;
    for (const local_api::WalView& wal : status.wal) {
        const Paint paint = wal.alerts.empty() ? Paint::green : Paint::red;
        rows.push_back({Piece{wal.cluster}, Piece{wal.state, paint},
                        Piece{wal.lag_seconds ? human::duration(*wal.lag_seconds * 1000) + " behind" : "nothing waits"},
                        Piece{human::size(wal.backlog_bytes) + " in pg_wal"},
                        Piece{wal.seconds_to_full ? "disk full in " + human::duration(*wal.seconds_to_full * 1000) : "",
                              Paint::red},
                        Piece{wal.last_archived_at ? "last " + age(*wal.last_archived_at, view.now) + " ago"
                                                   : "none archived yet"}});
    }
    section.lines = aligned(std::move(rows));
    return section;
}

Section destinations(const local_api::StatusAnswer& status, const TopView& view) {
    Section section{"destinations", {}};
    std::vector<Line> rows;
    for (const local_api::DestinationView& one : status.destination_states) {
        const bool low = one.free_bytes && one.min_free_bytes && *one.free_bytes <= *one.min_free_bytes;
        rows.push_back(
            {Piece{one.name.empty() ? one.id : one.name}, Piece{one.type},
             Piece{one.last_result.empty() ? "not used yet" : one.last_result, paint_of(one.last_result)},
             Piece{one.last_used_at ? age(*one.last_used_at, view.now) + " ago" : ""},
             Piece{one.free_bytes ? human::size(*one.free_bytes) + " free" : "", low ? Paint::red : Paint::plain},
             Piece{one.last_error}});
    }
    section.lines = aligned(std::move(rows));
    return section;
}

// The worst that is said of a database.
Paint health_of(const local_api::WhyAnswer& why, const std::string& cluster, const std::string& database) {
    const auto is_its = [&](const auto& one) {
        return one.database == database && (one.cluster == cluster || one.cluster.empty() || cluster.empty());
    };
    for (const local_api::WhyReason& one : why.reasons) {
        if (is_its(one)) return paint_of(one.status);  // the worst come first
    }
    return std::any_of(why.proven.begin(), why.proven.end(), is_its) ? Paint::green : Paint::plain;
}

Section backups(const local_api::StatusAnswer& status, const TopView& view) {
    Section section{"last backups", {}};
    std::vector<Line> rows;
    for (const local_api::BackupView& one : status.last_backups) {
        const Paint paint = health_of(status.why, one.cluster, one.database);
        rows.push_back({Piece{one.database}, Piece{age(one.completed_at, view.now) + " ago", paint}, Piece{one.scope},
                        Piece{one.status, paint_of(one.status)}, Piece{human::size(one.size_bytes)},
                        Piece{fmt::format("{}", fmt::join(one.destination_ids, ", "))}});
    }
    section.lines = aligned(std::move(rows));
    return section;
}

Section upcoming(const local_api::StatusAnswer& status, const TopView& view) {
    Section section{"next", {}};
    std::vector<Line> rows;
    for (const local_api::UpcomingView& one : status.upcoming) {
        const std::int64_t wait = one.at ? std::max<std::int64_t>(one.at->ms - view.now, 0) : 0;
        rows.push_back({Piece{one.at ? "in " + human::duration(wait) : "when it can"},
                        Piece{one.database.empty() ? one.cluster : one.database}, Piece{one.message}});
    }
    section.lines = aligned(std::move(rows));
    return section;
}

std::vector<Line> head(const TopView& view) {
    std::vector<Line> lines;
    const std::string version = view.status ? " " + view.status->version : "";
    lines.push_back({Piece{"backstay" + version, Paint::bold}, Piece{"  " + clock(view.now)}});
    if (view.status && view.trouble.empty()) {
        const local_api::ControlPlaneView& plane = view.status->control_plane;
        const std::string word = plane.url.empty() ? "no control plane"
                                 : plane.connected ? "connected"
                                                   : "control plane out of reach";
        lines.front().push_back(Piece{"  up " + age(view.status->started_at, view.now) + "  " + word});
        lines.push_back({Piece{health_line(view.status->why), paint_of(view.status->why.status)}});
        return lines;
    }
    if (view.trouble.empty()) {
        lines.push_back({Piece{"asking the agent …", Paint::dim}});
        return lines;
    }
    lines.push_back({Piece{fmt::format("no agent answers since {} ({}): {}", clock(view.trouble_since),
                                       age({view.trouble_since}, view.now), view.trouble),
                           Paint::red}});
    if (view.status) lines.push_back({Piece{"as of " + clock(view.status_at), Paint::dim}});
    return lines;
}

std::size_t height(const std::vector<Section>& sections) {
    std::size_t lines = 0;
    for (const Section& section : sections) lines += 1 + section.lines.size();
    return lines;
}

// The longest ones give way first; one that was cut says so. What is last goes altogether when nothing else helps.
void shrink(std::vector<Section>& sections, std::size_t room) {
    std::vector<std::size_t> hidden(sections.size(), 0);
    while (!sections.empty() && height(sections) > room) {
        std::size_t longest = 0;
        for (std::size_t i = 1; i < sections.size(); ++i) {
            if (sections[i].lines.size() > sections[longest].lines.size()) longest = i;
        }
        if (sections[longest].lines.size() > 1) {
            sections[longest].lines.pop_back();
            ++hidden[longest];
        } else {
            sections.pop_back();
        }
    }
    for (std::size_t i = 0; i < sections.size(); ++i) {
        if (hidden[i] > 0) sections[i].title += fmt::format(" ({} more)", hidden[i]);
    }
}

}  // namespace

std::vector<std::string> top_lines(const TopView& view, const Screen& screen) {
    std::vector<Line> lines = head(view);
    std::vector<Section> sections;
    if (view.status) {
        for (Section section : {reasons(*view.status), running(*view.status, view, screen), waiting(*view.status, view),
                                archives(*view.status, view), backups(*view.status, view),
                                destinations(*view.status, view), upcoming(*view.status, view)}) {
            if (!section.lines.empty()) sections.push_back(std::move(section));
        }
    }
    const std::size_t foot = screen.live ? 1 : 0;
    if (screen.rows > 0) shrink(sections, screen.rows - std::min(screen.rows, lines.size() + foot));
    // Air between them where there is room for it.
    const bool airy = screen.rows == 0 || lines.size() + foot + height(sections) + sections.size() <= screen.rows;
    for (const Section& section : sections) {
        if (airy) lines.emplace_back();
        lines.push_back({Piece{section.title, Paint::bold}});
        lines.insert(lines.end(), section.lines.begin(), section.lines.end());
    }
    if (screen.rows > 0 && lines.size() > screen.rows - std::min(screen.rows, foot)) {
        lines.resize(screen.rows - std::min(screen.rows, foot));
    }
    std::vector<std::string> out;
    for (const Line& line : lines) out.push_back(drawn(line, screen));
    if (screen.live && screen.rows > 0) {
        out.resize(screen.rows - 1);
        out.push_back(drawn({Piece{"q leaves", Paint::dim}}, screen));
    }
    return out;
}

}  // namespace backstay::cli
