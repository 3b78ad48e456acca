#include "agent/jobs/snapshot/copies.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/evidence/silent_journal.h"
#include "agent/jobs/backup/leftovers.h"
#include "agent/jobs/destinations.h"
#include "agent/jobs/restore/opened_backup.h"
#include "common/domain/reasons.h"
#include "common/log.h"

namespace backstay::snapshot {
namespace {

// Every artifact of the manifest there has its full size there.
Result<> is_whole(const DestinationOrder& destination, const std::string& folder, const std::string& id,
                  const JobHost& host, std::stop_token stop) {
    auto opened = TRY(restore::open_backup({destination}, folder, id, host, std::move(stop)));
    const restore::Origins& origins = opened.origins;
    for (const ManifestArtifact& artifact : opened.manifest.artifacts) {
        const std::string key = fmt::format("{}/{}", folder, artifact.path);
        const ObjectInfo info = TRY(origins.storages.front()->stat(key));
        if (info.size_bytes == artifact.bytes) continue;
        return Error(Errc::corrupted, fmt::format("'{}' has another size there", key))
            .with_reason(reason::kRemoteCorrupt);
    }
    return {};
}

class CopyingOut {
public:
    CopyingOut(const SnapshotOrder& order, const std::string& folder, const Manifest& manifest, const OwnPlace& place,
               Steps& steps)
        : order_(order), folder_(folder), manifest_(manifest), place_(place), steps_(steps) {}

    Result<Testimony> upload() {
        std::optional<Error> first;
        std::vector<std::string> names;
        for (const DestinationOrder& destination : order_.destinations) {
            Result<> copied = copy_to(destination).context(destination.name);
            if (copied) {
                reached_.push_back(&destination);
                names.push_back(destination.name);
                continue;
            }
            if (!first) {
                first = std::move(copied).error();
            } else {
                first->followed_by(copied.error());
            }
        }
        if (first) return std::move(*first);
        Testimony testimony;
        testimony.summary = fmt::format("copied to {}", fmt::join(names, ", "));
        testimony.facts = {{"destinations", fmt::format("{}", names.size())}};
        return testimony;
    }

    Result<Testimony> verify() {
        std::optional<Error> first;
        for (const DestinationOrder* destination : reached_) {
            auto whole = is_whole(*destination, folder_, order_.snapshot_id, place_.host(), steps_.stop_token())
                             .context(destination->name);
            if (whole) {
                copies_.destination_ids.push_back(destination->id);
            } else if (!first) {
                first = std::move(whole).error();
            }
        }
        if (first) return std::move(*first);
        Testimony testimony;
        testimony.summary = fmt::format("read back as stored on this host from {} destination{}", reached_.size(),
                                        reached_.size() == 1 ? "" : "s");
        return testimony;
    }

    bool reached_any() const { return !reached_.empty(); }
    Copies take() { return std::move(copies_); }

private:
    Result<> copy_to(const DestinationOrder& destination) {
        const auto& base = manifest_.filestore->base_snapshot_id;
        if (base) TRY(copy_base(*base, destination).context("the full snapshot that it builds on"));
        return copy_noted(order_.snapshot_id, folder_, destination, steps_);
    }

    Result<> copy_base(const std::string& base, const DestinationOrder& destination) {
        const std::string folder = base_folder_of(folder_, base);
        if (!is_whole(destination, folder, base, place_.host(), steps_.stop_token())) {
            // The base's own evidence is not this operation's.
            SilentJournal journal;
            ProgressMeter meter(place_.host().clock, "copy", base, "");
            Steps silent(journal, meter, place_.host().clock, steps_.stop_token());
            TRY(copy_noted(base, folder, destination, silent));
        }
        copies_.base_destination_ids.push_back(destination.id);
        return {};
    }

    // What dies under a copy, or cannot be removed after it, is swept by the note.
    Result<> copy_noted(const std::string& id, const std::string& folder, const DestinationOrder& destination,
                        Steps& evidence) {
        TRY(backup::note_copy(folder, destination, place_.host().clock.now_ms(), steps_));
        Result<> copied = run_copy(copy_order(id, folder, destination), place_.host(), evidence);
        if (!copied && !clear_away(folder, destination)) return copied;
        if (auto settled = backup::settle_copy(folder, destination, steps_); !settled) {
            if (copied) return settled;
            copied.error().followed_by(settled.error());
        }
        return copied;
    }

    // What a failed copy left, so that nothing lies there that nobody knows; the stop of the job does not stop this.
    bool clear_away(const std::string& folder, const DestinationOrder& destination) const {
        const auto cleared = [&]() -> Result<> {
            const auto storage = TRY(open_destination(destination, place_.host(), {}, kBriefPatience));
            if (storage->stat(folder + "/manifest.json")) return {};
            TRY(remove_folder_objects(*storage, folder));
            return {};
        }();
        if (cleared) return true;
        log::warning("leftovers of a failed copy stay for now",
                     {{"destination", destination.name}, {"folder", folder}, {"error", cleared.error().message()}});
        return false;
    }

    CopyOrder copy_order(const std::string& id, const std::string& folder, const DestinationOrder& to) const {
        CopyOrder order;
        order.copy_id = order_.snapshot_id;
        order.backup_id = id;
        order.folder = folder;
        order.from = {place_.destination()};
        order.to = {to};
        return order;
    }

    const SnapshotOrder& order_;
    const std::string& folder_;
    const Manifest& manifest_;
    const OwnPlace& place_;
    Steps& steps_;
    std::vector<const DestinationOrder*> reached_;
    Copies copies_;
};

}  // namespace

std::string base_folder_of(const std::string& folder, const std::string& base_id) {
    return folder.substr(0, folder.rfind('/') + 1) + base_id;
}

Copies copy_out(const SnapshotOrder& order, const std::string& folder, const Manifest& manifest, const OwnPlace& place,
                Steps& steps) {
    if (order.destinations.empty()) return {};
    CopyingOut copying(order, folder, manifest, place, steps);
    // What fails stands in the steps and copies; the snapshot itself is whole.
    static_cast<void>(steps.run(step::kRemoteUpload, [&] { return copying.upload(); }));
    if (copying.reached_any()) {
        static_cast<void>(steps.run(step::kRemoteVerify, [&] { return copying.verify(); }));
    }
    return copying.take();
}

}  // namespace backstay::snapshot
