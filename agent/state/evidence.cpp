#include "agent/state/evidence.h"

#include "agent/state/outbox.h"
#include "common/sqlite/transaction.h"

namespace backstay {
namespace {

using control_plane::Report;
using control_plane::ReportKind;

Report report_of(const std::string& operation_id, ReportKind kind, TimeMs now) {
    Report report;
    report.operation_id = operation_id;
    report.kind = kind;
    report.at = {now};
    return report;
}

Result<> store_step(sqlite::Database& database, const std::string& operation_id, const StepRecord& record) {
    const std::string text = json::encode_text(record);
    TRY(
        database.run("INSERT INTO steps (operation_id, name, position, record_json) "
                     "VALUES ($1, $2, (SELECT count(*) FROM steps WHERE operation_id = $1), $3) "
                     "ON CONFLICT (operation_id, name) DO UPDATE SET record_json = excluded.record_json",
                     {operation_id, record.name, text}));
    return {};
}

Result<std::vector<StepRecord>> steps_of(sqlite::Database& database, const std::string& operation_id) {
    std::vector<StepRecord> steps;
    auto rows =
        TRY(database.query("SELECT record_json FROM steps WHERE operation_id = $1 ORDER BY position", {operation_id}));
    while (TRY(rows.step())) steps.push_back(TRY(json::decode_text<StepRecord>(rows.text(0), json::kLenient)));
    return steps;
}

Result<std::vector<CopyRecord>> copies_of(sqlite::Database& database, const std::string& operation_id) {
    std::vector<CopyRecord> copies;
    auto rows = TRY(database.query(
        "SELECT record_json FROM copies WHERE operation_id = $1 ORDER BY destination_id, artifact", {operation_id}));
    while (TRY(rows.step())) copies.push_back(TRY(json::decode_text<CopyRecord>(rows.text(0), json::kLenient)));
    return copies;
}

Result<Facts> notes_of(sqlite::Database& database, const std::string& operation_id) {
    Facts notes;
    auto rows =
        TRY(database.query("SELECT key, value FROM notes WHERE operation_id = $1 ORDER BY key", {operation_id}));
    while (TRY(rows.step())) notes.emplace(rows.text(0), rows.text(1));
    return notes;
}

}  // namespace

Result<std::string> EvidenceRepository::job_of(const std::string& operation_id) {
    auto row = TRY(database_.query("SELECT job_id FROM operations WHERE operation_id = $1", {operation_id}));
    if (!TRY(row.step())) return Error(Errc::not_found, "there is no operation " + operation_id);
    return row.text(0);
}

Result<> EvidenceRepository::begin(const std::string& operation_id, const std::string& job_id) {
    auto transaction = TRY(sqlite::Transaction::begin(database_));
    TRY(database_.run("DELETE FROM operations WHERE operation_id = $1", {operation_id}));
    TRY(database_.run("INSERT INTO operations (operation_id, job_id) VALUES ($1, $2)", {operation_id, job_id}));
    return transaction.commit();
}

Result<> EvidenceRepository::plan(const std::string& operation_id, const OperationPlan& plan, TimeMs now) {
    auto transaction = TRY(sqlite::Transaction::begin(database_));
    const std::string job_id = TRY(job_of(operation_id));
    const std::string text = json::encode_text(plan);
    TRY(database_.run("UPDATE operations SET plan_json = $1 WHERE operation_id = $2", {text, operation_id}));
    Report report = report_of(operation_id, ReportKind::planned, now);
    report.plan = plan;
    TRY(Outbox::add(transaction, job_id, std::move(report)));
    return transaction.commit();
}

Result<> EvidenceRepository::step(const std::string& operation_id, const StepRecord& record, TimeMs now) {
    auto transaction = TRY(sqlite::Transaction::begin(database_));
    const std::string job_id = TRY(job_of(operation_id));
    TRY(store_step(database_, operation_id, record));
    Report report = report_of(operation_id, ReportKind::step, now);
    report.step = record;
    TRY(Outbox::add(transaction, job_id, std::move(report)));
    return transaction.commit();
}

Result<> EvidenceRepository::copy(const std::string& operation_id, const CopyRecord& record, TimeMs now) {
    auto transaction = TRY(sqlite::Transaction::begin(database_));
    const std::string job_id = TRY(job_of(operation_id));
    const std::string text = json::encode_text(record);
    TRY(database_.run(
        "INSERT INTO copies (operation_id, destination_id, artifact, record_json) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (operation_id, destination_id, artifact) DO UPDATE SET record_json = excluded.record_json",
        {operation_id, record.destination_id, record.artifact, text}));
    Report report = report_of(operation_id, ReportKind::copy, now);
    report.copy = record;
    TRY(Outbox::add(transaction, job_id, std::move(report)));
    return transaction.commit();
}

Result<> EvidenceRepository::note(const std::string& operation_id, const std::string& key, const std::string& value) {
    if (value.empty()) {
        TRY(database_.run("DELETE FROM notes WHERE operation_id = $1 AND key = $2", {operation_id, key}));
        return {};
    }
    TRY(
        database_.run("INSERT INTO notes (operation_id, key, value) VALUES ($1, $2, $3) "
                      "ON CONFLICT (operation_id, key) DO UPDATE SET value = excluded.value",
                      {operation_id, key, value}));
    return {};
}

Result<> EvidenceRepository::progress(const std::string& operation_id, const Progress& progress, TimeMs now) {
    auto transaction = TRY(sqlite::Transaction::begin(database_));
    const std::string job_id = TRY(job_of(operation_id));
    const std::string text = json::encode_text(progress);
    TRY(database_.run("UPDATE operations SET progress_json = $1 WHERE operation_id = $2", {text, operation_id}));
    Report report = report_of(operation_id, ReportKind::progress, now);
    report.progress = progress;
    TRY(Outbox::add(transaction, job_id, std::move(report)));
    return transaction.commit();
}

Result<> EvidenceRepository::settle(const std::string& operation_id, const std::string& reason,
                                    const std::string& summary, TimeMs now) {
    auto transaction = TRY(sqlite::Transaction::begin(database_));
    const std::string job_id = TRY(job_of(operation_id));
    for (StepRecord& record : TRY(steps_of(database_, operation_id))) {
        if (record.status != StepStatus::running) continue;
        record.status = StepStatus::failed;
        record.completed_at = Timestamp{now};
        record.reason = reason;
        record.summary = summary;
        if (record.started_at && now >= record.started_at->ms) record.duration_ms = now - record.started_at->ms;
        TRY(store_step(database_, operation_id, record));
        Report report = report_of(operation_id, ReportKind::step, now);
        report.step = record;
        TRY(Outbox::add(transaction, job_id, std::move(report)));
    }
    return transaction.commit();
}

Result<std::optional<OperationEvidence>> EvidenceRepository::of(const std::string& operation_id) {
    OperationEvidence found;
    {
        auto row = TRY(database_.query(
            "SELECT job_id, plan_json, progress_json FROM operations WHERE operation_id = $1", {operation_id}));
        if (!TRY(row.step())) return std::optional<OperationEvidence>();
        found.operation_id = operation_id;
        found.job_id = row.text(0);
        if (const auto plan = row.optional_text(1)) {
            found.plan = TRY(json::decode_text<OperationPlan>(*plan, json::kLenient));
        }
        if (const auto progress = row.optional_text(2)) {
            found.progress = TRY(json::decode_text<Progress>(*progress, json::kLenient));
        }
    }
    found.steps = TRY(steps_of(database_, operation_id));
    found.copies = TRY(copies_of(database_, operation_id));
    found.notes = TRY(notes_of(database_, operation_id));
    return std::optional<OperationEvidence>(std::move(found));
}

Result<std::vector<OperationEvidence>> EvidenceRepository::of_job(const std::string& job_id) {
    std::vector<std::string> ids;
    {
        auto rows = TRY(database_.query(
            "SELECT o.operation_id FROM operations o JOIN jobs j ON j.job_id = o.job_id WHERE o.job_id = $1 "
            "ORDER BY o.operation_id <> j.operation_id, o.rowid",
            {job_id}));
        while (TRY(rows.step())) ids.push_back(rows.text(0));
    }
    std::vector<OperationEvidence> all;
    for (const std::string& id : ids) {
        if (auto one = TRY(of(id))) all.push_back(std::move(*one));
    }
    return all;
}

Result<std::map<std::string, std::string>> EvidenceRepository::last_uses() {
    std::map<std::string, std::string> uses;
    auto rows =
        TRY(database_.query("SELECT c.destination_id, o.operation_id, max(o.rowid) FROM copies c "
                            "JOIN operations o ON o.operation_id = c.operation_id JOIN jobs j ON j.job_id = o.job_id "
                            "WHERE j.state NOT IN ('queued', 'running') GROUP BY c.destination_id"));
    while (TRY(rows.step())) uses.emplace(rows.text(0), rows.text(1));
    return uses;
}

Result<std::vector<std::string>> EvidenceRepository::noted_operations(const std::string& key) {
    std::vector<std::string> ids;
    auto rows = TRY(database_.query(
        "SELECT DISTINCT n.operation_id FROM notes n JOIN operations o ON o.operation_id = n.operation_id "
        "JOIN jobs j ON j.job_id = o.job_id WHERE (n.key = $1 OR $1 = '') AND j.state NOT IN ('queued', 'running') "
        "ORDER BY n.operation_id",
        {key}));
    while (TRY(rows.step())) ids.push_back(rows.text(0));
    return ids;
}

}  // namespace backstay
