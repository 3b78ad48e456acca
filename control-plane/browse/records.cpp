#include "control-plane/browse/records.h"

#include "common/ids.h"
#include "control-plane/operations/history.h"
#include "control-plane/operations/snapshots.h"

namespace backstay::browse {
namespace {

constexpr std::size_t kRemembered = 1000;

bool runs(const std::string& status) { return status == "pending" || status == "running" || status == "deleting"; }

}  // namespace

Result<Joined> Records::join(std::string_view key, TimeMs modified_at) {
    Joined out;
    out.of = attribute(key);
    out.ours = out.of.is_of(organization_);
    if (!out.of.environment_id.empty()) out.environment_id = out.of.environment_id;
    if (!out.ours) return out;
    out.linked = out.of.area == Area::wal;  // only its agent knows which WAL is needed
    if (out.of.area == Area::other && key.starts_with(".backstay-probe/")) out.in_flight = true;
    const bool record = out.of.area == Area::backup || out.of.area == Area::base || out.of.area == Area::snapshot;
    if (!record || out.of.record_id.empty()) return out;
    (out.of.area == Area::snapshot ? out.snapshot_id : out.backup_id) = out.of.record_id;
    const Known known = TRY(look(out.of.area, out.of.record_id));
    out.linked = known.exists;
    out.in_flight = known.running || (!known.heard_of && modified_at >= unheard_before_);
    if (!out.environment_id) out.environment_id = known.environment_id;
    return out;
}

Result<Records::Known> Records::look(Area area, const std::string& id) {
    if (const auto found = known_.find(id); found != known_.end()) return found->second;
    Known known;
    const auto learn = [&](const auto& row) {
        if (row) known.heard_of = true;
        if (row && row->organization_id == organization_)
            known = {true, !row->deleted_at, runs(row->status), row->environment_id};
    };
    if (!is_uuid(id)) {
        known.heard_of = true;  // no agent names a record so
    } else if (area == Area::snapshot) {
        learn(TRY(operations::find_snapshot_row(db_, id)));
    } else {
        learn(TRY(operations::find_backup_row(db_, id)));
    }
    if (known_.size() >= kRemembered) known_.clear();
    known_.emplace(id, known);
    return known;
}

}  // namespace backstay::browse
