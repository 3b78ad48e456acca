#include "control-plane/store/audit.h"

#include "control-plane/store/rows.h"

namespace backstay::store {
namespace {

constexpr TimeMs kHourMs = 3'600'000;

// Behind "object_id = $2".
constexpr std::string_view kOfProject =
    " OR object_id IN (SELECT id FROM environments WHERE project_id = $2) OR "
    "object_id IN (SELECT id FROM backups WHERE project_id = $2) OR "
    "object_id IN (SELECT id FROM snapshots WHERE project_id = $2) OR "
    "object_id IN (SELECT id FROM api_keys WHERE project_id = $2) OR "
    "object_id IN (SELECT id FROM operations WHERE environment_id IN "
    "(SELECT id FROM environments WHERE project_id = $2)))";

// Whether the filter asks for more than the organization and the action, by which rows are counted.
bool asks_more(const AuditFilter& filter) {
    return !filter.project_id.empty() || !filter.actor.empty() || !filter.object_id.empty() || filter.since > 0 ||
           filter.until;
}

struct Action {
    std::string name;
    std::int64_t number = 0;
};

// Those of the organization that the filter names: one, or a group.
Result<std::vector<Action>> actions_of(sql::Database& db, const AuditFilter& filter) {
    return all_rows(db.query("SELECT action, number FROM audit_counts WHERE organization_id = $1 AND ($2 = '' OR "
                             "action = $2 OR substr(action, 1, length($2) + 1) = $2 || '.')",
                             {filter.organization_id, filter.action}),
                    [](const sql::Statement& row) {
                        return Action{row.text(0), row.integer(1)};
                    });
}

AuditEntry entry_of(const sql::Statement& row) {
    AuditEntry entry;
    entry.id = row.integer(0);
    entry.organization_id = row.text(1);
    entry.at = row.integer(2);
    entry.actor = row.text(3);
    entry.actor_id = row.text(4);
    entry.action = row.text(5);
    entry.object_id = row.text(6);
    entry.detail = row.text(7);
    entry.request_id = row.text(8);
    entry.request = row.text(9);
    entry.peer = row.text(10);
    entry.status = row.optional_integer(11);
    return entry;
}

// What the list consists of, each part a walk along one index: everything, or one part for each action.
std::vector<Where> parts_of(const AuditFilter& filter, const std::vector<Action>& actions) {
    const sql::Value until = filter.until ? sql::Value(*filter.until) : sql::Value(nullptr);
    const sql::Value since = filter.since > 0 ? sql::Value(filter.since) : sql::Value(nullptr);
    const auto part = [&](Where where, const sql::Value& action) {
        return where.is("organization_id", filter.organization_id)
            .holds("(object_id = $", given(filter.project_id), kOfProject)
            .is("object_id", given(filter.object_id))
            .is("actor", given(filter.actor))
            .is("action", action)
            .holds("at >= $", since, "")
            .holds("at < $", until, "");
    };
    std::vector<Where> parts;
    if (filter.action.empty()) parts.push_back(part(Where("true"), nullptr));
    for (const Action& action : actions) {
        if (filter.action.empty() || action.number == 0) continue;
        parts.push_back(part(parts.empty() ? Where("true") : Where("true", parts.back()), action.name));
    }
    return parts;
}

Result<std::int64_t> total_of(sql::Database& db, const AuditFilter& filter, const std::vector<Action>& actions,
                              const std::vector<Where>& parts) {
    std::int64_t total = 0;
    if (!asks_more(filter)) {
        for (const Action& action : actions) total += action.number;
        return total;
    }
    std::string sums;
    for (const Where& part : parts) {
        sums.append(sums.empty() ? "SELECT " : " + ").append("(SELECT COUNT(*) FROM audit " + part.text() + ")");
    }
    return parts.empty() ? total : count_of(db.query(sums, parts.back().values()));
}

// The newest of each part, and of those the page: no more rows are read than the page has.
Result<std::vector<AuditEntry>> page_of(sql::Database& db, const std::vector<Where>& parts, const Page& page) {
    std::vector<sql::Value> values = parts.back().values();
    const std::string first = std::to_string(values.size() + 1);
    values.insert(values.end(), {page.limit, page.offset, page.limit + page.offset});
    const std::string second = std::to_string(values.size() - 1);
    const std::string last = std::to_string(values.size());
    std::string newest;
    for (const Where& part : parts) {
        newest.append(newest.empty() ? "" : " UNION ALL ")
            .append("SELECT id FROM (SELECT id FROM audit " + part.text() + " ORDER BY id DESC LIMIT $" + last +
                    ") AS part");
    }
    return all_rows(db.query("SELECT id, organization_id, at, actor, actor_id, action, object_id, detail, request_id, "
                             "request, peer, status FROM audit WHERE id IN (SELECT id FROM (" +
                                 newest + ") AS parts ORDER BY id DESC LIMIT $" + first + " OFFSET $" + second +
                                 ") ORDER BY id DESC",
                             values),
                    entry_of);
}

}  // namespace

std::string peer_address(const std::string& peer) {
    return peer.starts_with("unix:") ? peer : peer.substr(0, peer.rfind(':'));
}

Result<> Audit::add(const AuditEntry& entry) {
    TRY(
        db_.run("INSERT INTO audit (organization_id, at, actor, actor_id, action, object_id, detail, request_id, "
                "request, peer, status) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                {entry.organization_id, entry.at, entry.actor, entry.actor_id, entry.action, entry.object_id,
                 entry.detail, entry.request_id, entry.request, entry.peer, entry.status}));
    return {};
}

Result<> Audit::add_hourly(const AuditEntry& entry) {
    const auto before = TRY(count_of(
        db_.query("SELECT EXISTS (SELECT 1 FROM audit WHERE organization_id = $1 AND actor = $2 AND action = $3 AND at "
                  "> $4 AND object_id = $5 AND detail = $6 AND peer = $7 AND request = $8)",
                  {entry.organization_id, entry.actor, entry.action, entry.at - kHourMs, entry.object_id, entry.detail,
                   entry.peer, entry.request})));
    return before == 0 ? add(entry) : Result<>();
}

Result<> Audit::add_refusal(const AuditEntry& entry) {
    const auto before = TRY(count_of(
        db_.query("SELECT COUNT(*) FROM audit WHERE organization_id = $1 AND actor = $2 AND action = $3 AND at > $4",
                  {entry.organization_id, entry.actor, entry.action, entry.at - kHourMs})));
    return before < kMostRefusals ? add_hourly(entry) : Result<>();
}

Result<Listing<AuditEntry>> Audit::list(const AuditFilter& filter, const Page& page) {
    const auto actions = TRY(actions_of(db_, filter));
    const auto parts = parts_of(filter, actions);
    Listing<AuditEntry> listing;
    listing.total = TRY(total_of(db_, filter, actions, parts));
    if (page.offset < listing.total) listing.items = TRY(page_of(db_, parts, page));
    return listing;
}

Result<std::int64_t> Audit::last() { return count_of(db_.query("SELECT COALESCE(MAX(id), 0) FROM audit")); }

Result<bool> Audit::has_since(std::int64_t after, std::string_view request_id) {
    return TRY(count_of(db_.query("SELECT EXISTS (SELECT 1 FROM audit WHERE id > $1 AND request_id = $2)",
                                  {after, request_id}))) != 0;
}

Result<std::int64_t> Audit::forget(TimeMs before, std::int64_t most) {
    TRY(db_.run("UPDATE audit_forgetting SET before = $1", {before}));
    return db_.run("DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 LIMIT $2)", {before, most});
}

}  // namespace backstay::store
