#include "control-plane/alerts/rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/domain/looks.h"
#include "common/domain/reasons.h"
#include "common/domain/schedule.h"
#include "common/human.h"

namespace backstay::alerts {
namespace {

bool is_restorable(const Ended& ended) { return ended.status == "completed" || ended.status == "partial"; }

std::string scope_word(const std::string& scope) {
    if (scope == "db") return "Database backup";
    return scope == "base" ? "Base backup" : "Backup";
}

std::string place(const Ended& ended) { return ended.environment ? ended.environment->name : "an unknown environment"; }

// What happens to one environment again is one alert; what belongs to none stands for itself.
std::string subject_of(const Ended& ended, const std::string& more = "") {
    const std::string base = ended.environment ? ended.environment->id : ended.backup_id;
    return more.empty() ? base : base + ":" + more;
}

bool on_production(const Ended& ended) { return ended.environment && ended.environment->type == "production"; }

About about(const Ended& ended) {
    About out;
    if (ended.environment) {
        out.project_id = ended.environment->project_id;
        out.environment_id = ended.environment->id;
    }
    return out;
}

Finding event(const Ended& ended, std::string_view type, Severity severity, std::string title) {
    Finding out;
    out.type = type;
    out.severity = severity;
    out.subject = subject_of(ended);
    out.title = std::move(title);
    out.message = ended.message.empty() ? "no reason was told" : ended.message;
    out.reason = ended.reason;
    out.about = about(ended);
    return out;
}

// A destination refused its copy, or took it again.
void judge_destinations(const Ended& ended, Judgement& out) {
    const bool none_left = std::none_of(ended.destinations.begin(), ended.destinations.end(),
                                        [](const DestinationOutcome& one) { return one.holds_all; });
    for (const DestinationOutcome& one : ended.destinations) {
        const std::string subject = subject_of(ended, one.id);
        if (one.holds_all) {
            out.over.push_back({std::string(type::kRemoteCopyFailed), subject, std::nullopt});
        } else if (one.refused && !ended.outdated) {
            Finding found = event(ended, type::kRemoteCopyFailed, none_left ? Severity::critical : Severity::warning,
                                  fmt::format("{} did not take the backup of {}", one.name, place(ended)));
            found.subject = subject;
            found.message = one.message.empty() ? "the destination refused its copy" : one.message;
            if (none_left) found.message += "; no destination holds it";
            found.reason = one.reason;
            found.about.backup_id = ended.backup_id;
            found.about.destination_id = one.id;
            out.found.push_back(std::move(found));
        }
    }
}

Finding check_failure(const Ended& ended) {
    Finding found = event(ended, type::kVerificationFailed, Severity::critical,
                          fmt::format("A backup of {} is not what was made", place(ended)));
    found.subject = ended.backup_id;
    found.about.backup_id = ended.backup_id;
    return found;
}

void relieve_completed(const Ended& ended, std::optional<std::string> backup_id, Judgement& out) {
    out.over.push_back({std::string(type::kBackupPartial), subject_of(ended, ended.scope), std::move(backup_id)});
}

}  // namespace

Judgement judge_backup(const Ended& ended) {
    Judgement out;
    const std::string subject = subject_of(ended, ended.scope);
    if (is_restorable(ended)) {
        out.over.push_back({std::string(type::kBackupFailed), subject, std::nullopt});
        out.over.push_back({std::string(type::kBackupOverdue), subject, std::nullopt});
        out.over.push_back({std::string(type::kKeyMissing), subject_of(ended), std::nullopt});
    }
    if (ended.status == "completed") relieve_completed(ended, std::nullopt, out);
    const bool bad = ended.status == "failed" || ended.status == "partial";
    if (bad && !ended.outdated) {
        const bool failed = ended.status == "failed";
        const Severity severity = failed && on_production(ended) ? Severity::critical : Severity::warning;
        Finding found = event(
            ended, failed ? type::kBackupFailed : type::kBackupPartial, severity,
            fmt::format("{} of {} {}", scope_word(ended.scope), place(ended), failed ? "failed" : "is not complete"));
        found.subject = subject;
        found.about.backup_id = ended.backup_id;
        out.found.push_back(std::move(found));
        if (ended.check_failed) out.found.push_back(check_failure(ended));
        if (ended.reason == reason::kEncryptionKeyMissing) {
            Finding key = event(ended, type::kKeyMissing, Severity::critical,
                                fmt::format("The encryption key for {} is missing", place(ended)));
            key.about.backup_id = ended.backup_id;
            out.found.push_back(std::move(key));
        }
    }
    if (bad || ended.status == "completed") judge_destinations(ended, out);
    return out;
}

Judgement judge_copy(const Ended& ended) {
    Judgement out;
    if (ended.status == "completed") relieve_completed(ended, ended.backup_id, out);
    judge_destinations(ended, out);
    return out;
}

Judgement judge_verification(const Ended& ended) {
    Judgement out;
    if (ended.status == "completed") {
        out.over.push_back({std::string(type::kVerificationFailed), ended.backup_id, std::nullopt});
    }
    if (ended.status != "failed" && ended.status != "partial") return out;
    Finding found = check_failure(ended);
    if (could_not_look(ended.reason)) {
        found.severity = Severity::warning;
        found.title = fmt::format("A backup of {} could not be verified", place(ended));
    }
    out.found.push_back(std::move(found));
    return out;
}

Judgement judge_drill(const Ended& ended, bool damaged) {
    Judgement out = judge_verification(ended);
    if (ended.status == "completed") {
        out.over.push_back({std::string(type::kDrillFailed), subject_of(ended), std::nullopt});
        out.over.push_back({std::string(type::kDrillOverdue), subject_of(ended), std::nullopt});
    }
    if (ended.status != "failed" && ended.status != "partial") return out;
    if (!damaged) out.found.clear();
    Finding found = event(ended, type::kDrillFailed, on_production(ended) ? Severity::critical : Severity::warning,
                          fmt::format("A restore drill of {} failed", place(ended)));
    found.about.backup_id = ended.backup_id;
    out.found.push_back(std::move(found));
    return out;
}

std::optional<Finding> judge_drills(const DrillFact& fact, TimeMs now) {
    const TimeMs since = std::max(fact.expected_since, fact.last_passed_at.value_or(0));
    if (schedule::lateness(now - since, fact.interval_ms) == schedule::Lateness::in_time) return std::nullopt;
    Finding found;
    found.type = type::kDrillOverdue;
    found.subject = fact.environment.id;
    found.is_event = false;
    found.title = fmt::format("A restore drill of {} is overdue", fact.environment.name);
    found.message = fact.last_passed_at
                        ? fmt::format("the last one that passed is of {}", to_rfc3339(*fact.last_passed_at))
                        : std::string("none passed yet");
    found.about.project_id = fact.environment.project_id;
    found.about.environment_id = fact.environment.id;
    return found;
}

Judgement judge_snapshot(const Ended& ended) {
    Judgement out;
    if (is_restorable(ended)) {
        out.over.push_back({std::string(type::kSnapshotFailed), subject_of(ended), std::nullopt});
    }
    if (ended.status != "failed") return out;
    Severity severity = Severity::warning;
    if (ended.failure_policy == "block") severity = Severity::critical;
    if (ended.failure_policy == "ignore") severity = Severity::info;
    Finding found = event(ended, type::kSnapshotFailed, severity, fmt::format("Snapshot of {} failed", place(ended)));
    found.about.snapshot_id = ended.backup_id;
    out.found.push_back(std::move(found));
    return out;
}

Judgement judge_restore(const Ended& ended, bool is_rollback) {
    Judgement out;
    const std::string_view word = is_rollback ? "Rollback" : "Restore";
    const auto name = [&](Finding found) {
        (is_rollback ? found.about.snapshot_id : found.about.backup_id) = ended.backup_id;
        found.about.restore_log_id = ended.operation_id;
        return found;
    };
    if (is_restorable(ended)) {
        const std::string_view failed = is_rollback ? type::kRollbackFailed : type::kRestoreFailed;
        out.over.push_back({std::string(failed), subject_of(ended), std::nullopt});
        if (!on_production(ended)) return out;
        Finding done = name(event(ended, is_rollback ? type::kRollbackCompleted : type::kRestoreCompleted,
                                  Severity::info, fmt::format("{} into {} completed", word, place(ended))));
        done.subject = ended.operation_id;
        done.message = "production runs on what was restored";
        out.found.push_back(std::move(done));
    }
    if (ended.status == "failed" || ended.status == "reverted") {
        const bool reverted = ended.status == "reverted";
        out.found.push_back(
            name(event(ended, is_rollback ? type::kRollbackFailed : type::kRestoreFailed, Severity::critical,
                       fmt::format("{} into {} {}", word, place(ended), reverted ? "was reverted" : "failed"))));
    }
    return out;
}

Judgement judge_deletion(const Ended& ended, bool still_blocked) {
    Judgement out;
    if (ended.status == "failed") {
        Finding found = event(ended, type::kRetentionBlocked, Severity::warning,
                              fmt::format("A backup of {} cannot be removed", place(ended)));
        found.is_event = false;
        found.about.backup_id = ended.backup_id;
        out.found.push_back(std::move(found));
    } else if (ended.status == "completed" && !still_blocked) {
        out.over.push_back({std::string(type::kRetentionBlocked), subject_of(ended), std::nullopt});
    }
    return out;
}

Judgement judge_destination(const SilentDestination& destination, TimeMs now) {
    Judgement out;
    if (now - destination.since < kUnreachableMs) return out;
    Finding found;
    found.type = type::kDestinationUnreachable;
    found.subject = destination.id;
    found.is_event = false;
    found.title = fmt::format("{} cannot be reached", destination.name);
    found.message = fmt::format("since {}: {}", to_rfc3339(destination.since), destination.message);
    found.reason = reason::kDestinationUnreachable;
    found.about.destination_id = destination.id;
    out.found.push_back(std::move(found));
    return out;
}

std::optional<Finding> judge_cadence(const Cadence& cadence, TimeMs now) {
    const TimeMs since = std::max(cadence.expected_since, cadence.last_restorable_at.value_or(0));
    const auto late = schedule::lateness(now - since, cadence.interval_ms);
    if (late == schedule::Lateness::in_time) return std::nullopt;
    Finding found;
    found.type = type::kBackupOverdue;
    found.severity = late == schedule::Lateness::very_late ? Severity::critical : Severity::warning;
    found.subject = cadence.environment.id + ":" + cadence.scope;
    found.is_event = false;
    found.title = fmt::format("{} of {} is overdue", scope_word(cadence.scope), cadence.environment.name);
    found.message = cadence.last_restorable_at ? fmt::format("the last one that can be restored is of {}",
                                                             to_rfc3339(*cadence.last_restorable_at))
                                               : std::string("there is none that can be restored");
    found.about.project_id = cadence.environment.project_id;
    found.about.environment_id = cadence.environment.id;
    return found;
}

}  // namespace backstay::alerts
