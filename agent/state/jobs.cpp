#include "agent/state/jobs.h"

#include <fmt/format.h>

#include "agent/state/outbox.h"
#include "agent/state/schedules.h"
#include "common/sqlite/transaction.h"

namespace backstay {
namespace {

constexpr std::string_view kColumns =
    "job_id, fence, attempt, kind, origin, requested_by, operation_id, cluster, database, state, order_json, "
    "created_at, started_at, ended_at, finish_json, reported";

constexpr std::string_view kEnded = "state NOT IN ('queued', 'running', 'cancelled')";

std::optional<Timestamp> time_of(std::optional<std::int64_t> ms) {
    return ms ? std::optional<Timestamp>(Timestamp{*ms}) : std::nullopt;
}

Result<JobRow> row_of(sqlite::Statement& row) {
    JobRow job;
    job.job_id = row.text(0);
    job.fence = row.integer(1);
    job.attempt = static_cast<std::int32_t>(row.integer(2));
    job.kind = row.text(3);
    job.origin = row.text(4);
    job.requested_by = row.text(5);
    job.operation_id = row.text(6);
    job.cluster = row.text(7);
    job.database = row.text(8);
    job.state = TRY(json::decode<JobState>(json::encode(row.text(9))));
    job.order = TRY(json::decode_text<json::Object>(row.text(10)));
    job.created_at = {row.integer(11)};
    job.started_at = time_of(row.optional_integer(12));
    job.ended_at = time_of(row.optional_integer(13));
    if (const auto finish = row.optional_text(14)) {
        job.finish = TRY(json::decode_text<control_plane::JobFinish>(*finish, json::kLenient));
    }
    job.reported = row.boolean(15);
    return job;
}

JobState state_of(control_plane::JobOutcome outcome) {
    switch (outcome) {
        case control_plane::JobOutcome::succeeded:
            return JobState::succeeded;
        case control_plane::JobOutcome::failed:
            return JobState::failed;
        case control_plane::JobOutcome::cancelled:
            return JobState::cancelled;
        case control_plane::JobOutcome::interrupted:
            return JobState::interrupted;
    }
    return JobState::failed;
}

std::string name_of(JobState state) { return std::string(json::encode(state).as_string()); }

Result<std::vector<JobRow>> rows_of(sqlite::Statement statement) {
    std::vector<JobRow> jobs;
    while (TRY(statement.step())) jobs.push_back(TRY(row_of(statement)));
    return jobs;
}

control_plane::Report report_of(const JobRow& job, control_plane::ReportKind kind, TimeMs at) {
    control_plane::Report report;
    report.operation_id = job.operation_id;
    report.kind = kind;
    report.at = {at};
    return report;
}

}  // namespace

Result<bool> JobRepository::may_replace(const JobRow& known, const JobRow& job) {
    if (known.origin != kOriginSchedule) return known.fence < job.fence;
    if (!is_over(known.state)) return false;
    auto unsent = TRY(database_.query("SELECT COUNT(*), MIN(seq) FROM outbox WHERE job_id = $1", {known.job_id}));
    TRY(unsent.step());
    const bool told = unsent.integer(0) == 0;
    const bool untold = !told && unsent.integer(1) == 1;
    const bool repeats = job.origin == kOriginSchedule && known.attempt < job.attempt;
    return repeats ? untold : told && known.fence < job.fence;
}

Result<> JobRepository::insert(const JobRow& job) {
    if (const auto known = TRY(find(job.job_id)); known && !TRY(may_replace(*known, job))) {
        return Error(Errc::conflict, fmt::format("job {} is known here under fence {}", job.job_id, known->fence));
    }
    TRY(database_.run("DELETE FROM outbox WHERE job_id = $1", {job.job_id}));
    TRY(database_.run("DELETE FROM jobs WHERE job_id = $1", {job.job_id}));
    const std::string order = json::encode_text(job.order);
    const std::string state = name_of(job.state);
    TRY(
        database_.run("INSERT INTO jobs (job_id, fence, attempt, kind, origin, requested_by, operation_id, cluster, "
                      "database, state, order_json, created_at, reported) "
                      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
                      {job.job_id, job.fence, job.attempt, job.kind, job.origin, job.requested_by, job.operation_id,
                       job.cluster, job.database, state, order, job.created_at.ms, job.reported}));
    return {};
}

Result<> JobRepository::add(const JobRow& job) {
    auto transaction = TRY(sqlite::Transaction::begin(database_));
    TRY(insert(job));
    const bool own = job.origin != kOriginControlPlane;
    control_plane::Report first = report_of(
        job, own ? control_plane::ReportKind::declared : control_plane::ReportKind::accepted, job.created_at.ms);
    if (own) first.declared = control_plane::JobDeclaration{job.kind, job.order, job.origin};
    TRY(Outbox::add(transaction, job.job_id, std::move(first)));
    TRY(ScheduleRepository::note_run(transaction, job));
    return transaction.commit();
}

Result<> JobRepository::reject(const JobRow& job, const std::string& reason, const std::string& message) {
    auto transaction = TRY(sqlite::Transaction::begin(database_));
    JobRow rejected = job;
    rejected.state = JobState::rejected;
    TRY(insert(rejected));
    control_plane::Report report = report_of(job, control_plane::ReportKind::rejected, job.created_at.ms);
    report.reason = reason;
    report.message = message;
    TRY(Outbox::add(transaction, job.job_id, std::move(report)));
    control_plane::JobFinish finish;
    finish.reason = reason;
    finish.error_message = message;
    const std::string text = json::encode_text(finish);
    TRY(database_.run("UPDATE jobs SET ended_at = created_at, finish_json = $1 WHERE job_id = $2", {text, job.job_id}));
    return transaction.commit();
}

Result<> JobRepository::start(const std::string& job_id, TimeMs now) {
    const auto changed = TRY(database_.run(
        "UPDATE jobs SET state = 'running', started_at = $1 WHERE job_id = $2 AND state = 'queued'", {now, job_id}));
    if (changed == 0) return Error(Errc::conflict, fmt::format("job {} is not queued", job_id));
    return {};
}

Result<> JobRepository::finish(const std::string& job_id, const control_plane::JobFinish& finish, TimeMs now) {
    auto transaction = TRY(sqlite::Transaction::begin(database_));
    const std::string state = name_of(state_of(finish.outcome));
    const std::string text = json::encode_text(finish);
    const auto changed =
        TRY(database_.run("UPDATE jobs SET state = $1, ended_at = $2, finish_json = $3 WHERE job_id = $4 AND state IN "
                          "('queued', 'running')",
                          {state, now, text, job_id}));
    if (changed == 0) return Error(Errc::conflict, fmt::format("job {} is over already", job_id));
    control_plane::Report report;
    report.kind = control_plane::ReportKind::finished;
    report.at = {now};
    report.finished = finish;
    TRY(Outbox::add(transaction, job_id, std::move(report)));
    return transaction.commit();
}

Result<> JobRepository::finish_inner(const std::string& job_id, const std::string& operation_id,
                                     const control_plane::JobFinish& finish, TimeMs now) {
    auto transaction = TRY(sqlite::Transaction::begin(database_));
    control_plane::Report report;
    report.operation_id = operation_id;
    report.kind = control_plane::ReportKind::finished;
    report.at = {now};
    report.finished = finish;
    TRY(Outbox::add(transaction, job_id, std::move(report)));
    return transaction.commit();
}

Result<std::optional<JobRow>> JobRepository::find(const std::string& job_id) {
    auto row = TRY(database_.query(fmt::format("SELECT {} FROM jobs WHERE job_id = $1", kColumns), {job_id}));
    if (!TRY(row.step())) return std::optional<JobRow>();
    return std::optional<JobRow>(TRY(row_of(row)));
}

Result<JobRow> JobRepository::look_up(const std::string& text) {
    auto found = TRY(rows_of(TRY(database_.query(
        fmt::format("SELECT {} FROM jobs WHERE substr(job_id, 1, length($1)) = $1 OR operation_id = $1 LIMIT 2",
                    kColumns),
        {text}))));
    if (found.empty() || text.empty()) return Error(Errc::not_found, fmt::format("there is no job \"{}\"", text));
    if (found.size() > 1) return Error(Errc::conflict, fmt::format("several jobs begin with \"{}\"", text));
    return std::move(found.front());
}

Result<std::vector<JobRow>> JobRepository::newest(std::size_t limit, bool unfinished) {
    const std::string_view where = unfinished ? "WHERE state IN ('queued', 'running')" : "";
    return rows_of(TRY(database_.query(
        fmt::format("SELECT {} FROM jobs {} ORDER BY created_at DESC, rowid DESC LIMIT $1", kColumns, where),
        {limit})));
}

Result<std::vector<JobRow>> JobRepository::last_of_each(std::string_view kind) {
    return rows_of(TRY(
        database_.query(fmt::format("SELECT {0} FROM (SELECT {0}, row_number() OVER (PARTITION BY cluster, database "
                                    "ORDER BY created_at DESC, rowid DESC) AS place FROM jobs WHERE kind = $1 AND {1}) "
                                    "WHERE place = 1 ORDER BY cluster, database",
                                    kColumns, kEnded),
                        {kind})));
}

Result<std::vector<JobRow>> JobRepository::newest_ended(std::string_view kind, std::size_t limit) {
    return rows_of(TRY(database_.query(
        fmt::format("SELECT {} FROM jobs WHERE kind = $1 AND {} ORDER BY created_at DESC, rowid DESC LIMIT $2",
                    kColumns, kEnded),
        {kind, limit})));
}

Result<std::int64_t> JobRepository::prune(std::size_t keep) {
    // A restore's notes say how to go back; they go away with the previous pair.
    return database_.run(
        "DELETE FROM jobs WHERE state NOT IN ('queued', 'running') "
        "AND job_id NOT IN (SELECT o.job_id FROM operations o JOIN notes n ON n.operation_id = o.operation_id) "
        "AND job_id NOT IN (SELECT job_id FROM jobs ORDER BY created_at DESC, rowid DESC LIMIT $1)",
        {keep});
}

}  // namespace backstay
