// What retention no longer needs of a cluster's archive goes: base backups manifest first, then WAL.
#include <fmt/format.h>

#include <algorithm>

#include "agent/jobs/base/archive_view.h"
#include "agent/jobs/base/prune.h"
#include "agent/jobs/destinations.h"

namespace backstay {
namespace base {
namespace {

bool goes(const SegmentId& id, wal::Lsn before, std::uint64_t segment_bytes) {
    return id.start + segment_bytes <= before;
}

Result<std::uint64_t> remove_segments(ArchivePlace& place, wal::Lsn before, std::uint64_t segment_bytes,
                                      const std::stop_token& stop) {
    const WalMap map = TRY(list_wal(place.archive, 0, segment_bytes, stop));
    std::vector<std::string> keys;
    for (const auto& [id, listed] : map.segments) {
        if (goes(id, before, segment_bytes)) keys.push_back(listed.key);
    }
    const std::uint64_t segments = keys.size();
    for (const auto& [id, key] : map.companions) {
        if (goes(id, before, segment_bytes)) keys.push_back(key);
    }
    TRY(place.archive.remove(keys));
    return segments;
}

}  // namespace

Result<Pruned> prune(const std::vector<DestinationOrder>& destinations, const std::string& archive,
                     std::int32_t retention_days, const JobHost& host, std::stop_token stop, const Forget& forget) {
    std::optional<StreamKey> key;
    if (!host.config.encryption_key_file.empty()) key = TRY(StreamKey::load(host.config.encryption_key_file));
    auto places = TRY(ArchivePlaces::open(destinations, archive, key ? &*key : nullptr, host, stop));
    const ArchiveView view = TRY(view_archive(places));
    // What cannot be read may be what must stay.
    if (!view.faults.empty()) {
        return Error(Errc::unavailable, "the archive cannot be seen whole: " + view.faults.front());
    }
    if (wal::is_clock_ahead(view.whole, host.clock.now_ms())) {
        return Error(Errc::invalid, "this host's clock is far ahead of the newest archived commit: nothing is pruned")
            .with_hint("set the clock right; the next base backup prunes");
    }
    Pruned pruned;
    pruned.archive = archive;
    pruned.disposal = wal::choose_disposal(view.whole, host.clock.now_ms(), retention_days);
    std::vector<std::string> stored;
    for (const StoredBase& base : view.bases) stored.push_back(base.manifest.backup_id);
    TRY(forget(pruned.disposal, stored));
    for (const auto& place : places.list()) {
        for (const std::string& id : pruned.disposal.bases) {
            const StoredBase* base = view.find(id);
            if (base != nullptr) TRY(remove_folder_objects(*place->storage, base->folder));
        }
        if (!pruned.disposal.segments_before) continue;
        const std::uint64_t removed =
            TRY(remove_segments(*place, *pruned.disposal.segments_before, view.whole.segment_bytes, stop));
        pruned.segments = std::max(pruned.segments, removed);
    }
    return pruned;
}

}  // namespace base

Testimony testify(const Pruned& pruned) {
    Testimony testimony;
    testimony.summary =
        fmt::format("{} base backups and {} segments removed", pruned.disposal.bases.size(), pruned.segments);
    testimony.facts = {
        {"anchor", pruned.disposal.anchor},
        {"bases", std::to_string(pruned.disposal.bases.size())},
        {"segments", std::to_string(pruned.segments)},
        {"segments_before",
         pruned.disposal.segments_before ? wal::format_lsn(*pruned.disposal.segments_before) : std::string()}};
    return testimony;
}

}  // namespace backstay
