#include "control-plane/operations/rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/domain/copies.h"
#include "common/json/json.h"
#include "control-plane/store/id_list.h"
#include "control-plane/store/rows.h"

namespace backstay::operations {
namespace {

constexpr std::string_view kColumns =
    "id, kind, organization_id, environment_id, backup_id, job_id, plan, phase, status, failure, failure_reason, "
    "reverted, notes, progress, evidence, event_id, performed_by, created_at, started_at, completed_at, "
    "subject, steps_purged_at";
constexpr std::int64_t kEventsKept = 100;
constexpr std::string_view kCopyColumns =
    "destination_id, artifact, state, object_key, sha256, size_bytes, message, reason";

Result<OperationRow> read_row(const sql::Statement& row) {
    OperationRow out;
    out.id = row.text(0);
    const std::string kind = row.text(1);
    if (!boost::describe::enum_from_string(kind.c_str(), out.kind)) {
        return Error(Errc::corrupted, "operation " + out.id + " is of an unknown kind");
    }
    out.organization_id = row.text(2);
    out.environment_id = row.optional_text(3);
    out.backup_id = row.optional_text(4);
    out.job_id = row.text(5);
    out.plan = TRY(json::decode_text<OperationPlan>(row.text(6), json::kLenient));
    const std::string phase = row.text(7);
    boost::describe::enum_from_string(phase.c_str(), out.phase);
    out.status = row.text(8);
    out.failure = row.text(9);
    out.failure_reason = row.text(10);
    out.reverted = row.boolean(11);
    out.notes = TRY(json::decode_text<std::vector<std::string>>(row.text(12)));
    if (!row.is_null(13)) out.progress = TRY(json::decode_text<Progress>(row.text(13), json::kLenient));
    out.evidence = row.text(14);
    out.event_id = row.integer(15);
    out.performed_by = row.text(16);
    out.created_at = row.integer(17);
    out.started_at = row.optional_integer(18);
    out.completed_at = row.optional_integer(19);
    out.subject = row.text(20);
    out.steps_purged_at = row.optional_integer(21);
    return out;
}

CopyRecord read_copy(const sql::Statement& row) {
    CopyRecord copy;
    copy.destination_id = row.text(0);
    copy.artifact = row.text(1);
    const std::string state = row.text(2);
    boost::describe::enum_from_string(state.c_str(), copy.state);
    copy.key = row.text(3);
    copy.sha256 = row.text(4);
    copy.size_bytes = static_cast<std::uint64_t>(row.integer(5));
    copy.message = row.text(6);
    copy.reason = row.text(7);
    return copy;
}

// JSON columns of one row, as text that lives as long as the statement runs.
struct Texts {
    explicit Texts(const OperationRow& row)
        : plan(json::encode_text(row.plan)), notes(json::encode_text(row.notes)), progress(text_of(row.progress)) {}
    static std::optional<std::string> text_of(const std::optional<Progress>& progress) {
        if (!progress) return std::nullopt;
        return json::encode_text(*progress);
    }
    std::string plan;
    std::string notes;
    std::optional<std::string> progress;
};

const char* phase_name(Phase phase) { return boost::describe::enum_to_string(phase, ""); }

}  // namespace

std::string_view to_string(Kind kind) { return boost::describe::enum_to_string(kind, ""); }

std::optional<Kind> kind_from(std::string_view text) {
    Kind kind = Kind::backup;
    const std::string name(text);
    if (!boost::describe::enum_from_string(name.c_str(), kind)) return std::nullopt;
    return kind;
}

bool is_judged(Kind kind) {
    return makes_copies(kind) || kind == Kind::restore || kind == Kind::rollback || kind == Kind::verification;
}

bool makes_copies(Kind kind) { return kind == Kind::backup || kind == Kind::snapshot; }

bool is_ended(const OperationRow& operation) {
    return operation.phase == Phase::ended || operation.phase == Phase::cancelled;
}

Result<> insert_operation(sql::Database& db, const OperationRow& row) {
    const Texts texts(row);
    const std::string sql = fmt::format(
        "INSERT INTO operations ({}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, "
        "$17, $18, $19, $20, $21, $22)",
        kColumns);
    TRY(db.run(sql, {row.id,           to_string(row.kind), row.organization_id, row.environment_id,
                     row.backup_id,    row.job_id,          texts.plan,          phase_name(row.phase),
                     row.status,       row.failure,         row.failure_reason,  row.reverted,
                     texts.notes,      texts.progress,      row.evidence,        row.event_id,
                     row.performed_by, row.created_at,      row.started_at,      row.completed_at,
                     row.subject,      row.steps_purged_at}));
    return {};
}

Result<> update_operation(sql::Database& db, const OperationRow& row) {
    const Texts texts(row);
    static constexpr std::string_view kSql =
        "UPDATE operations SET plan = $2, phase = $3, status = $4, failure = $5, failure_reason = $6, reverted = $7, "
        "notes = $8, progress = $9, evidence = $10, event_id = $11, started_at = $12, completed_at = $13 WHERE id = $1";
    TRY(db.run(kSql,
               {row.id, texts.plan, phase_name(row.phase), row.status, row.failure, row.failure_reason, row.reverted,
                texts.notes, texts.progress, row.evidence, row.event_id, row.started_at, row.completed_at}));
    return {};
}

Result<std::optional<OperationRow>> find_operation(sql::Database& db, std::string_view id) {
    const std::string sql = fmt::format("SELECT {} FROM operations WHERE id = $1", kColumns);
    auto rows = TRY(db.query(sql, {id}));
    if (!TRY(rows.step())) return std::optional<OperationRow>();
    return std::optional<OperationRow>(TRY(read_row(rows)));
}

Result<std::vector<std::string>> unended_beside(sql::Database& db, std::string_view job_id, std::string_view id) {
    auto rows = TRY(db.query("SELECT id FROM operations WHERE job_id = $1 AND id <> $2 AND phase IN ($3, $4)",
                             {job_id, id, phase_name(Phase::pending), phase_name(Phase::running)}));
    std::vector<std::string> found;
    while (TRY(rows.step())) found.push_back(rows.text(0));
    return found;
}

Result<std::optional<OperationHead>> operation_head(sql::Database& db, std::string_view id) {
    auto rows = TRY(db.query("SELECT kind, phase, event_id FROM operations WHERE id = $1", {id}));
    if (!TRY(rows.step())) return std::optional<OperationHead>();
    const std::string phase = rows.text(1);
    OperationHead head;
    head.kind = rows.text(0);
    head.ended = phase == phase_name(Phase::ended) || phase == phase_name(Phase::cancelled);
    head.event_id = rows.integer(2);
    return std::optional<OperationHead>(std::move(head));
}

Result<std::set<std::string>> moved_on(sql::Database& db, const std::map<std::string, std::int64_t>& seen) {
    std::vector<std::string> ids;
    for (const auto& [id, event] : seen) ids.push_back(id);
    std::set<std::string> moved;
    TRY(store::for_each_of(db, "SELECT id, event_id FROM operations WHERE id IN", ids, [&](const sql::Statement& row) {
        if (row.integer(1) > seen.at(row.text(0))) moved.insert(row.text(0));
    }));
    return moved;
}

Result<> put_step(sql::Database& db, std::string_view operation_id, const StepRecord& step, std::int64_t sort_order) {
    const std::string record = json::encode_text(step);
    static constexpr std::string_view kSql =
        "INSERT INTO steps (operation_id, name, sort_order, version, record) VALUES ($1, $2, $3, 1, $4) ON CONFLICT "
        "(operation_id, name) DO UPDATE SET record = excluded.record, sort_order = excluded.sort_order, version = "
        "steps.version + 1";
    TRY(db.run(kSql, {operation_id, step.name, sort_order, record}));
    return {};
}

Result<std::vector<StepRow>> steps_of(sql::Database& db, std::string_view operation_id) {
    auto rows =
        TRY(db.query("SELECT record, sort_order, version FROM steps WHERE operation_id = $1 ORDER BY sort_order, name",
                     {operation_id}));
    std::vector<StepRow> steps;
    while (TRY(rows.step())) {
        StepRow row;
        row.record = TRY(json::decode_text<StepRecord>(rows.text(0), json::kLenient));
        row.sort_order = rows.integer(1);
        row.version = rows.integer(2);
        steps.push_back(std::move(row));
    }
    return steps;
}

Result<> clear_steps(sql::Database& db, std::string_view operation_id) {
    TRY(db.run("DELETE FROM steps WHERE operation_id = $1", {operation_id}));
    return {};
}

Result<> put_copy(sql::Database& db, std::string_view backup_id, const CopyRecord& copy, TimeMs now) {
    // What is known stays known: a report may say only that a copy was looked at, or is gone.
    static constexpr std::string_view kSql =
        "INSERT INTO copies (backup_id, destination_id, artifact, state, object_key, sha256, size_bytes, message, "
        "reason, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (backup_id, destination_id, "
        "artifact) DO UPDATE SET state = excluded.state, object_key = CASE WHEN excluded.object_key = '' THEN "
        "copies.object_key ELSE excluded.object_key END, sha256 = CASE WHEN excluded.sha256 = '' THEN copies.sha256 "
        "ELSE excluded.sha256 END, size_bytes = CASE WHEN excluded.size_bytes = 0 THEN copies.size_bytes ELSE "
        "excluded.size_bytes END, message = excluded.message, reason = excluded.reason, updated_at = "
        "excluded.updated_at";
    TRY(db.run(kSql, {backup_id, copy.destination_id, copy.artifact, boost::describe::enum_to_string(copy.state, ""),
                      copy.key, copy.sha256, copy.size_bytes, copy.message, copy.reason, now}));
    return {};
}

sql::Question copies_question(std::string_view backup_id) {
    static const std::string kSql =
        fmt::format("SELECT {} FROM copies WHERE backup_id = $1 ORDER BY destination_id, artifact", kCopyColumns);
    return {kSql, {backup_id}};
}

Result<std::vector<CopyRecord>> read_copies(Result<sql::Statement> rows) {
    return store::all_rows(std::move(rows), read_copy);
}

Result<std::vector<CopyRecord>> copies_of(sql::Database& db, std::string_view backup_id) {
    const auto question = copies_question(backup_id);
    return read_copies(db.query(question.sql, question.values));
}

Result<std::map<std::string, std::vector<CopyRecord>>> copies_of_each(sql::Database& db,
                                                                      const std::vector<std::string>& backup_ids) {
    std::map<std::string, std::vector<CopyRecord>> copies;
    TRY(store::for_each_of(
        db, fmt::format("SELECT {}, backup_id FROM copies WHERE backup_id IN", kCopyColumns), backup_ids,
        [&copies](const sql::Statement& row) { copies[row.text(8)].push_back(read_copy(row)); },
        " ORDER BY destination_id, artifact"));
    return copies;
}

std::set<std::string> destinations_holding_all(const OperationPlan& plan, const std::vector<CopyRecord>& copies) {
    std::map<std::string, std::set<std::string>> held;
    for (const CopyRecord& copy : copies) {
        if (is_stored(copy)) held[copy.destination_id].insert(copy.artifact);
    }
    std::set<std::string> out;
    for (const auto& item : held) {
        const std::set<std::string>& names = item.second;
        if (std::all_of(plan.artifacts.begin(), plan.artifacts.end(),
                        [&names](const std::string& name) { return names.contains(name); })) {
            out.insert(item.first);
        }
    }
    return out;
}

void add_once(std::vector<std::string>& ids, const std::string& id) {
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
}

Result<> clear_copies(sql::Database& db, std::string_view backup_id) {
    TRY(db.run("DELETE FROM copies WHERE backup_id = $1", {backup_id}));
    return {};
}

Result<> append_events(sql::Database& db, std::string_view operation_id, const std::vector<ProgressEvent>& events) {
    if (events.empty()) return {};
    constexpr std::size_t kAtOnce = 20;  // each number of rows is a statement of its own to prepare
    for (std::size_t at = 0; at < events.size(); at += kAtOnce) {
        std::string sql = "INSERT INTO progress_events (operation_id, event_id, payload) VALUES ";
        std::vector<sql::Value> values = {operation_id};
        for (std::size_t i = at; i < std::min(at + kAtOnce, events.size()); ++i) {
            const std::size_t used = values.size();
            fmt::format_to(std::back_inserter(sql), "{}($1, ${}, ${})", i == at ? "" : ", ", used + 1, used + 2);
            values.emplace_back(events[i].id);
            values.emplace_back(events[i].payload);
        }
        TRY(db.run(sql, values));
    }
    const std::int64_t forgotten = events.back().id - kEventsKept;
    if (forgotten < 1) return {};
    TRY(db.run("DELETE FROM progress_events WHERE operation_id = $1 AND event_id <= $2", {operation_id, forgotten}));
    return {};
}

Result<std::vector<ProgressEvent>> events_after(sql::Database& db, std::string_view operation_id, std::int64_t after) {
    auto rows = TRY(db.query(
        "SELECT event_id, payload FROM progress_events WHERE operation_id = $1 AND event_id > $2 ORDER BY event_id",
        {operation_id, after}));
    std::vector<ProgressEvent> events;
    while (TRY(rows.step())) events.push_back({rows.integer(0), rows.text(1)});
    return events;
}

}  // namespace backstay::operations
