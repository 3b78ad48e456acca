#include "control-plane/dispatch/job_rows.h"

#include <fmt/format.h>

#include "common/sql/locking.h"

namespace backstay::dispatch {
namespace {

constexpr std::string_view kColumns =
    "id, kind, organization_id, agent_id, environment_id, backup_id, operation_id, order_text, state, fence, seq, "
    "attempt, cancel_requested, created_at, not_before, waiting_since, lease_until, lost_at, told_at, started_at, "
    "moved_at, timeout_ms, outcome, reason, message";
constexpr std::string_view kUnfinishedOfAgent = "WHERE agent_id = $1 AND state <> 'finished' ORDER BY created_at, id";

JobState state_of(const std::string& text) {
    JobState state = JobState::finished;
    boost::describe::enum_from_string(text.c_str(), state);
    return state;
}

Job read_row(const sql::Statement& row) {
    Job job;
    job.id = row.text(0);
    job.kind = row.text(1);
    job.organization_id = row.text(2);
    job.agent_id = row.text(3);
    job.environment_id = row.optional_text(4);
    job.backup_id = row.optional_text(5);
    job.operation_id = row.text(6);
    job.order = row.text(7);
    job.state = state_of(row.text(8));
    job.fence = row.integer(9);
    job.seq = row.integer(10);
    job.attempt = static_cast<std::int32_t>(row.integer(11));
    job.cancel_requested = row.boolean(12);
    job.created_at = row.integer(13);
    job.not_before = row.integer(14);
    job.waiting_since = row.integer(15);
    job.lease_until = row.optional_integer(16);
    job.lost_at = row.optional_integer(17);
    job.told_at = row.optional_integer(18);
    job.started_at = row.optional_integer(19);
    job.moved_at = row.optional_integer(20);
    job.timeout_ms = row.integer(21);
    job.outcome = row.text(22);
    job.reason = row.text(23);
    job.message = row.text(24);
    return job;
}

// `rest` begins behind "FROM jobs".
Result<std::vector<Job>> read_all(sql::Database& db, std::string_view rest, std::initializer_list<sql::Value> values) {
    const std::string sql = fmt::format("SELECT {} FROM jobs {}", kColumns, rest);
    return read_jobs(TRY(db.query(sql, values)));
}

const char* name_of(JobState state) { return boost::describe::enum_to_string(state, "finished"); }

}  // namespace

Result<> insert_job(sql::Database& db, const Job& job) {
    const std::string sql = fmt::format(
        "INSERT INTO jobs ({}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, "
        "$18, "
        "$19, $20, $21, $22, $23, $24, $25)",
        kColumns);
    TRY(db.run(sql, {job.id,
                     job.kind,
                     job.organization_id,
                     job.agent_id,
                     job.environment_id,
                     job.backup_id,
                     job.operation_id,
                     job.order,
                     name_of(job.state),
                     job.fence,
                     job.seq,
                     job.attempt,
                     job.cancel_requested,
                     job.created_at,
                     job.not_before,
                     job.waiting_since,
                     job.lease_until,
                     job.lost_at,
                     job.told_at,
                     job.started_at,
                     job.moved_at,
                     job.timeout_ms,
                     job.outcome,
                     job.reason,
                     job.message}));
    return {};
}

Result<> update_job(sql::Database& db, const Job& job) {
    static constexpr std::string_view kSql =
        "UPDATE jobs SET state = $2, fence = $3, seq = $4, attempt = $5, cancel_requested = $6, not_before = $7, "
        "waiting_since = $8, lease_until = $9, lost_at = $10, told_at = $11, started_at = $12, moved_at = $13, "
        "outcome = $14, reason = $15, message = $16 WHERE id = $1";
    TRY(db.run(kSql, {job.id, name_of(job.state), job.fence, job.seq, job.attempt, job.cancel_requested, job.not_before,
                      job.waiting_since, job.lease_until, job.lost_at, job.told_at, job.started_at, job.moved_at,
                      job.outcome, job.reason, job.message}));
    return {};
}

Result<std::optional<Job>> find_job(sql::Database& db, std::string_view id) {
    auto jobs = TRY(read_all(db, "WHERE id = $1", {id}));
    if (jobs.empty()) return std::optional<Job>();
    return std::optional<Job>(std::move(jobs.front()));
}

Result<std::vector<Job>> unfinished_jobs(sql::Database& db) {
    return read_all(db, "WHERE state <> 'finished' ORDER BY created_at, id", {});
}

Result<std::vector<Job>> unfinished_jobs_of_agent(sql::Database& db, std::string_view agent_id) {
    const sql::Question question = unfinished_question(agent_id);
    return read_jobs(TRY(db.query(question.sql, question.values)));
}

sql::Question unfinished_question(std::string_view agent_id) {
    static const std::string kSql = fmt::format("SELECT {} FROM jobs {}", kColumns, kUnfinishedOfAgent);
    return {kSql, {agent_id}};
}

sql::Question taking_question(const sql::Database& db, std::string_view agent_id) {
    if (db.dialect() == sql::Dialect::sqlite) return unfinished_question(agent_id);
    static const std::string kSql =
        fmt::format("SELECT {} FROM jobs {}{}", kColumns, kUnfinishedOfAgent, sql::kTakenRows);
    return {kSql, {agent_id}};
}

Result<std::vector<Job>> read_jobs(sql::Statement rows) {
    std::vector<Job> jobs;
    while (TRY(rows.step())) jobs.push_back(read_row(rows));
    return jobs;
}

Result<std::vector<Job>> busy_jobs_of_environment(sql::Database& db, std::string_view environment_id) {
    auto jobs = TRY(
        read_all(db, "WHERE environment_id = $1 AND state <> 'finished' ORDER BY created_at, id", {environment_id}));
    std::erase_if(jobs, [](const Job& job) { return !occupies_environment(job.kind); });
    return jobs;
}

Result<std::vector<Job>> unfinished_jobs_of_backup(sql::Database& db, std::string_view backup_id) {
    return read_all(db, "WHERE backup_id = $1 AND state <> 'finished' ORDER BY created_at, id", {backup_id});
}

Result<std::set<std::string>> agents_with_due_jobs(sql::Database& db, TimeMs now) {
    auto rows = TRY(db.query(
        "SELECT DISTINCT agent_id FROM jobs WHERE state <> 'finished' AND ((state = 'queued' AND cancel_requested = 0 "
        "AND not_before <= $1) OR ((state = 'leased' OR (state = 'accepted' AND cancel_requested = 1)) AND (told_at IS "
        "NULL OR told_at <= $1 - $2)))",
        {now, kOfferAgainMs}));
    std::set<std::string> agents;
    while (TRY(rows.step())) agents.insert(rows.text(0));
    return agents;
}

}  // namespace backstay::dispatch
