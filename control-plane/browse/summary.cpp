#include "control-plane/browse/summary.h"

#include <map>

#include "control-plane/browse/scan_rows.h"
#include "control-plane/store/destinations.h"
#include "control-plane/store/rows.h"

namespace backstay::browse {
namespace {

std::int64_t number_in(const json::Object& object, std::string_view name) {
    const json::Value* value = object.if_contains(name);
    if (value == nullptr) return 0;
    if (value->is_int64()) return value->get_int64();
    return value->is_uint64() ? static_cast<std::int64_t>(value->get_uint64()) : 0;
}

bool is_of(const json::Object& environment, const std::string& project) {
    const json::Value* id = environment.if_contains("projectId");
    return id != nullptr && id->is_string() && id->get_string() == project;
}

struct Stored {
    std::int64_t files = 0;
    std::int64_t bytes = 0;
    std::int64_t wal = 0;
    std::int64_t orphans = 0;
};

// Adds what the scan found of the project; answers this destination's share.
Stored add_scan(const json::Value& analytics, const std::string& project, Stored& all,
                std::map<std::string, std::int64_t>& by_environment) {
    Stored here;
    const json::Value* list = analytics.is_object() ? analytics.get_object().if_contains("byEnvironment") : nullptr;
    if (list == nullptr || !list->is_array()) return here;
    for (const json::Value& item : list->get_array()) {
        if (!item.is_object() || !is_of(item.get_object(), project)) continue;
        const json::Object& one = item.get_object();
        here.files += number_in(one, "files");
        here.bytes += number_in(one, "sizeBytes");
        all.wal += number_in(one, "walSizeBytes");
        all.orphans += number_in(one, "orphanSizeBytes");
        by_environment[std::string(one.at("environmentId").as_string())] += number_in(one, "sizeBytes");
    }
    all.files += here.files;
    all.bytes += here.bytes;
    return here;
}

Result<std::int64_t> count(sql::Database& db, const std::string& table, const std::string& column,
                           const std::string& id) {
    return store::count_of(
        db.query("SELECT count(*) FROM " + table + " WHERE " + column + " = $1 AND deleted_at IS NULL", {id}));
}

Result<json::Array> environments_of(sql::Database& db, const std::string& project,
                                    const std::map<std::string, std::int64_t>& bytes) {
    json::Array out;
    for (const auto& [id, name] : TRY(store::all_rows(
             db.query("SELECT id, name FROM environments WHERE project_id = $1 AND deleted_at IS NULL ORDER BY name",
                      {project}),
             [](const sql::Statement& row) { return std::pair(row.text(0), row.text(1)); }))) {
        const auto stored = bytes.find(id);
        const std::int64_t backups = TRY(count(db, "backups", "environment_id", id));
        const std::int64_t snapshots = TRY(count(db, "snapshots", "environment_id", id));
        out.push_back(json::Object{{"environmentId", id},
                                   {"name", name},
                                   {"sizeBytes", stored == bytes.end() ? 0 : stored->second},
                                   {"backups", backups},
                                   {"snapshots", snapshots}});
    }
    return out;
}

}  // namespace

Result<json::Value> project_summary(sql::Database& db, const store::Project& project) {
    Stored all;
    std::map<std::string, std::int64_t> by_environment;
    json::Array destinations;
    const auto used = TRY(store::Destinations(db).list(project.organization_id, {1000, 0}, project.id));
    for (const store::DestinationRow& row : used.items) {
        const json::Value analytics = TRY(latest_analytics(db, row.id));
        const Stored here = add_scan(analytics, project.id, all, by_environment);
        destinations.push_back(json::Object{
            {"destinationId", row.id},
            {"name", row.name},
            {"type", row.type},
            {"sizeBytes", here.bytes},
            {"files", here.files},
            {"scannedAt", analytics.is_object() ? analytics.get_object().at("scannedAt") : json::Value()}});
    }
    json::Object out;
    out["projectId"] = project.id;
    out["totalSizeBytes"] = all.bytes;
    out["totalFiles"] = all.files;
    out["backupCount"] = TRY(count(db, "backups", "project_id", project.id));
    out["snapshotCount"] = TRY(count(db, "snapshots", "project_id", project.id));
    out["walSizeBytes"] = all.wal;
    out["orphanSizeBytes"] = all.orphans;
    out["destinations"] = std::move(destinations);
    out["environments"] = TRY(environments_of(db, project.id, by_environment));
    return json::Value(std::move(out));
}

}  // namespace backstay::browse
