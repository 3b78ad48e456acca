#include "control-plane/alerts/repository.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "common/ids.h"
#include "common/text.h"
#include "control-plane/alerts/deliveries.h"
#include "control-plane/store/rows.h"

namespace backstay::alerts {
namespace {

using store::all_rows;
using store::count_of;
using store::first_row;

constexpr std::size_t kTitleMost = 200;
constexpr std::size_t kMessageMost = 2000;

constexpr std::string_view kColumns =
    "id, organization_id, project_id, environment_id, type, subject, severity, title, message, url, reason, backup_id, "
    "snapshot_id, restore_log_id, destination_id, agent_id, occurrences, first_occurred_at, last_occurred_at, "
    "resolved_at, read_at, read_by, dismissed_at, dismissed_by, created_at";

std::string select(std::string_view where) { return fmt::format("SELECT {} FROM alerts WHERE {}", kColumns, where); }

Alert read(const sql::Statement& row) {
    Alert out;
    out.id = row.text(0);
    out.organization_id = row.text(1);
    out.about.project_id = row.optional_text(2);
    out.about.environment_id = row.optional_text(3);
    out.type = row.text(4);
    out.subject = row.text(5);
    out.severity = severity_from(row.text(6)).value_or(Severity::warning);
    out.title = row.text(7);
    out.message = row.text(8);
    out.url = row.optional_text(9);
    out.reason = row.text(10);
    out.about.backup_id = row.optional_text(11);
    out.about.snapshot_id = row.optional_text(12);
    out.about.restore_log_id = row.optional_text(13);
    out.about.destination_id = row.optional_text(14);
    out.about.agent_id = row.optional_text(15);
    out.occurrences = row.integer(16);
    out.first_occurred_at = row.integer(17);
    out.last_occurred_at = row.integer(18);
    out.resolved_at = row.optional_integer(19);
    out.read_at = row.optional_integer(20);
    out.read_by = row.optional_text(21);
    out.dismissed_at = row.optional_integer(22);
    out.dismissed_by = row.optional_text(23);
    out.created_at = row.integer(24);
    return out;
}

struct AlertPage {
    std::vector<Alert> rows;
    std::int64_t total = 0;
};

// Where the thing stands in the API.
std::optional<std::string> url_of(const Finding& finding) {
    const About& about = finding.about;
    const bool rollback = finding.type == type::kRollbackFailed || finding.type == type::kRollbackCompleted;
    if (about.restore_log_id) {
        return rollback ? "/api/operations/rollback/" + *about.restore_log_id
                        : "/api/restores/" + *about.restore_log_id;
    }
    if (about.snapshot_id && about.environment_id) {
        return fmt::format("/api/environments/{}/snapshots/{}", *about.environment_id, *about.snapshot_id);
    }
    if (about.backup_id) return "/api/backups/" + *about.backup_id;
    if (about.destination_id) return "/api/backup-destinations/" + *about.destination_id;
    if (about.agent_id) return "/api/agents/" + *about.agent_id;
    if (about.environment_id) return "/api/environments/" + *about.environment_id;
    return std::nullopt;
}

}  // namespace

Result<> Alerts::insert(std::string_view organization, const Finding& finding, TimeMs now) {
    const std::string sql = fmt::format(
        "INSERT INTO alerts ({}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 1, "
        "$17, "
        "$17, NULL, NULL, NULL, NULL, NULL, $17)",
        kColumns);
    const About& about = finding.about;
    TRY(db_.run(sql, {new_ordered_uuid(), organization, about.project_id, about.environment_id, finding.type,
                      finding.subject, to_string(finding.severity), cut_utf8(finding.title, kTitleMost),
                      cut_utf8(finding.message, kMessageMost), url_of(finding), finding.reason, about.backup_id,
                      about.snapshot_id, about.restore_log_id, about.destination_id, about.agent_id, now}));
    return {};
}

Result<> Alerts::renew(const Alert& open, const Finding& finding, TimeMs now) {
    static constexpr std::string_view kSql =
        "UPDATE alerts SET severity = $2, title = $3, message = $4, url = $5, reason = $6, project_id = $7, "
        "environment_id = $8, backup_id = $9, snapshot_id = $10, restore_log_id = $11, destination_id = $12, "
        "agent_id = $13, occurrences = occurrences + $14, last_occurred_at = $15, read_at = NULL, read_by = NULL, "
        "dismissed_at = NULL, dismissed_by = NULL WHERE id = $1";
    const About& about = finding.about;
    TRY(db_.run(kSql, {open.id, to_string(finding.severity), cut_utf8(finding.title, kTitleMost),
                       cut_utf8(finding.message, kMessageMost), url_of(finding), finding.reason, about.project_id,
                       about.environment_id, about.backup_id, about.snapshot_id, about.restore_log_id,
                       about.destination_id, about.agent_id, finding.is_event ? 1 : 0, now}));
    return {};
}

store::Found<Alert> Alerts::open_one(std::string_view organization, std::string_view type, std::string_view subject) {
    return first_row(db_.query(select("organization_id = $1 AND type = $2 AND subject = $3 AND resolved_at IS NULL"),
                               {organization, type, subject}),
                     read);
}

store::Found<Alert> Alerts::lately_over(std::string_view organization, const Finding& finding, TimeMs now) {
    if (finding.is_event) return std::optional<Alert>();
    return first_row(
        db_.query(select("organization_id = $1 AND type = $2 AND subject = $3 AND resolved_at > $4 ORDER BY "
                         "resolved_at DESC LIMIT 1"),
                  {organization, finding.type, finding.subject, now - kReopenMs}),
        read);
}

Result<std::optional<Change>> Alerts::raise(std::string_view organization, const Finding& finding, TimeMs now) {
    const auto open = TRY(open_one(organization, finding.type, finding.subject));
    std::optional<Change> change = Change::raised;
    if (open) {
        change.reset();
        if (finding.severity > open->severity) change = Change::worsened;
        if (finding.is_event) change = Change::repeated;
        if (!change) return change;
        TRY(renew(*open, finding, now));
    } else if (const auto over = TRY(lately_over(organization, finding, now))) {
        TRY(db_.run("UPDATE alerts SET resolved_at = NULL, occurrences = occurrences + 1 WHERE id = $1", {over->id}));
        TRY(renew(*over, finding, now));
        change = Change::repeated;
    } else {
        TRY(insert(organization, finding, now));
    }
    const auto alert = TRY(open_one(organization, finding.type, finding.subject));
    if (alert) TRY(Deliveries(db_).tell(*alert, *change, now));
    return change;
}

Result<> Alerts::close(const Alert& open, TimeMs now) {
    TRY(db_.run("UPDATE alerts SET resolved_at = $2 WHERE id = $1", {open.id, now}));
    Alert resolved = open;
    resolved.resolved_at = now;
    return Deliveries(db_).tell(resolved, Change::resolved, now);
}

Result<> Alerts::resolve(std::string_view organization, const Relief& relief, TimeMs now) {
    const auto open = TRY(open_one(organization, relief.type, relief.subject));
    if (!open || (relief.backup_id && open->about.backup_id != relief.backup_id)) return {};
    return close(*open, now);
}

Result<> Alerts::apply(std::string_view organization, const Judgement& judgement, TimeMs now) {
    for (const Relief& relief : judgement.over) TRY(resolve(organization, relief, now));
    for (const Finding& finding : judgement.found) TRY(raise(organization, finding, now));
    return {};
}

Result<> Alerts::settle(std::string_view organization, std::string_view agent_id,
                        const std::vector<std::string_view>& types, const std::vector<Finding>& found, TimeMs now) {
    std::set<std::pair<std::string, std::string>> holds;
    for (const Finding& finding : found) {
        holds.emplace(finding.type, finding.subject);
        TRY(raise(organization, finding, now));
    }
    const auto open = TRY(
        all_rows(db_.query(select("agent_id = $1 AND resolved_at IS NULL ORDER BY created_at, id"), {agent_id}), read));
    for (const Alert& alert : open) {
        const bool judged = std::find(types.begin(), types.end(), alert.type) != types.end();
        if (judged && !holds.contains({alert.type, alert.subject})) TRY(close(alert, now));
    }
    return {};
}

Result<> Alerts::settle_all(std::string_view type, const std::vector<std::pair<std::string, Finding>>& found,
                            TimeMs now) {
    std::set<std::pair<std::string, std::string>> holds;
    for (const auto& [organization, finding] : found) {
        holds.emplace(organization, finding.subject);
        TRY(raise(organization, finding, now));
    }
    const auto open = TRY(all_rows(db_.query(select("type = $1 AND resolved_at IS NULL"), {type}), read));
    for (const Alert& alert : open) {
        if (!holds.contains({alert.organization_id, alert.subject})) TRY(close(alert, now));
    }
    return {};
}

Result<> Alerts::resolve_orphans(TimeMs now) {
    const auto orphans = TRY(all_rows(
        db_.query(select("resolved_at IS NULL AND (environment_id IN (SELECT id FROM environments WHERE deleted_at IS "
                         "NOT NULL) OR agent_id IN (SELECT id FROM agents WHERE deleted_at IS NOT NULL) OR "
                         "destination_id IN (SELECT id FROM destinations WHERE deleted_at IS NOT NULL)) LIMIT 100")),
        read));
    for (const Alert& alert : orphans) TRY(close(alert, now));
    return {};
}

Result<bool> Alerts::was_raised(std::string_view organization, std::string_view type, std::string_view subject) {
    const auto rows =
        TRY(count_of(db_.query("SELECT COUNT(*) FROM alerts WHERE organization_id = $1 AND type = $2 AND subject = $3",
                               {organization, type, subject})));
    return rows > 0;
}

Result<store::Listing<Alert>> Alerts::list(const AlertFilter& filter) {
    const auto narrowed = [&filter](store::Where where) {
        return where.is("organization_id", filter.organization_id).is("project_id", store::given(filter.project_id));
    };
    const bool all = filter.include_dismissed;
    AlertPage page = TRY(store::counted_page<AlertPage>(
        db_,
        {"alerts", kColumns, narrowed(store::Where(all ? "true" : "dismissed_at IS NULL")), "alert_counts",
         narrowed(store::Where(all ? "true" : "is_dismissed = 0")), filter.page.limit, filter.page.offset},
        read));
    return store::Listing<Alert>{std::move(page.rows), page.total};
}

store::Found<Alert> Alerts::find(std::string_view organization, std::string_view id) {
    return first_row(db_.query(select("organization_id = $1 AND id = $2"), {organization, id}), read);
}

Result<Counts> Alerts::count(std::string_view organization, std::string_view project) {
    const auto there = [&](std::string_view condition) {
        store::Where where(condition);
        return where.is("organization_id", organization).is("project_id", store::given(project));
    };
    Counts counts;
    counts.undismissed = TRY(store::counted(db_, "alert_counts", there("is_dismissed = 0")));
    counts.unread = TRY(store::counted(db_, "alert_counts", there("is_dismissed = 0 AND is_read = 0")));
    return counts;
}

Result<> Alerts::mark_read(std::string_view organization, std::string_view id, std::string_view by, TimeMs now) {
    TRY(db_.run(
        "UPDATE alerts SET read_at = $3, read_by = $4 WHERE organization_id = $1 AND id = $2 AND read_at IS NULL",
        {organization, id, now, by}));
    return {};
}

Result<> Alerts::dismiss(std::string_view organization, std::string_view id, std::string_view by, TimeMs now) {
    TRY(mark_read(organization, id, by, now));
    TRY(
        db_.run("UPDATE alerts SET dismissed_at = $3, dismissed_by = $4 WHERE organization_id = $1 AND id = $2 AND "
                "dismissed_at IS NULL",
                {organization, id, now, by}));
    return {};
}

}  // namespace backstay::alerts
