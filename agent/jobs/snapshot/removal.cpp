// Snapshots on the host: read, removed.
#include "agent/jobs/destinations.h"
#include "agent/jobs/restore/opened_backup.h"
#include "agent/jobs/snapshot/own_place.h"
#include "agent/jobs/snapshots.h"
#include "common/domain/reasons.h"

namespace backstay {

Result<> run_delete_snapshot(const DeleteSnapshotOrder& order, const JobHost& host, Steps& steps,
                             snapshot::Shelf& shelf) {
    if (!order.folder.starts_with("v1/") || !order.folder.ends_with("/snapshots/" + order.snapshot_id)) {
        return Error(Errc::invalid, "this is no snapshot's folder: " + order.folder);
    }
    TRY(shelf.begin_deletion(order.snapshot_id).reason(reason::kPreflightFailed));
    const snapshot::OwnPlace place(host);
    TRY(place.open(steps.stop_token()));
    DeleteOrder deletion;
    deletion.deletion_id = order.deletion_id;
    deletion.backup_id = order.snapshot_id;
    deletion.folder = order.folder;
    deletion.destinations = order.destinations;
    // The host's own goes first: what remains elsewhere is then still a copy that can be read.
    deletion.destinations.insert(deletion.destinations.begin(), place.destination());
    TRY(run_delete(deletion, place.host(), steps));
    return shelf.forget(order.snapshot_id);
}

Result<BackupOutcome> read_snapshot(const std::string& folder, const std::string& snapshot_id, const JobHost& host) {
    const snapshot::OwnPlace place(host);
    auto opened = TRY(restore::open_backup({place.destination()}, folder, snapshot_id, place.host(), {}));
    BackupOutcome outcome;
    outcome.folder = folder;
    outcome.manifest = std::move(opened.manifest);
    return outcome;
}

Result<> remove_unfinished_snapshot(const std::string& folder, const JobHost& host) {
    const snapshot::OwnPlace place(host);
    const auto storage = TRY(place.open({}));
    TRY(remove_folder_objects(*storage, folder));
    return {};
}

}  // namespace backstay
