#include "agent/state/outbox.h"

namespace backstay {

using control_plane::Report;
using control_plane::ReportKind;

Result<> Outbox::add(sqlite::Transaction& transaction, const std::string& job_id, Report report) {
    sqlite::Database& database = transaction.database();
    std::int64_t next = 0;
    {
        auto job =
            TRY(database.query("SELECT fence, next_seq, reported, operation_id FROM jobs WHERE job_id = $1", {job_id}));
        if (!TRY(job.step())) return Error(Errc::not_found, "there is no job " + job_id);
        if (!job.boolean(2)) return {};
        report.job_id = job_id;
        report.fence = job.integer(0);
        next = job.integer(1);
        if (report.operation_id.empty()) report.operation_id = job.text(3);
    }
    const std::string kind(json::encode(report.kind).as_string());
    if (report.kind == ReportKind::progress) {
        report.seq = next - 1;
        const std::string text = json::encode_text(report);
        const auto replaced = TRY(database.run(
            "UPDATE outbox SET report_json = $1 WHERE job_id = $2 AND fence = $3 AND seq = $4 AND kind = 'progress'",
            {text, job_id, report.fence, report.seq}));
        if (replaced > 0) return {};
    }
    report.seq = next;
    const std::string text = json::encode_text(report);
    TRY(database.run("INSERT INTO outbox (job_id, fence, seq, kind, report_json) VALUES ($1, $2, $3, $4, $5)",
                     {job_id, report.fence, report.seq, kind, text}));
    TRY(database.run("UPDATE jobs SET next_seq = $1 WHERE job_id = $2", {next + 1, job_id}));
    return {};
}

Result<std::vector<Report>> Outbox::oldest(std::size_t limit) {
    std::vector<Report> reports;
    auto rows = TRY(database_.query("SELECT report_json FROM outbox ORDER BY id LIMIT $1", {limit}));
    while (TRY(rows.step())) reports.push_back(TRY(json::decode_text<Report>(rows.text(0), json::kLenient)));
    return reports;
}

Result<std::int64_t> Outbox::acknowledge(const std::string& job_id, std::int64_t fence, std::int64_t seq) {
    return database_.run("DELETE FROM outbox WHERE job_id = $1 AND fence = $2 AND seq <= $3", {job_id, fence, seq});
}

Result<std::int64_t> Outbox::drop(const std::string& job_id, std::int64_t fence) {
    return database_.run("DELETE FROM outbox WHERE job_id = $1 AND fence <= $2", {job_id, fence});
}

Result<bool> Outbox::set_aside(const std::string& job_id, std::int64_t fence,
                               const control_plane::RejectedReport& why) {
    auto transaction = TRY(sqlite::Transaction::begin(database_));
    const auto kept = TRY(database_.run(
        "INSERT INTO refused_reports (job_id, fence, seq, kind, report_json, code, message) SELECT job_id, fence, seq, "
        "kind, report_json, $4, $5 FROM outbox WHERE job_id = $1 AND fence = $2 AND seq = $3",
        {job_id, fence, why.seq, why.code, why.message}));
    TRY(database_.run("DELETE FROM outbox WHERE job_id = $1 AND fence = $2 AND seq = $3", {job_id, fence, why.seq}));
    TRY(database_.run("DELETE FROM refused_reports WHERE id <= (SELECT MAX(id) FROM refused_reports) - 1000"));
    TRY(transaction.commit());
    return kept > 0;
}

Result<std::int64_t> Outbox::refused() {
    auto row = TRY(database_.query("SELECT count(*) FROM refused_reports"));
    TRY(row.step());
    return row.integer(0);
}

Result<std::vector<Outbox::Refused>> Outbox::newest_refused(std::size_t limit) {
    auto rows = TRY(database_.query(
        "SELECT job_id, fence, seq, kind, code, message FROM refused_reports ORDER BY id DESC LIMIT $1", {limit}));
    std::vector<Refused> out;
    while (TRY(rows.step())) {
        out.push_back({rows.text(0), rows.integer(1), rows.integer(2), rows.text(3), rows.text(4), rows.text(5)});
    }
    return out;
}

Result<std::int64_t> Outbox::size() {
    auto row = TRY(database_.query("SELECT count(*) FROM outbox"));
    TRY(row.step());
    return row.integer(0);
}

}  // namespace backstay
