#include "control-plane/browse/removal.h"

#include <algorithm>

#include "common/domain/reasons.h"
#include "control-plane/api/answer.h"
#include "control-plane/api/scope.h"
#include "control-plane/browse/reach.h"
#include "control-plane/browse/records.h"
#include "control-plane/operations/history.h"
#include "control-plane/operations/lifecycle.h"
#include "control-plane/operations/rows.h"
#include "control-plane/operations/snapshots.h"
#include "control-plane/registry/destinations.h"

namespace backstay::browse {
namespace {

// Those that lie under this very key.
std::vector<std::string> artifacts_of(const std::vector<CopyRecord>& copies, const std::string& destination,
                                      const std::string& path) {
    std::vector<std::string> artifacts;
    for (const CopyRecord& copy : copies) {
        if (copy.destination_id == destination && copy.key == path) artifacts.push_back(copy.artifact);
    }
    return artifacts;
}

// A folder of one host holds nothing of what another host stored under the same path.
Result<bool> lies_here(sql::Database& db, const store::DestinationRow& row, const std::string& record) {
    if (row.type != "local") return true;
    const auto looking = TRY(registry::looking_agent(db, row));
    if (const auto backup = TRY(operations::find_backup_row(db, record))) return looking == backup->agent_id;
    const auto snapshot = TRY(operations::find_snapshot_row(db, record));
    return snapshot && looking == snapshot->agent_id;
}

Result<> note_removal(const api::Call& call, sql::Database& db, const std::string& destination,
                      const std::string& path) {
    auto transaction = TRY(sql::Transaction::begin(db, call.organization_id));
    TRY(api::note_audit(call, db, "storage.delete_file", destination, path));
    return transaction.commit();
}

}  // namespace

Result<> mark_missing(sql::Database& db, std::string_view record_id, std::string_view destination_id,
                      const std::vector<std::string>& artifacts, TimeMs now) {
    for (CopyRecord copy : TRY(operations::copies_of(db, record_id))) {
        if (copy.destination_id != destination_id || copy.state == CopyState::deleted) continue;
        const bool named =
            artifacts.empty() || std::find(artifacts.begin(), artifacts.end(), copy.artifact) != artifacts.end();
        if (!named) continue;
        copy.state = CopyState::missing;
        copy.reason = reason::kRemoteMissing;
        copy.message = "the file is not in the destination any more";
        TRY(operations::put_copy(db, record_id, copy, now));
    }
    auto operation = TRY(operations::find_operation(db, record_id));
    if (!operation) return {};
    return operations::refresh(db, *operation, now);
}

Result<> remove_file(const api::Call& call, sql::Database& db, Storage& storage, const store::DestinationRow& row,
                     const std::string& path, bool force) {
    if (!attribute(path).is_of(call.organization_id)) {
        return api::problem(404, "file_not_found", "the destination has no such file");
    }
    const auto object = storage.stat(path);
    if (!object) return storage_problem(object.error(), row.id);
    const Joined joined = TRY(Records(db, call.organization_id, call.now - kUnheardGraceMs).join(*object));
    if ((joined.linked || joined.in_flight) && !force) {
        return api::conflict("file_referenced", joined.of.area == Area::wal ? "recoveries to a moment may need this WAL"
                                                                            : "a backup or snapshot needs this file");
    }
    // Told first: a file must not go without a trace, whatever happens after.
    TRY(note_removal(call, db, row.id, path));
    if (auto removed = storage.remove(path); !removed) return storage_problem(removed.error(), row.id);
    auto transaction = TRY(sql::Transaction::begin(db, call.organization_id));
    if (joined.linked && !joined.of.record_id.empty() && TRY(lies_here(db, row, joined.of.record_id))) {
        const auto copies = TRY(operations::copies_of(db, joined.of.record_id));
        const auto artifacts = artifacts_of(copies, row.id, path);
        // Without its manifest nothing in the folder counts; a file that no copy names is missed by none.
        if (!artifacts.empty() || joined.of.kind == "manifest")
            TRY(mark_missing(db, joined.of.record_id, row.id,
                             joined.of.kind == "manifest" ? std::vector<std::string>() : artifacts, call.now));
    }
    return transaction.commit();
}

}  // namespace backstay::browse
