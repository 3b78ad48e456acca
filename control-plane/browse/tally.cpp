#include "control-plane/browse/tally.h"

#include <algorithm>

namespace backstay::browse {
namespace {

constexpr std::size_t kShown = 100;
constexpr std::size_t kMostEnvironments = 10'000;
constexpr TimeMs kDayMs = 86'400'000;

json::Value time_or_null(const std::optional<TimeMs>& at) { return at ? json::Value(to_rfc3339(*at)) : json::Value(); }

json::Value text_or_null(const std::string& text) { return text.empty() ? json::Value() : json::Value(text); }

}  // namespace

Tally::Environment* Tally::environment_of(const Joined& joined) {
    if (!joined.ours || !joined.environment_id) return nullptr;
    const auto found = environments_.find(*joined.environment_id);
    if (found != environments_.end()) return &found->second;
    if (environments_.size() >= kMostEnvironments) return nullptr;
    Environment& made = environments_[*joined.environment_id];
    made.project_id = joined.of.project_id;
    return &made;
}

void Tally::add(const ObjectInfo& object, const Joined& joined) {
    ++files_;
    size_bytes_ += object.size_bytes;
    kinds_[std::string(joined.of.kind)].add(object.size_bytes);
    oldest_ = std::min(oldest_.value_or(object.modified_at), object.modified_at);
    newest_ = std::max(newest_.value_or(object.modified_at), object.modified_at);
    Environment* environment = environment_of(joined);
    if (environment != nullptr) {
        environment->all.add(object.size_bytes);
        if (joined.of.area == Area::wal) environment->wal_bytes += object.size_bytes;
    }
    if (joined.linked) linked_.add(object.size_bytes);
    if (joined.orphan()) {
        orphans_.add(object.size_bytes);
        if (environment != nullptr) environment->orphans.add(object.size_bytes);
        if (first_orphans_.size() < kShown) {
            json::Object shown{{"path", object.key},
                               {"sizeBytes", object.size_bytes},
                               {"lastModified", to_rfc3339(object.modified_at)},
                               {"kind", joined.of.kind}};
            first_orphans_.push_back(std::move(shown));
        }
    }
    const bool record =
        joined.of.area == Area::backup || joined.of.area == Area::base || joined.of.area == Area::snapshot;
    const std::string id = record && joined.ours ? joined.of.record_id : std::string();
    if (folder_ && folder_->id != id) close_folder();
    if (id.empty()) return;
    if (!folder_) folder_ = Folder{id, false, joined.in_flight, environment, joined.of.area == Area::snapshot};
    if (joined.of.kind == "manifest") folder_->has_manifest = true;
}

void Tally::close_folder() {
    if (!folder_->has_manifest && !folder_->in_flight) ++incomplete_;
    if (folder_->has_manifest && folder_->environment != nullptr)
        ++(folder_->is_snapshot ? folder_->environment->snapshots : folder_->environment->backups);
    folder_.reset();
}

void Tally::end() {
    if (folder_) close_folder();
}

void Tally::subtract_orphan(std::uint64_t size_bytes) {
    --files_;
    --orphans_.files;
    size_bytes_ -= size_bytes;
    orphans_.size_bytes -= size_bytes;
}

json::Value Tally::analytics(const Outcome& outcome) const {
    json::Object out;
    out["destinationId"] = outcome.destination_id;
    out["scannedAt"] = to_rfc3339(outcome.scanned_at);
    out["startedAt"] = to_rfc3339(outcome.started_at);
    out["durationMs"] = outcome.scanned_at - outcome.started_at;
    out["status"] = outcome.status;
    out["error"] = text_or_null(outcome.error);
    out["totalFiles"] = files_;
    out["totalSizeBytes"] = size_bytes_;
    out["linkedFiles"] = linked_.files;
    out["linkedSizeBytes"] = linked_.size_bytes;
    out["orphanFiles"] = orphans_.files;
    out["orphanSizeBytes"] = orphans_.size_bytes;
    out["incompleteUploads"] = incomplete_;
    out["staleRecords"] = outcome.stale_records;
    out["oldestFileAt"] = time_or_null(oldest_);
    out["newestFileAt"] = time_or_null(newest_);
    json::Array environments;
    for (const auto& [id, sum] : environments_) {
        const auto name = outcome.environment_names.find(id);
        json::Object one{{"environmentId", id},
                         {"projectId", text_or_null(sum.project_id)},
                         {"name", name == outcome.environment_names.end() ? json::Value() : json::Value(name->second)},
                         {"files", sum.all.files},
                         {"sizeBytes", sum.all.size_bytes},
                         {"backups", sum.backups},
                         {"snapshots", sum.snapshots},
                         {"walSizeBytes", sum.wal_bytes},
                         {"orphanFiles", sum.orphans.files},
                         {"orphanSizeBytes", sum.orphans.size_bytes}};
        environments.push_back(std::move(one));
    }
    out["byEnvironment"] = std::move(environments);
    json::Object kinds;
    for (const auto& [kind, sum] : kinds_)
        kinds[kind] = json::Object{{"files", sum.files}, {"sizeBytes", sum.size_bytes}};
    out["byKind"] = std::move(kinds);
    out["orphans"] = first_orphans_;
    json::Array stale;
    for (const StaleRecord& record : outcome.stale) {
        json::Array missing;
        for (const std::string& artifact : record.missing) missing.push_back(json::Value(artifact));
        stale.push_back(json::Object{{record.is_snapshot ? "snapshotId" : "backupId", record.id},
                                     {"environmentId", text_or_null(record.environment_id)},
                                     {"missing", std::move(missing)}});
    }
    out["stale"] = std::move(stale);
    return json::Value(std::move(out));
}

bool is_suspicious(std::int64_t stale, std::int64_t records) { return stale >= 5 && stale * 100 > records * 30; }

TimeMs orphan_cutoff(std::int64_t retention_days, TimeMs now) {
    return now - std::max<std::int64_t>(retention_days, 1) * kDayMs;
}

}  // namespace backstay::browse
