#include "agent/state/snapshots.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "agent/state/jobs.h"
#include "common/json/json.h"
#include "common/sqlite/transaction.h"

namespace backstay {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
// The number of a piece that says that there are none.
constexpr std::int64_t kNamesUnknown = -1;
constexpr std::string_view kColumns =
    "snapshot_id, environment, folder, status, created_at, completed_at, cluster, database, trigger_name, label, "
    "origin, "
    "mode, base_id, size_bytes, database_bytes, environment_json, destinations_json";

Result<SnapshotRow> row_of(sqlite::Statement& row) {
    SnapshotRow snapshot;
    snapshot.snapshot_id = row.text(0);
    snapshot.environment = row.text(1);
    snapshot.folder = row.text(2);
    snapshot.status = row.text(3);
    snapshot.created_at = {row.integer(4)};
    if (const auto completed = row.optional_integer(5)) snapshot.completed_at = Timestamp{*completed};
    snapshot.cluster = row.text(6);
    snapshot.database = row.text(7);
    snapshot.trigger = row.text(8);
    snapshot.label = row.optional_text(9);
    snapshot.origin = row.text(10);
    snapshot.mode = row.text(11);
    snapshot.base_id = row.optional_text(12);
    snapshot.size_bytes = static_cast<std::uint64_t>(row.integer(13));
    snapshot.database_bytes = static_cast<std::uint64_t>(row.integer(14));
    snapshot.environment_order = TRY(json::decode_text<EnvironmentOrder>(row.text(15), json::kLenient));
    snapshot.destination_ids = TRY(json::decode_text<std::vector<std::string>>(row.text(16)));
    return snapshot;
}

Result<std::vector<SnapshotRow>> rows_of(sqlite::Statement statement) {
    std::vector<SnapshotRow> snapshots;
    while (TRY(statement.step())) snapshots.push_back(TRY(row_of(statement)));
    return snapshots;
}

Result<std::optional<SnapshotRow>> first_of(Result<std::vector<SnapshotRow>> rows) {
    std::vector<SnapshotRow> found = TRY(std::move(rows));
    if (found.empty()) return std::optional<SnapshotRow>();
    return std::optional<SnapshotRow>(std::move(found.front()));
}

// Rollbacks that wait or run, to that one or with it as their safety snapshot.
std::string rollbacks_using(std::string_view snapshot) {
    return fmt::format(
        "SELECT operation_id FROM jobs WHERE state IN ('queued', 'running') AND kind = 'rollback' AND {} IN "
        "(json_extract(order_json, '$.snapshotId'), json_extract(order_json, '$.safetySnapshot.snapshotId'))",
        snapshot);
}

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

Result<> store_piece(sqlite::Database& database, const std::string& id, std::int64_t number, std::string_view lines) {
    const auto* bytes = reinterpret_cast<const std::byte*>(lines.data());
    const sqlite::Blob piece(bytes, bytes + lines.size());
    TRY(database.run("INSERT INTO snapshot_names (snapshot_id, number, names) VALUES ($1, $2, $3)",
                     {id, number, piece}));
    return {};
}

// Whole lines to a piece.
Result<> store_names(sqlite::Database& database, const std::string& id, const std::string& path) {
    const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "re"));
    if (!file) return Error::from_errno(errno, "open " + path);
    std::string held;
    std::vector<char> buffer(kPieceBytes);
    std::int64_t number = 0;
    while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file.get())) {
        held.append(buffer.data(), count);
        const std::size_t end = held.rfind('\n');
        if (end == std::string::npos) continue;
        TRY(store_piece(database, id, number++, std::string_view(held).substr(0, end + 1)));
        held.erase(0, end + 1);
    }
    if (std::ferror(file.get()) != 0) return Error::from_errno(errno, "read " + path);
    return {};
}

}  // namespace

Result<> SnapshotRepository::begin(const SnapshotRow& row) {
    auto transaction = TRY(sqlite::Transaction::begin(database_));
    const auto others = TRY(dependents(row.snapshot_id));
    if (!others.empty()) {
        return Error(Errc::conflict, fmt::format("snapshot {} is here already, and others build on it: {}",
                                                 row.snapshot_id, fmt::join(others, ", ")));
    }
    TRY(database_.run("DELETE FROM snapshots WHERE snapshot_id = $1", {row.snapshot_id}));
    const std::string environment = json::encode_text(row.environment_order);
    TRY(database_.run(
        "INSERT INTO snapshots (snapshot_id, environment, folder, status, created_at, cluster, database, trigger_name, "
        "label, origin, mode, size_bytes, database_bytes, environment_json, destinations_json) "
        "VALUES ($1, $2, $3, 'running', $4, $5, $6, $7, $8, $9, '', 0, 0, $10, '[]')",
        {row.snapshot_id, row.environment, row.folder, row.created_at.ms, row.cluster, row.database, row.trigger,
         row.label, row.origin, environment}));
    return transaction.commit();
}

Result<> SnapshotRepository::lean_on(const std::string& snapshot_id, const std::string& base_id) {
    const auto changed = TRY(database_.run(
        "UPDATE snapshots SET base_id = $2 WHERE snapshot_id = $1 AND EXISTS (SELECT 1 FROM snapshots AS base "
        "WHERE base.snapshot_id = $2 AND base.status IN ('completed', 'partial') AND base.mode = 'full')",
        {snapshot_id, base_id}));
    if (changed == 1) return {};
    return Error(Errc::not_found, fmt::format("snapshot {} is going or gone", base_id));
}

Result<> SnapshotRepository::complete(const SnapshotRow& row, const std::string& names_file) {
    auto transaction = TRY(sqlite::Transaction::begin(database_));
    TRY(database_.run("DELETE FROM snapshot_names WHERE snapshot_id = $1", {row.snapshot_id}));
    if (!names_file.empty()) TRY(store_names(database_, row.snapshot_id, names_file));
    const auto changed = TRY(database_.run(
        "UPDATE snapshots SET status = 'completed', completed_at = $2, mode = $3, size_bytes = $4, database_bytes = $5 "
        "WHERE snapshot_id = $1",
        {row.snapshot_id, row.completed_at ? row.completed_at->ms : 0, row.mode, row.size_bytes, row.database_bytes}));
    if (changed != 1) return Error(Errc::not_found, fmt::format("snapshot {} was not begun", row.snapshot_id));
    return transaction.commit();
}

Result<> SnapshotRepository::set_status(const std::string& snapshot_id, const std::string& status) {
    TRY(database_.run("UPDATE snapshots SET status = $2 WHERE snapshot_id = $1", {snapshot_id, status}));
    return {};
}

Result<> SnapshotRepository::set_destinations(const std::string& snapshot_id, const std::vector<std::string>& ids) {
    const std::string text = json::encode_text(ids);
    TRY(database_.run("UPDATE snapshots SET destinations_json = $2 WHERE snapshot_id = $1", {snapshot_id, text}));
    return {};
}

Result<> SnapshotRepository::add_destinations(const std::string& snapshot_id, const std::vector<std::string>& ids) {
    auto transaction = TRY(sqlite::Transaction::begin(database_));
    const auto row = TRY(find(snapshot_id));
    if (!row) return transaction.commit();
    std::vector<std::string> all = row->destination_ids;
    for (const std::string& id : ids) {
        if (std::find(all.begin(), all.end(), id) == all.end()) all.push_back(id);
    }
    TRY(set_destinations(snapshot_id, all));
    return transaction.commit();
}

Result<> SnapshotRepository::begin_deletion(const std::string& snapshot_id) {
    auto transaction = TRY(sqlite::Transaction::begin(database_));
    if (const auto rollback = TRY(rollback_using(snapshot_id))) {
        return Error(Errc::conflict, fmt::format("rollback {} works with snapshot {}", *rollback, snapshot_id))
            .with_hint("wait for its end");
    }
    const auto others = TRY(dependents(snapshot_id));
    if (!others.empty()) {
        return Error(Errc::conflict, fmt::format("snapshot {} is the base of {}", snapshot_id, fmt::join(others, ", ")))
            .with_hint("remove those first");
    }
    TRY(database_.run("UPDATE snapshots SET status = 'deleting' WHERE snapshot_id = $1", {snapshot_id}));
    return transaction.commit();
}

Result<> SnapshotRepository::remove(const std::string& snapshot_id) {
    TRY(database_.run("DELETE FROM snapshots WHERE snapshot_id = $1", {snapshot_id}));
    return {};
}

Result<> SnapshotRepository::adopt(const SnapshotRow& row) {
    auto transaction = TRY(sqlite::Transaction::begin(database_));
    const std::string environment = json::encode_text(row.environment_order);
    const std::string destinations = json::encode_text(row.destination_ids);
    const auto made = TRY(database_.run(
        fmt::format("INSERT INTO snapshots ({}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, "
                    "$15, $16, $17) ON CONFLICT (snapshot_id) DO NOTHING",
                    kColumns),
        {row.snapshot_id, row.environment, row.folder, row.status, row.created_at.ms,
         row.completed_at ? std::optional(row.completed_at->ms) : std::nullopt, row.cluster, row.database, row.trigger,
         row.label, row.origin, row.mode, row.base_id, row.size_bytes, row.database_bytes, environment, destinations}));
    if (made == 1) {
        TRY(database_.run("INSERT INTO snapshot_names (snapshot_id, number, names) VALUES ($1, $2, $3)",
                          {row.snapshot_id, kNamesUnknown, sqlite::Blob()}));
    }
    return transaction.commit();
}

Result<std::optional<SnapshotRow>> SnapshotRepository::find(const std::string& snapshot_id) {
    return first_of(rows_of(
        TRY(database_.query(fmt::format("SELECT {} FROM snapshots WHERE snapshot_id = $1", kColumns), {snapshot_id}))));
}

Result<SnapshotRow> SnapshotRepository::look_up(const std::string& text) {
    auto found = TRY(rows_of(TRY(database_.query(
        fmt::format("SELECT {} FROM snapshots WHERE substr(snapshot_id, 1, length($1)) = $1 AND status <> 'running' "
                    "LIMIT 2",
                    kColumns),
        {text}))));
    if (found.empty() || text.empty()) return Error(Errc::not_found, fmt::format("there is no snapshot \"{}\"", text));
    if (found.size() > 1) return Error(Errc::conflict, fmt::format("several snapshots begin with \"{}\"", text));
    return std::move(found.front());
}

Result<std::vector<SnapshotRow>> SnapshotRepository::newest(const std::string& database, std::size_t limit) {
    return rows_of(TRY(
        database_.query(fmt::format("SELECT {} FROM snapshots WHERE ($1 = '' OR database = $1) AND status <> 'running' "
                                    "ORDER BY created_at DESC LIMIT $2",
                                    kColumns),
                        {database, limit})));
}

Result<std::optional<SnapshotRow>> SnapshotRepository::newest_full(const std::string& environment) {
    return first_of(
        rows_of(TRY(database_.query(fmt::format("SELECT {} FROM snapshots WHERE environment = $1 AND mode = 'full' "
                                                "AND status IN ('completed', 'partial') AND NOT EXISTS (SELECT 1 FROM "
                                                "snapshot_names AS piece WHERE piece.snapshot_id = "
                                                "snapshots.snapshot_id AND piece.number = $2) "
                                                "ORDER BY rowid DESC LIMIT 1",
                                                kColumns),
                                    {environment, kNamesUnknown}))));
}

Result<std::vector<SnapshotRow>> SnapshotRepository::of_status(const std::string& status) {
    return rows_of(TRY(database_.query(fmt::format("SELECT {} FROM snapshots WHERE status = $1", kColumns), {status})));
}

Result<std::vector<SnapshotRow>> SnapshotRepository::expired(TimeMs completed_before) {
    return rows_of(TRY(database_.query(
        fmt::format(
            "SELECT {} FROM snapshots AS one WHERE completed_at < $1 AND status <> 'running' AND origin = $2 AND "
            "NOT EXISTS (SELECT 1 FROM snapshots AS other WHERE other.base_id = one.snapshot_id) AND "
            "NOT EXISTS ({})",
            kColumns, rollbacks_using("one.snapshot_id")),
        {completed_before, kOriginSocket})));
}

Result<std::optional<std::string>> SnapshotRepository::rollback_using(const std::string& snapshot_id) {
    auto row = TRY(database_.query(rollbacks_using("$1"), {snapshot_id}));
    if (!TRY(row.step())) return std::optional<std::string>();
    return std::optional<std::string>(row.text(0));
}

Result<std::vector<std::string>> SnapshotRepository::dependents(const std::string& snapshot_id) {
    std::vector<std::string> ids;
    auto rows = TRY(database_.query("SELECT snapshot_id FROM snapshots WHERE base_id = $1 ORDER BY 1", {snapshot_id}));
    while (TRY(rows.step())) ids.push_back(rows.text(0));
    return ids;
}

Result<std::optional<std::string>> SnapshotRepository::names(const std::string& snapshot_id, std::int64_t number) {
    auto row = TRY(database_.query("SELECT names FROM snapshot_names WHERE snapshot_id = $1 AND number = $2",
                                   {snapshot_id, number}));
    if (!TRY(row.step())) return std::optional<std::string>();
    const sqlite::Blob piece = row.blob(0);
    return std::optional<std::string>(std::string(reinterpret_cast<const char*>(piece.data()), piece.size()));
}

}  // namespace backstay
