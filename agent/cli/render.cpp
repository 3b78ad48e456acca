#include "agent/cli/render.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/human.h"
#include "common/text.h"

namespace backstay::cli {
namespace {

std::string took(const std::optional<Timestamp>& from, const std::optional<Timestamp>& to) {
    return from && to ? human::duration(to->ms - from->ms) : "";
}

std::string percent(const std::optional<Progress>& progress) {
    return progress && !progress->done ? fmt::format("{:.0f} %", progress->percent) : "";
}

void add_list(std::string& text, std::string_view title, const std::vector<std::string>& items) {
    if (items.empty()) return;
    text += fmt::format("{}\n", title);
    for (const std::string& item : items) text += fmt::format("  - {}\n", printable(item));
}

std::string render_steps(const std::vector<StepRecord>& steps) {
    Table table({"STEP", "STATUS", "TOOK", "WHAT"});
    for (const StepRecord& step : steps) {
        const std::string status(json::encode(step.status).as_string());
        table.add(
            {step.name, status, step.duration_ms ? human::duration(*step.duration_ms) : "", printable(step.summary)});
    }
    return table.empty() ? "" : table.text();
}

std::string render_copies(const std::vector<CopyRecord>& copies) {
    Table table({"DESTINATION", "ARTIFACT", "STATE", "SIZE", "SHA-256"});
    for (const CopyRecord& copy : copies) {
        const std::string state(json::encode(copy.state).as_string());
        table.add({copy.destination_id, copy.artifact, state, human::size(copy.size_bytes),
                   copy.message.empty() ? copy.sha256.substr(0, 16) : printable(copy.message)});
    }
    return table.empty() ? "" : table.text();
}

std::string render_operation(const local_api::OperationView& operation, bool judged) {
    const RecoveryEvidence& evidence = operation.recovery_evidence;
    std::string text;
    for (const std::string& part : {render_steps(operation.steps), render_copies(operation.copies)}) {
        if (!part.empty()) text += "\n" + part;
    }
    if (!judged) return text;
    std::vector<std::string> proofs;
    for (const StepRecord& one : operation.steps) proofs.insert(proofs.end(), one.proofs.begin(), one.proofs.end());
    if (!proofs.empty()) text += "\nproofs: " + printable(fmt::format("{}", fmt::join(proofs, ", "))) + "\n";
    text += fmt::format("\nevidence: {}{}\n", evidence.status,
                        evidence.reason.empty() || evidence.reason == "ok" ? "" : " (" + evidence.reason + ")");
    add_list(text, "why green:", evidence.why_green);
    add_list(text, "why not green:", evidence.why_not_green);
    return text;
}

}  // namespace

std::string when(Timestamp time) {
    std::string text = to_rfc3339(time.ms).substr(0, 19);
    std::replace(text.begin(), text.end(), 'T', ' ');
    return text;
}

// Our ids begin with the time: their first eight characters are the same for a minute.
std::string shorten(const std::string& id) { return is_uuid(id) ? id.substr(0, 18) : id; }

void Table::add(std::vector<std::string> row) {
    for (std::string& cell : row) cell = printable(cell);
    rows_.push_back(std::move(row));
}

std::string Table::text() const {
    std::vector<std::size_t> widths(rows_.front().size(), 0);
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_of(row[i]));
    }
    std::string text;
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            text += row[i];
            if (i + 1 < row.size()) text.append(widths[i] - columns_of(row[i]) + 2, ' ');
        }
        while (text.ends_with(' ')) text.pop_back();
        text += '\n';
    }
    return text;
}

std::string render_jobs(const std::vector<local_api::JobView>& jobs) {
    Table table({"JOB", "KIND", "DATABASE", "STATUS", "BEGAN", "TOOK", "DONE", "SIZE", "WHY"});
    for (const local_api::JobView& job : jobs) {
        table.add({shorten(job.job_id), job.kind, printable(job.database), job.status, when(job.created_at),
                   took(job.started_at, job.ended_at), percent(job.progress),
                   job.size_bytes > 0 ? human::size(job.size_bytes) : "", job.reason});
    }
    return table.empty() ? "no jobs\n" : table.text();
}

std::string render_refused(const local_api::RefusedReportList& list) {
    Table table({"JOB", "SEQ", "KIND", "CODE", "WHY"});
    for (const local_api::RefusedReport& one : list.reports) {
        table.add({shorten(one.job_id), fmt::format("{}.{}", one.fence, one.seq), printable(one.kind),
                   printable(one.code), printable(one.message)});
    }
    return table.empty() ? "no report was refused\n" : table.text();
}

std::string render_wal_setup(const local_api::WalSetupAnswer& answer) {
    Table table({"SETTING", "NOW", "WANTED", ""});
    for (const local_api::WalSettingView& one : answer.settings) {
        const std::string wanted = one.wanted.empty() ? "''" : printable(one.wanted);
        table.add({one.name, one.current.empty() ? "''" : printable(one.current), wanted,
                   one.good            ? "good"
                   : one.needs_restart ? "needs a restart of PostgreSQL"
                                       : "to be changed"});
    }
    std::string text = fmt::format("cluster {}\n{}", answer.cluster, table.text());
    if (answer.ready) {
        text += "\nPostgreSQL archives its WAL through the agent.\n";
    } else if (answer.needs_restart) {
        text += "\nPostgreSQL must be restarted: the agent leaves that to you.\n";
    } else {
        text += "\n`backstay setup-wal --apply` changes it.\n";
    }
    return text;
}

namespace {

std::string render_wal(const local_api::WalView& wal) {
    std::string text = fmt::format("\nWAL of {}: {}", wal.cluster, wal.state);
    if (wal.last_archived_at) text += fmt::format(", {} at {} UTC", wal.last_archived, when(*wal.last_archived_at));
    text += fmt::format("\n  archive: {} segments, {}", wal.segments, human::size(wal.stored_bytes));
    if (wal.ack == "spool")
        text += fmt::format("; acknowledged by this host's spool ({} in it)", human::size(wal.spool_bytes));
    text += fmt::format("\n  waiting: {}", human::size(wal.backlog_bytes));
    if (wal.lag_seconds) text += fmt::format(", the oldest for {}", human::duration(*wal.lag_seconds * 1000));
    if (wal.seconds_to_full) text += fmt::format(", disk full in {}", human::duration(*wal.seconds_to_full * 1000));
    text += "\n";
    for (const local_api::WalDestinationView& one : wal.destinations) {
        if (one.lacking > 0) text += fmt::format("  destination {} lacks {} files for now\n", one.id, one.lacking);
    }
    for (const std::string& alert : wal.alerts) text += "  ! " + printable(alert) + "\n";
    return text;
}

std::string render_destinations(const local_api::StatusAnswer& status, TimeMs now) {
    if (status.destination_states.empty()) return "";
    Table table({"DESTINATION", "TYPE", "LAST USED", "RESULT", "FREE", "WHY"});
    for (const local_api::DestinationView& one : status.destination_states) {
        table.add({one.name.empty() || one.name == one.id ? one.id : fmt::format("{} ({})", one.name, shorten(one.id)),
                   one.type.empty() ? "?" : one.type,
                   one.last_used_at ? human::duration(std::max<std::int64_t>(now - one.last_used_at->ms, 0)) + " ago"
                                    : "never",
                   one.last_result, one.free_bytes ? human::size(*one.free_bytes) : "", one.last_error});
    }
    return "\n" + table.text();
}

std::string render_upcoming(const local_api::StatusAnswer& status) {
    if (status.upcoming.empty()) return "";
    Table table({"NEXT (UTC)", "DATABASE", "WHAT"});
    for (const local_api::UpcomingView& one : status.upcoming) {
        table.add(
            {one.at ? when(*one.at) : "when it can", one.database.empty() ? one.cluster : one.database, one.message});
    }
    const bool alone = !status.control_plane.url.empty() && !status.control_plane.connected;
    return (alone ? "\nwhat happens next, without the control plane while it is away\n" : "\nwhat happens next\n") +
           table.text();
}

}  // namespace

std::string render_loss(const local_api::StateLossView& loss) {
    std::string text = fmt::format("STATE LOST at {} UTC: {}\n", when(loss.at), printable(loss.why));
    if (!loss.kept_as.empty()) text += fmt::format("  set aside: {}\n", printable(loss.kept_as.back()));
    return text + "  `backstay adopt --show` tells what destinations give back, `backstay adopt` brings it back\n";
}

std::string render_status(const local_api::StatusAnswer& status, TimeMs now) {
    std::string text = fmt::format("agent {}, version {}, process {}, since {} UTC\n", status.agent_id, status.version,
                                   status.pid, when(status.started_at));
    if (status.state_lost) text += render_loss(*status.state_lost);
    const local_api::ControlPlaneView& control = status.control_plane;
    if (control.url.empty()) {
        text += "control plane: none, ordered from this host alone\n";
    } else if (!control.enrolled) {
        text += fmt::format("control plane: {}, not enrolled yet (backstay enroll)\n", control.url);
    } else if (control.connected) {
        text += fmt::format("control plane: {}, connected\n", control.url);
    } else {
        text += fmt::format("control plane: {}, out of reach: {}\n", control.url, printable(control.last_error));
    }
    if (control.refused_reports > 0) {
        text += fmt::format("reports that were refused: {} (see backstay refused)\n", control.refused_reports);
    }
    if (control.unsent_reports > 0) text += fmt::format("reports waiting to be sent: {}\n", control.unsent_reports);
    if (status.destinations.empty()) text += "destinations: none configured\n";
    text +=
        fmt::format("health: {}{}\n", health_line(status.why), status.why.reasons.empty() ? "" : " (see backstay why)");
    for (const local_api::WalView& wal : status.wal) text += render_wal(wal);
    if (!status.active.empty()) text += "\n" + render_jobs(status.active);
    text += render_destinations(status, now);
    text += render_upcoming(status);
    if (!status.last_backups.empty()) text += "\nlast backups\n" + render_backups({status.last_backups});
    if (!status.last_snapshots.empty()) {
        text += "\nlast snapshots\n" + render_snapshots({status.last_snapshots}, now);
    }
    return text;
}

std::string render_job(const local_api::JobDetail& detail) {
    const local_api::JobView& job = detail.job;
    std::string text = fmt::format("job {}: {}{}{}, {}\n", job.job_id, job.kind, job.database.empty() ? "" : " of ",
                                   printable(job.database), job.status);
    text += fmt::format("asked for by {} at {} UTC\n", job.requested_by, when(job.created_at));
    if (job.started_at && job.ended_at) text += fmt::format("took {}\n", took(job.started_at, job.ended_at));
    if (job.folder) text += fmt::format("folder: {}\n", *job.folder);
    if (job.size_bytes > 0) text += fmt::format("size: {}\n", human::size(job.size_bytes));
    if (!job.error_message.empty()) text += fmt::format("error: {} ({})\n", printable(job.error_message), job.reason);
    add_list(text, "notes:", detail.notes);
    for (std::size_t i = 0; i < detail.operations.size(); ++i) {
        if (i > 0) text += fmt::format("\noperation {} inside it\n", detail.operations[i].operation_id);
        text += render_operation(detail.operations[i], i > 0 || local_api::has_evidence(job.kind));
    }
    return text;
}

std::string render_backups(const local_api::BackupList& list) {
    Table table({"BACKUP", "DATABASE", "TAKEN", "TYPE", "STATUS", "SIZE", "DESTINATIONS", "LABEL"});
    for (const local_api::BackupView& backup : list.backups) {
        table.add({shorten(backup.backup_id), printable(backup.database), when(backup.created_at), backup.scope,
                   backup.status, human::size(backup.size_bytes),
                   fmt::format("{}", fmt::join(backup.destination_ids, ", ")), printable(backup.label.value_or(""))});
    }
    return table.empty() ? "no backups\n" : table.text();
}

std::string render_snapshots(const local_api::SnapshotList& list, TimeMs now) {
    Table table({"SNAPSHOT", "DATABASE", "TAKEN", "AGE", "MODE", "STATUS", "SIZE", "TRIGGER", "COPIES", "LABEL"});
    for (const local_api::SnapshotView& snapshot : list.snapshots) {
        table.add({shorten(snapshot.snapshot_id), printable(snapshot.database), when(snapshot.created_at),
                   human::duration(std::max<std::int64_t>(now - snapshot.created_at.ms, 0)), snapshot.mode,
                   snapshot.status, human::size(snapshot.size_bytes), snapshot.trigger,
                   fmt::format("{}", fmt::join(snapshot.destination_ids, ", ")),
                   printable(snapshot.label.value_or(""))});
    }
    return table.empty() ? "no snapshots\n" : table.text();
}

std::string render_check(const local_api::CheckAnswer& answer) {
    std::string text;
    std::string subject;
    for (const local_api::CheckLine& line : answer.checks) {
        if (line.subject != subject)
            text += fmt::format("{}{}\n", subject.empty() ? "" : "\n", printable(line.subject));
        subject = line.subject;
        const std::string_view mark = line.result == "ok"        ? "ok     "
                                      : line.result == "warning" ? "WARNING"
                                                                 : "FAILED ";
        text += fmt::format("  {}  {:<15} {}\n", mark, line.name, printable(line.message));
        if (!line.hint.empty()) text += fmt::format("           {:<15} → {}\n", "", printable(line.hint));
    }
    return text;
}

std::string render_limits(const local_api::LimitsView& limits) {
    Table table({"LIMIT", "VALUE"});
    const std::uint64_t rate = limits.rate_bytes_per_sec.value_or(0);
    table.add({"rate", rate == 0 ? "unlimited" : human::size(rate) + "/s"});
    table.add({"concurrent jobs", fmt::format("{}", limits.concurrent_jobs.value_or(0))});
    table.add({"zstd level", fmt::format("{}", limits.zstd_level.value_or(0))});
    table.add({"compression threads", fmt::format("{}", limits.compression_threads.value_or(0))});
    table.add({"dump jobs", fmt::format("{}", limits.dump_jobs.value_or(0))});
    table.add({"parallel dump from", human::size(limits.parallel_dump_bytes.value_or(0))});
    table.add({"restore jobs", fmt::format("{}", limits.restore_jobs.value_or(0))});
    table.add({"nice", fmt::format("{}", limits.nice.value_or(0))});
    table.add({"idle I/O", limits.idle_io.value_or(false) ? "yes" : "no"});
    return table.text();
}

}  // namespace backstay::cli
