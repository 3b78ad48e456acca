#include "agent/local-api/views.h"

#include "agent/local-api/wal_view.h"
#include "agent/state/schedules.h"
#include "agent/state/wal.h"
#include "common/time/cron.h"
#include "common/time/zone.h"

namespace backstay::local_api {
namespace {

Phase phase_of(JobState state) {
    switch (state) {
        case JobState::queued:
            return Phase::pending;
        case JobState::running:
            return Phase::running;
        case JobState::cancelled:
            return Phase::cancelled;
        case JobState::succeeded:
        case JobState::failed:
        case JobState::interrupted:
        case JobState::rejected:
            return Phase::ended;
    }
    return Phase::ended;
}

std::string plain_status(JobState state) {
    switch (state) {
        case JobState::queued:
            return "pending";
        case JobState::running:
            return "running";
        case JobState::succeeded:
            return "completed";
        case JobState::cancelled:
            return "cancelled";
        case JobState::failed:
        case JobState::interrupted:
        case JobState::rejected:
            return "failed";
    }
    return "failed";
}

EvidenceInput input_of(const JobRow& row, const OperationEvidence& evidence, const std::optional<Progress>& live) {
    EvidenceInput input;
    if (evidence.plan) input.plan = *evidence.plan;
    input.phase = phase_of(row.state);
    input.steps = evidence.steps;
    input.copies = evidence.copies;
    input.progress = live ? live : evidence.progress;
    if (row.finish && evidence.operation_id == row.operation_id) {
        input.failure = row.finish->error_message;
        input.failure_reason = row.finish->reason;
        input.reverted = row.finish->reverted;
        input.notes = row.finish->notes;
    }
    return input;
}

}  // namespace

Result<JobView> view_job(sqlite::Database& database, const JobRow& row, const std::optional<Progress>& live) {
    JobView view;
    view.job_id = row.job_id;
    view.kind = row.kind;
    view.origin = row.origin;
    view.requested_by = row.requested_by;
    view.operation_id = row.operation_id;
    view.cluster = row.cluster;
    view.database = row.database;
    view.state = json::encode(row.state).as_string();
    view.status = plain_status(row.state);
    view.created_at = row.created_at;
    view.started_at = row.started_at;
    view.ended_at = row.ended_at;
    view.progress = live;
    if (row.finish) {
        view.reason = row.finish->reason;
        view.error_message = row.finish->error_message;
        view.size_bytes = row.finish->size_bytes;
        view.folder = row.finish->folder;
    }
    if (!has_evidence(row.kind) || row.state == JobState::queued || row.state == JobState::rejected) return view;
    if (const auto evidence = TRY(EvidenceRepository(database).of(row.operation_id))) {
        const EvidenceInput input = input_of(row, *evidence, live);
        view.status = row_status(input, judge(input));
        if (!view.progress) view.progress = evidence->progress;
    }
    return view;
}

Result<JobDetail> view_detail(sqlite::Database& database, const JobRow& row, const std::optional<Progress>& live) {
    JobDetail detail;
    detail.job = TRY(view_job(database, row, live));
    detail.order = row.order;
    if (row.finish) detail.notes = row.finish->notes;
    for (OperationEvidence& evidence : TRY(EvidenceRepository(database).of_job(row.job_id))) {
        const bool own = evidence.operation_id == row.operation_id;
        OperationView operation;
        operation.operation_id = evidence.operation_id;
        operation.recovery_evidence = judge(input_of(row, evidence, own ? live : std::nullopt));
        operation.steps = std::move(evidence.steps);
        operation.copies = std::move(evidence.copies);
        detail.operations.push_back(std::move(operation));
    }
    return detail;
}

RecoveryEvidence verdict_of(const JobRow& row, const OperationEvidence& evidence) {
    return judge(input_of(row, evidence, std::nullopt));
}

BackupView view_backup(const BackupRow& row) {
    return BackupView{row.backup_id, row.created_at, row.completed_at,   row.cluster, row.database,
                      row.scope,     row.trigger,    row.label,          row.origin,  row.status,
                      row.folder,    row.size_bytes, row.destination_ids};
}

Result<std::vector<NextRunView>> view_next_runs(sqlite::Database& database, TimeMs now) {
    std::vector<NextRunView> runs;
    for (const auto& told : TRY(ScheduleRepository(database).schedules())) {
        const auto zone = Zone::find(told.time_zone);
        for (const std::string scope : {"db", "full"}) {
            const auto cron = Cron::parse(scope == "db" ? told.db_cron : told.full_cron);
            const auto next = zone && cron ? cron->next(now, *zone) : std::nullopt;
            if (!next) continue;
            runs.push_back(
                {told.environment.cluster.value_or(""), told.environment.database, scope, {*next}, told.time_zone});
        }
    }
    std::sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) { return a.at.ms < b.at.ms; });
    return runs;
}

Result<WalAnswer> view_archives(const AgentConfig& config, sqlite::Database& database) {
    WalRepository archive(database);
    WalAnswer answer;
    for (const WalConfig& wal : config.wal) {
        for (const WalCluster& cluster : TRY(archive.clusters(wal.cluster))) {
            const wal::Holdings holdings = TRY(archive.holdings(cluster));
            WalArchiveView view = view_wal(holdings, wal::cover(holdings));
            view.cluster = cluster.cluster;
            view.system_id = cluster.system_id;
            view.archive = cluster.folder;
            view.wal_bytes = TRY(archive.totals(cluster.system_id)).stored_bytes;
            const auto bases = TRY(archive.bases(cluster.system_id));
            for (WalBaseView& shown : view.bases) {
                const auto row = std::find_if(bases.begin(), bases.end(),
                                              [&](const WalBase& one) { return one.backup_id == shown.backup_id; });
                if (row == bases.end()) continue;
                shown.size_bytes = row->size_bytes;
                shown.destination_ids = row->destination_ids;
                shown.folder = row->folder;
                view.base_bytes += row->size_bytes;
            }
            answer.archives.push_back(std::move(view));
        }
    }
    return answer;
}

SnapshotView view_snapshot(const SnapshotRow& row) {
    return SnapshotView{row.snapshot_id, row.created_at, row.completed_at, row.cluster,        row.database,
                        row.trigger,     row.label,      row.origin,       row.status,         row.mode,
                        row.base_id,     row.folder,     row.size_bytes,   row.destination_ids};
}

}  // namespace backstay::local_api
