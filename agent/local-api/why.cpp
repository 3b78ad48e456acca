#include "agent/local-api/why.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "agent/local-api/advice.h"
#include "agent/state/jobs.h"
#include "agent/state/outbox.h"
#include "common/domain/reasons.h"
#include "common/human.h"

namespace backstay::local_api {
namespace {

WhyReason about(std::string_view status, std::string subject, std::string message) {
    WhyReason reason;
    reason.status = status;
    reason.subject = std::move(subject);
    reason.message = std::move(message);
    return reason;
}

bool is_serious(const WalView& wal) {
    return !wal.setup_fault.empty() || wal.state == "conflict" || wal.state == "dropping" || wal.state == "failing";
}

// That a destination fails is told once, with the destination.
bool is_about_a_failing_one(const WalView& wal, const std::string& alert) {
    return std::any_of(wal.destinations.begin(), wal.destinations.end(), [&](const WalDestinationView& one) {
        return one.down && alert.starts_with(fmt::format("destination {} fails", one.id));
    });
}

void explain_alerts(const WalView& wal, WhyAnswer& answer) {
    for (const std::string& alert : wal.alerts) {
        if (is_about_a_failing_one(wal, alert)) continue;
        WhyReason reason = about(is_serious(wal) ? "red" : "amber", "WAL of " + wal.cluster, alert);
        reason.cluster = wal.cluster;
        reason.since = wal.last_archived_at;
        if (!wal.setup_fault.empty()) {
            reason.hint = fmt::format("backstay setup-wal {}", wal.cluster);
            reason.next = "nothing: settings of PostgreSQL are changed only when somebody says so";
        } else if (wal.state == "conflict") {
            reason.hint = "does another server archive under this name? backstay wal-show";
            reason.next = "nothing: what is archived is never overwritten";
        } else {
            reason.hint = "backstay doctor says what the destinations lack";
            reason.next = wal.on_overflow == "drop"
                              ? "it is tried again all the time; from overflow_bytes on WAL is dropped, which is a gap"
                              : "it is tried again all the time; PostgreSQL keeps its WAL meanwhile";
        }
        answer.reasons.push_back(std::move(reason));
    }
}

// Moments from now on cannot be had back while no base backup reaches the newest WAL.
Result<> explain_bases(const WhyContext& context, WhyAnswer& answer) {
    for (const WalConfig& wal : context.config.wal) {
        auto situation = TRY(base_situation(wal, context.database, context.timeline(wal.cluster), context.now));
        if (!situation) continue;
        const bool runs = std::exchange(situation->under_way, false);
        const auto next = next_base(*situation);
        if (!next || next->reason == "interval") continue;
        WhyReason reason = about("amber", "WAL of " + wal.cluster,
                                 fmt::format("no base backup reaches the newest WAL ({}): moments from there on cannot "
                                             "be had back yet",
                                             next->reason));
        reason.cluster = wal.cluster;
        reason.reason = next->reason == "gap" ? reason::kWalGap : std::string_view();
        reason.hint = fmt::format("backstay base-backup {}, if it shall not wait", wal.cluster);
        reason.next = runs ? "a base backup waits or runs already" : "the agent takes a base backup";
        if (!runs) reason.next_at = Timestamp{std::max(next->at, context.now)};
        answer.reasons.push_back(std::move(reason));
    }
    return {};
}

void explain_control_plane(const ControlPlaneView& plane, WhyAnswer& answer) {
    if (plane.url.empty() || plane.connected) return;
    WhyReason reason = about("amber", "control plane", "");
    reason.since = plane.last_contact_at;
    if (!plane.enrolled) {
        reason.message = fmt::format("{} does not know this host yet", plane.url);
        reason.hint = "backstay-control agent enroll-token there, backstay enroll here";
        reason.next = "nothing: it works alone until then";
    } else {
        reason.message = fmt::format("{} is out of reach: {}", plane.url,
                                     plane.last_error.empty() ? "it was not called yet" : plane.last_error);
        if (plane.unsent_reports > 0) reason.message += fmt::format("; {} reports wait", plane.unsent_reports);
        reason.reason = reason::kAgentOffline;
        reason.hint = contact_hint(plane);
        reason.next = "it is called again all the time; schedules go on meanwhile, reports are kept";
    }
    answer.reasons.push_back(std::move(reason));
}

// What the control plane never took of jobs that count now: there they look otherwise than here.
Result<> explain_refused(const WhyContext& context, WhyAnswer& answer) {
    if (context.status.control_plane.refused_reports == 0) return {};
    std::set<std::string> counts;
    JobRepository jobs(context.database);
    for (const char* kind : {"backup", "snapshot", "base_backup"}) {
        for (const JobRow& job : TRY(jobs.last_of_each(kind))) counts.insert(job.job_id);
    }
    std::set<std::string> told;
    for (const Outbox::Refused& one : TRY(Outbox(context.database).newest_refused(1000))) {
        if (!counts.contains(one.job_id) || !told.insert(one.job_id).second) continue;
        WhyReason reason = about("amber", "control plane",
                                 fmt::format("it did not take a report of job {}: {}", one.job_id, one.message));
        reason.job_id = one.job_id;
        reason.hint = "backstay refused lists them; what counts is the evidence here";
        reason.next = "nothing: the next job of its kind reports anew";
        answer.reasons.push_back(std::move(reason));
    }
    return {};
}

void explain_destinations(const WhyContext& context, WhyAnswer& answer) {
    for (const DestinationView& one : context.status.destination_states) {
        const std::string subject = "destination " + (one.name.empty() ? one.id : one.name);
        if (one.last_result == "failed") {
            WhyReason reason = about("amber", subject,
                                     "did not take what was last brought there: " +
                                         (one.last_error.empty() ? "no reason was told" : one.last_error));
            reason.since = one.last_used_at;
            reason.reason = one.reason;
            reason.hint = "backstay doctor names what is wrong there";
            reason.next = "the next job that stores there tries it again, and WAL does so all the time";
            answer.reasons.push_back(std::move(reason));
        }
        if (one.free_bytes && one.min_free_bytes && *one.free_bytes <= *one.min_free_bytes) {
            WhyReason reason = about("red", subject,
                                     fmt::format("{} free, {} are kept free", human::size(*one.free_bytes),
                                                 human::size(*one.min_free_bytes)));
            reason.reason = reason::kDestinationFull;
            reason.hint = "remove old backups, or choose another disk";
            reason.next = "nothing is written there meanwhile";
            answer.reasons.push_back(std::move(reason));
        }
    }
}

void explain_loss(const std::optional<StateLossView>& loss, WhyAnswer& answer) {
    if (!loss) return;
    WhyReason reason = about("red", "agent", fmt::format("its state was lost: {}", loss->why));
    reason.since = loss->at;
    reason.hint = "backstay adopt --show tells what destinations give back, backstay adopt takes it";
    reason.next = "backups and archiving go on; no WAL and no base backup is pruned";
    answer.reasons.push_back(std::move(reason));
}

void explain_state(const WhyContext& context, WhyAnswer& answer) {
    explain_loss(context.status.state_lost, answer);
    const auto free = context.status.state_free_bytes;
    if (!free || *free >= Spaces::kStateLow) return;
    WhyReason reason =
        about("amber", "agent", fmt::format("{} free in {}", human::size(*free), context.config.state_dir));
    reason.reason = reason::kDiskSpaceLow;
    reason.hint = "make room: the journal of jobs is written there";
    answer.reasons.push_back(std::move(reason));
}

void conclude(WhyAnswer& answer) {
    const auto is_red = [](const WhyReason& one) { return one.status == "red"; };
    std::stable_partition(answer.reasons.begin(), answer.reasons.end(), is_red);
    answer.status = answer.reasons.empty() ? "green" : is_red(answer.reasons.front()) ? "red" : "amber";
}

}  // namespace

Result<WhyAnswer> explain(const WhyContext& context) {
    WhyAnswer answer;
    TRY(explain_databases(context, answer));
    for (const WalView& wal : context.status.wal) explain_alerts(wal, answer);
    TRY(explain_bases(context, answer));
    explain_destinations(context, answer);
    explain_control_plane(context.status.control_plane, answer);
    TRY(explain_refused(context, answer));
    explain_state(context, answer);
    conclude(answer);
    return answer;
}

Result<WhyAnswer> of_database(const WhyAnswer& all, const std::string& database) {
    WhyAnswer answer;
    std::set<std::string> clusters;
    for (const ProvenView& one : all.proven) {
        if (one.database != database) continue;
        answer.proven.push_back(one);
        clusters.insert(one.cluster);
    }
    for (const WhyReason& one : all.reasons) {
        if (one.database == database) clusters.insert(one.cluster);
    }
    if (clusters.empty()) return Error(Errc::not_found, fmt::format("nothing is known of a database {}", database));
    for (const WhyReason& one : all.reasons) {
        const bool its_wal = one.database.empty() && !one.cluster.empty() && clusters.contains(one.cluster);
        if (one.database == database || its_wal) answer.reasons.push_back(one);
    }
    conclude(answer);
    return answer;
}

WhyAnswer explain_job(const JobDetail& detail, const StatusAnswer& status) {
    const JobView& job = detail.job;
    WhyAnswer answer;
    WhyReason reason = about("red", fmt::format("{}{}", job.kind, job.database.empty() ? "" : " of " + job.database),
                             fmt::format("it {}", job.status == "partial" ? "is not complete" : "is " + job.status));
    if (has_evidence(job.kind) && !detail.operations.empty()) {
        const RecoveryEvidence& evidence = detail.operations.front().recovery_evidence;
        answer.status = evidence.status;
        answer.why_green = evidence.why_green;
        reason.reason = evidence.reason;
        reason.why_not_green = evidence.why_not_green;
    } else {
        const bool over = job.ended_at || job.state == "rejected";
        answer.status = !over ? (job.state == "running" ? "in_progress" : "pending")
                              : (job.status == "completed" ? "green" : "red");
        reason.reason = job.reason;
        if (!job.error_message.empty()) reason.why_not_green = {job.error_message};
    }
    if (answer.status != "amber" && answer.status != "red") return answer;
    reason.status = answer.status;
    reason.since = job.ended_at;
    reason.hint = advice(reason.reason);
    reason.cluster = job.cluster;
    reason.database = job.database;
    reason.job_id = job.job_id;
    if (job.kind == "backup") add_next_backup(status, reason);
    answer.reasons.push_back(std::move(reason));
    return answer;
}

void add_next_backup(const StatusAnswer& status, WhyReason& reason) {
    const auto is_its = [&](const std::string& cluster, const std::string& database) {
        return database == reason.database && (cluster.empty() || reason.cluster.empty() || cluster == reason.cluster);
    };
    for (const JobView& job : status.active) {
        if (job.kind != "backup" || !is_its(job.cluster, job.database)) continue;
        reason.next = job.state == "running" ? "a backup of it runs now" : "a backup of it waits for its turn";
        reason.next_at = job.created_at;
        return;
    }
    for (const UpcomingView& one : status.upcoming) {
        if (one.kind != "backup" || !is_its(one.cluster, one.database)) continue;
        reason.next = one.message;
        reason.next_at = one.at;
        return;
    }
    reason.next = "nothing: no schedule that this host knows has it";
}

}  // namespace backstay::local_api
