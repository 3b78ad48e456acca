#include "agent/worker/shelf.h"

namespace backstay {
namespace {

// Piece by piece, each held while its lines are handed out.
class StoredNames final : public snapshot::BaseNames {
public:
    StoredNames(SnapshotRepository& snapshots, std::string id) : snapshots_(snapshots), id_(std::move(id)) {}

    Result<std::optional<std::string_view>> next() override {
        if (position_ == piece_.size()) {
            auto piece = TRY(snapshots_.names(id_, number_++));
            if (!piece) return std::optional<std::string_view>();
            piece_ = std::move(*piece);
            position_ = 0;
        }
        const std::size_t end = piece_.find('\n', position_);
        if (end == std::string::npos) return Error(Errc::corrupted, "the names of snapshot " + id_ + " are cut off");
        const std::string_view line = std::string_view(piece_).substr(position_, end - position_);
        position_ = end + 1;
        return std::optional<std::string_view>(line);
    }

private:
    SnapshotRepository& snapshots_;
    std::string id_;
    std::int64_t number_ = 0;
    std::string piece_;
    std::size_t position_ = 0;
};

}  // namespace

Result<std::optional<snapshot::Base>> StateShelf::newest_full(const std::string& environment) {
    const auto row = TRY(snapshots_.newest_full(environment));
    if (!row) return std::optional<snapshot::Base>();
    return std::optional<snapshot::Base>(
        snapshot::Base{row->snapshot_id, row->folder, row->completed_at.value_or(Timestamp{}), row->database_bytes});
}

Result<std::unique_ptr<snapshot::BaseNames>> StateShelf::names(const std::string& snapshot_id) {
    return std::unique_ptr<snapshot::BaseNames>(std::make_unique<StoredNames>(snapshots_, snapshot_id));
}

Result<> StateShelf::begin(const SnapshotOrder& order, const std::string& folder) {
    SnapshotRow row;
    row.snapshot_id = order.snapshot_id;
    row.environment = folder.substr(0, folder.rfind("/snapshots/"));
    row.folder = folder;
    row.created_at = order.created_at;
    row.cluster = order.environment.cluster.value_or("");
    row.database = order.environment.database;
    row.trigger = order.trigger;
    row.label = order.label;
    row.origin = origin_;
    row.environment_order = order.environment;
    return snapshots_.begin(row);
}

Result<> StateShelf::lean_on(const std::string& snapshot_id, const std::string& base_id) {
    return snapshots_.lean_on(snapshot_id, base_id);
}

Result<> StateShelf::complete(const std::string& snapshot_id, const BackupOutcome& outcome,
                              const std::string& names_file) {
    SnapshotRow row;
    row.snapshot_id = snapshot_id;
    row.completed_at = Timestamp{clock_.now_ms()};
    row.mode = outcome.manifest.filestore ? outcome.manifest.filestore->mode : "full";
    row.size_bytes = outcome.size_bytes;
    const ManifestArtifact* dump = find_artifact(outcome.manifest, artifact::kDatabase);
    row.database_bytes = dump != nullptr ? dump->bytes : 0;
    return snapshots_.complete(row, names_file);
}

Result<> StateShelf::held_by(const std::string& snapshot_id, const std::vector<std::string>& destination_ids) {
    return snapshots_.add_destinations(snapshot_id, destination_ids);
}

Result<> StateShelf::begin_deletion(const std::string& snapshot_id) { return snapshots_.begin_deletion(snapshot_id); }

Result<> StateShelf::forget(const std::string& snapshot_id) { return snapshots_.remove(snapshot_id); }

}  // namespace backstay
