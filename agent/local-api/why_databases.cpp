#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "agent/local-api/advice.h"
#include "agent/local-api/views.h"
#include "agent/local-api/why.h"
#include "agent/state/schedules.h"
#include "agent/state/wal.h"
#include "common/domain/looks.h"
#include "common/domain/reasons.h"
#include "common/domain/schedule.h"

namespace backstay::local_api {
namespace {

constexpr std::size_t kVerificationsLooked = 300;

using Database = std::pair<std::string, std::string>;  // cluster, name

// An operation that is over, and what the verdict says of it.
struct Judged {
    JobRow job;
    RecoveryEvidence verdict;
    std::optional<Timestamp> read_back_at;
};

Result<Judged> judged(sqlite::Database& database, const JobRow& job, const std::string& operation_id) {
    Judged out{job, {}, std::nullopt};
    const auto evidence = TRY(EvidenceRepository(database).of(operation_id));
    if (!evidence || !evidence->plan) {
        // It ended before it had a plan.
        out.verdict.status = "red";
        if (job.finish) {
            out.verdict.reason = job.finish->reason;
            out.verdict.why_not_green = {job.finish->error_message};
        }
        return out;
    }
    out.verdict = verdict_of(job, *evidence);
    for (const StepRecord& step : evidence->steps) {
        const bool reads = step.name == step::kLocalVerify || step.name.starts_with(step::kRemoteVerify);
        if (reads && step.status == StepStatus::completed) out.read_back_at = step.completed_at;
    }
    return out;
}

// Those that somebody wants backed up: by name in the configuration, by a schedule, or once by hand.
Result<std::set<Database>> protected_databases(const WhyContext& context) {
    const std::string first = context.config.clusters.empty() ? "" : context.config.clusters.front().name;
    std::set<Database> out;
    for (const OdooConfig& odoo : context.config.odoo) {
        if (!odoo.database.empty()) out.insert({odoo.cluster, odoo.database});
    }
    for (const auto& told : TRY(ScheduleRepository(context.database).schedules())) {
        if (told.db_cron.empty() && told.full_cron.empty()) continue;
        out.insert({told.environment.cluster.value_or(first), told.environment.database});
    }
    for (const BackupView& backup : context.status.last_backups) {
        out.insert({backup.cluster.empty() ? first : backup.cluster, backup.database});
    }
    return out;
}

bool is_of(const std::string& cluster, const std::string& database, const Database& of) {
    return database == of.second && (cluster.empty() || cluster == of.first);
}

std::string restorable(const BackupView* backup) {
    return backup != nullptr
               ? fmt::format("the last one that can be restored is of {}", to_rfc3339(backup->completed_at.ms))
               : std::string("there is none that can be restored");
}

WhyReason reason_of(const Judged& ended, const std::string& what, std::string more) {
    WhyReason reason;
    reason.status = ended.verdict.status == "amber" ? "amber" : "red";
    reason.subject = ended.job.database.empty() ? "cluster " + ended.job.cluster : "database " + ended.job.database;
    reason.message = fmt::format("{} {}", what, reason.status == "amber" ? "is not complete" : "failed");
    if (!more.empty()) reason.message += "; " + more;
    reason.since = ended.job.ended_at ? ended.job.ended_at : ended.job.created_at;
    reason.reason = ended.verdict.reason;
    reason.why_not_green = ended.verdict.why_not_green;
    reason.hint = advice(reason.reason);
    reason.cluster = ended.job.cluster;
    reason.database = ended.job.database;
    reason.job_id = ended.job.job_id;
    return reason;
}

// The operation that counts: the last attempt, unless the catalogue has something newer (a restore's safety backup).
Result<std::optional<Judged>> last_backup(sqlite::Database& database, const JobRow* attempt, const BackupView* row) {
    const bool same = attempt != nullptr && row != nullptr && attempt->operation_id == row->backup_id;
    const bool attempt_counts =
        attempt != nullptr &&
        (row == nullptr || same || attempt->ended_at.value_or(attempt->created_at).ms > row->completed_at.ms);
    if (attempt_counts) {
        auto last = TRY(judged(database, *attempt, attempt->operation_id));
        // What it made well and is not in the catalogue was deleted since: what is there counts.
        if (row == nullptr || same || last.verdict.status != "green") return std::optional<Judged>(std::move(last));
    }
    if (row == nullptr) return std::optional<Judged>();
    const auto evidence = TRY(EvidenceRepository(database).of(row->backup_id));
    const auto job = evidence ? TRY(JobRepository(database).find(evidence->job_id)) : std::optional<JobRow>();
    return job ? std::optional<Judged>(TRY(judged(database, *job, row->backup_id))) : std::nullopt;
}

Result<> explain_backups(const WhyContext& context, const Database& of, const std::vector<JobRow>& attempts,
                         WhyAnswer& answer) {
    const auto& rows = context.status.last_backups;
    const auto found_row = std::find_if(rows.begin(), rows.end(),
                                        [&](const BackupView& one) { return is_of(one.cluster, one.database, of); });
    const BackupView* const row = found_row == rows.end() ? nullptr : &*found_row;
    const auto found_job = std::find_if(attempts.begin(), attempts.end(),
                                        [&](const JobRow& one) { return is_of(one.cluster, one.database, of); });
    const JobRow* const attempt = found_job == attempts.end() ? nullptr : &*found_job;
    const auto last = TRY(last_backup(context.database, attempt, row));
    const bool green = last && last->verdict.status == "green";
    const bool of_row = row != nullptr && (!last || last->job.operation_id == row->backup_id || green);
    // A later copy has mended what its evidence lacked.
    if (row != nullptr && (green || (of_row && row->status == "completed"))) {
        answer.proven.push_back({of.first, of.second, row->backup_id, row->completed_at,
                                 last ? last->read_back_at : std::nullopt, row->destination_ids});
        return {};
    }
    WhyReason reason;
    if (last && !green) {
        reason = reason_of(*last, "the last backup", of_row ? "" : restorable(row));
    } else {
        reason.status = "amber";
        reason.subject = "database " + of.second;
        reason.message = row != nullptr ? "the last backup is not complete" : restorable(row);
        if (row != nullptr) reason.since = row->completed_at;
        reason.hint = row != nullptr ? fmt::format("backstay copy {}", row->backup_id) : "backstay backup " + of.second;
    }
    if (last && of_row && reason.reason == reason::kRemoteCopyPartial) {
        reason.hint = fmt::format("mend the destination (backstay doctor), then: backstay copy {}", row->backup_id);
    }
    reason.cluster = of.first;
    reason.database = of.second;
    add_next_backup(context.status, reason);
    answer.reasons.push_back(std::move(reason));
    return {};
}

// As the control plane's alert of overdue backups; here it is seen while the control plane is away, too.
Result<> explain_lateness(const WhyContext& context, WhyAnswer& answer) {
    for (const auto& told : TRY(ScheduleRepository(context.database).schedules())) {
        const std::string& name = told.environment.database;
        const auto zone = Zone::find(told.time_zone);
        for (const std::string_view scope : {"db", "full"}) {
            const auto cron = Cron::parse(scope == "db" ? told.db_cron : told.full_cron);
            const std::int64_t gap = cron && zone ? schedule::longest_gap_ms(*cron, *zone, context.now).value_or(0) : 0;
            const std::string cluster = told.environment.cluster.value_or("");
            const auto last = TRY(BackupRepository(context.database).last(cluster, name, scope));
            if (gap == 0 || !last) continue;  // that there is none is said already
            const TimeMs made = last->completed_at.ms;
            const auto late = schedule::lateness(context.now - made, gap);
            if (late == schedule::Lateness::in_time) continue;
            WhyReason reason;
            reason.status = late == schedule::Lateness::very_late ? "red" : "amber";
            reason.subject = "database " + name;
            const BackupView shown = view_backup(*last);
            reason.message =
                fmt::format("{} is overdue: {}", scope == "db" ? "Database backup" : "Backup", restorable(&shown));
            reason.since = Timestamp{made + gap};
            reason.hint = "backstay jobs says what became of the last ones; backstay backup " + name;
            reason.cluster = last->cluster;
            reason.database = name;
            add_next_backup(context.status, reason);
            answer.reasons.push_back(std::move(reason));
        }
    }
    return {};
}

Result<> explain_snapshots(const WhyContext& context, WhyAnswer& answer) {
    for (const JobRow& job : TRY(JobRepository(context.database).last_of_each("snapshot"))) {
        const Judged last = TRY(judged(context.database, job, job.operation_id));
        if (last.verdict.status == "green") continue;
        const auto row = TRY(SnapshotRepository(context.database).find(job.operation_id));
        if (row && row->status == "completed") continue;
        WhyReason reason = reason_of(last, "the last snapshot", "");
        reason.next = "nothing: a snapshot is taken when somebody orders it";
        answer.reasons.push_back(std::move(reason));
    }
    return {};
}

Result<std::vector<std::string>> places_of(sqlite::Database& database, const std::string& cluster,
                                           const std::string& base_id) {
    WalRepository archive(database);
    for (const WalCluster& known : TRY(archive.clusters(cluster))) {
        for (WalBase& base : TRY(archive.bases(known.system_id))) {
            if (base.backup_id == base_id) return std::move(base.destination_ids);
        }
    }
    return std::vector<std::string>();
}

Result<> explain_base_backups(const WhyContext& context, WhyAnswer& answer) {
    for (const JobRow& job : TRY(JobRepository(context.database).last_of_each("base_backup"))) {
        if (find_wal(context.config, job.cluster) == nullptr) continue;
        const Judged last = TRY(judged(context.database, job, job.operation_id));
        if (last.verdict.status == "green") {
            auto places = TRY(places_of(context.database, job.cluster, job.operation_id));
            answer.proven.push_back({job.cluster, "", job.operation_id, job.ended_at.value_or(job.created_at),
                                     last.read_back_at, std::move(places)});
            continue;
        }
        WhyReason reason = reason_of(last, "the last base backup", "");
        const auto next = std::find_if(
            context.status.upcoming.begin(), context.status.upcoming.end(),
            [&](const UpcomingView& one) { return one.kind == "base_backup" && one.cluster == job.cluster; });
        if (next != context.status.upcoming.end()) {
            reason.next = "the agent takes another one";
            reason.next_at = next->at;
        }
        answer.reasons.push_back(std::move(reason));
    }
    return {};
}

std::string text_of(const json::Object& order, std::string_view name) {
    const json::Value* value = order.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

// What the last look at each backup that is still there found.
Result<> explain_verifications(const WhyContext& context, WhyAnswer& answer) {
    std::set<std::string> seen;
    for (const JobRow& job : TRY(JobRepository(context.database).newest_ended("verify", kVerificationsLooked))) {
        const std::string backup_id = text_of(job.order, "backupId");
        if (backup_id.empty() || !seen.insert(backup_id).second) continue;
        const Judged look = TRY(judged(context.database, job, job.operation_id));
        if (look.verdict.status == "green") continue;
        const auto row = BackupRepository(context.database).look_up(backup_id);
        if (!row) continue;  // it is gone, and so is what was wrong with it
        const bool says_nothing = could_not_look(look.verdict.reason);
        WhyReason reason = reason_of(look, "", "");
        reason.status = says_nothing ? "amber" : "red";
        reason.subject = "database " + row->database;
        reason.database = row->database;
        reason.cluster = row->cluster;
        reason.message = fmt::format("its backup {} of {} {}", backup_id, to_rfc3339(row->completed_at.ms),
                                     says_nothing ? "could not be verified" : "is not what was made");
        if (!says_nothing) reason.hint = "make another one now: backstay backup " + row->database;
        add_next_backup(context.status, reason);
        answer.reasons.push_back(std::move(reason));
    }
    return {};
}

}  // namespace

Result<> explain_databases(const WhyContext& context, WhyAnswer& answer) {
    const auto wanted = TRY(protected_databases(context));
    const auto attempts = TRY(JobRepository(context.database).last_of_each("backup"));
    for (const Database& of : wanted) TRY(explain_backups(context, of, attempts, answer));
    if (wanted.empty() && context.config.wal.empty()) {
        WhyReason reason;
        reason.status = "amber";
        reason.subject = "agent";
        reason.message = "no backup was made on this host yet, and nothing says of which database one is wanted";
        reason.hint = "backstay inventory lists the databases; backstay backup DATABASE makes the first one";
        reason.next = "nothing: there is no schedule";
        answer.reasons.push_back(std::move(reason));
    }
    TRY(explain_lateness(context, answer));
    TRY(explain_snapshots(context, answer));
    TRY(explain_base_backups(context, answer));
    return explain_verifications(context, answer);
}

}  // namespace backstay::local_api
