#include "agent/state/retelling.h"

#include "agent/state/evidence.h"
#include "agent/state/jobs.h"
#include "common/sqlite/transaction.h"

namespace backstay {
namespace {

using control_plane::Report;
using control_plane::ReportKind;

// What lies somewhere and is still known here; deletions and restores are history.
constexpr std::string_view kMade =
    "SELECT job_id FROM jobs j WHERE state = 'succeeded' AND reported AND ended_at >= $1 AND kind IN ('backup', "
    "'base_backup', 'snapshot') AND (EXISTS (SELECT 1 FROM backups b WHERE b.backup_id = j.operation_id) OR EXISTS "
    "(SELECT 1 FROM snapshots s WHERE s.snapshot_id = j.operation_id AND s.status IN ('completed', 'partial'))) AND "
    "NOT EXISTS (SELECT 1 FROM outbox o WHERE o.job_id = j.job_id) ORDER BY created_at, rowid";

// Of those: what is on its way yet, so that the control plane may know a part of it.
constexpr std::string_view kWaiting =
    "SELECT COUNT(*) FROM jobs j WHERE state = 'succeeded' AND ended_at >= $1 AND kind IN ('backup', 'base_backup', "
    "'snapshot') AND EXISTS (SELECT 1 FROM outbox o WHERE o.job_id = j.job_id)";

class Retelling {
public:
    Retelling(sqlite::Database& database, const JobRow& job) : database_(database), job_(job) {}

    Result<> all() {
        Report declared = report(ReportKind::declared, job_.created_at);
        declared.declared = control_plane::JobDeclaration{job_.kind, job_.order, job_.origin};
        declared.declared->order["toldAgain"] = true;
        TRY(put(std::move(declared)));
        const auto found = TRY(EvidenceRepository(database_).of(job_.operation_id));
        if (found) TRY(evidence(*found));
        Report finished = report(ReportKind::finished, job_.ended_at.value_or(job_.created_at));
        finished.finished = job_.finish;
        return put(std::move(finished));
    }
    std::int64_t reports() const { return seq_; }

private:
    Report report(ReportKind kind, Timestamp at) const {
        Report out;
        out.job_id = job_.job_id;
        out.operation_id = job_.operation_id;
        out.kind = kind;
        out.at = at;
        return out;
    }
    Result<> evidence(const OperationEvidence& found) {
        if (found.plan) {
            Report planned = report(ReportKind::planned, job_.created_at);
            planned.plan = found.plan;
            TRY(put(std::move(planned)));
        }
        for (const StepRecord& record : found.steps) {
            Report step = report(ReportKind::step, record.completed_at.value_or(job_.created_at));
            step.step = record;
            TRY(put(std::move(step)));
        }
        for (const CopyRecord& record : found.copies) {
            Report copy = report(ReportKind::copy, job_.ended_at.value_or(job_.created_at));
            copy.copy = record;
            TRY(put(std::move(copy)));
        }
        return {};
    }
    Result<> put(Report next) {
        next.fence = 0;
        next.seq = ++seq_;
        const std::string text = json::encode_text(next);
        const std::string kind(json::encode(next.kind).as_string());
        TRY(database_.run("INSERT INTO outbox (job_id, fence, seq, kind, report_json) VALUES ($1, 0, $2, $3, $4)",
                          {next.job_id, next.seq, kind, text}));
        return {};
    }

    sqlite::Database& database_;
    const JobRow& job_;
    std::int64_t seq_ = 0;
};

}  // namespace

Result<Retold> tell_again(sqlite::Database& database, TimeMs since) {
    auto transaction = TRY(sqlite::Transaction::begin(database));
    std::vector<std::string> ids;
    {
        auto rows = TRY(database.query(kMade, {since}));
        while (TRY(rows.step())) ids.push_back(rows.text(0));
    }
    Retold told;
    {
        auto rows = TRY(database.query(kWaiting, {since}));
        if (TRY(rows.step())) told.waiting = rows.integer(0);
    }
    for (const std::string& id : ids) {
        const auto job = TRY(JobRepository(database).find(id));
        if (!job || !job->finish) continue;
        Retelling retelling(database, *job);
        TRY(retelling.all());
        ++told.jobs;
        told.reports += retelling.reports();
    }
    TRY(transaction.commit());
    return told;
}

}  // namespace backstay
