#include "agent/jobs/restore/standalone_moment.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/jobs/destinations.h"
#include "common/domain/moment.h"
#include "common/domain/reasons.h"
#include "common/ids.h"

namespace backstay::standalone {
namespace {

bool knows(const FoundArchive& archive, const std::string& database) {
    return std::any_of(archive.view.bases.begin(), archive.view.bases.end(), [&](const base::StoredBase& base) {
        const auto& names = base.manifest.base->databases;
        return std::find(names.begin(), names.end(), database) != names.end();
    });
}

Result<std::string> choose_archive(const std::vector<FoundArchive>& archives, const Moment& moment) {
    std::vector<const FoundArchive*> known;
    std::vector<const FoundArchive*> reaching;
    for (const FoundArchive& archive : archives) {
        if (!knows(archive, moment.database)) continue;
        known.push_back(&archive);
        const bool inside = wal::find_nearest(archive.coverage, moment.target).reach == wal::Reach::inside;
        if (inside) reaching.push_back(&archive);
    }
    if (known.empty()) {
        return Error(Errc::not_found, fmt::format("no base backup there knows a database {}", moment.database))
            .with_reason(reason::kPitrTargetUnreachable)
            .with_hint("backstay wal-show --from … tells what is there");
    }
    if (reaching.size() > 1) {
        return Error(Errc::conflict, fmt::format("several clusters there had a database {} then", moment.database));
    }
    return (reaching.empty() ? known : reaching).front()->view.archive;
}

}  // namespace

Result<std::vector<FoundArchive>> find_archives(const DestinationOrder& destination, const JobHost& host,
                                                std::stop_token stop) {
    const auto storage = TRY(open_destination(destination, host, stop));
    std::optional<StreamKey> key;
    if (!host.config.encryption_key_file.empty()) key = TRY(StreamKey::load(host.config.encryption_key_file));
    std::vector<FoundArchive> found;
    for (const std::string& folder : TRY(base::find_archives(*storage, stop))) {
        auto places = TRY(base::ArchivePlaces::open({destination}, folder, key ? &*key : nullptr, host, stop));
        FoundArchive archive;
        archive.view = TRY(base::view_archive(places));
        archive.coverage = wal::cover(archive.view.whole);
        found.push_back(std::move(archive));
    }
    return found;
}

Result<RestoreOrder> order_for_moment(const Moment& moment, const DestinationOrder& destination,
                                      const RestoreWish& wish, const JobHost& host, std::stop_token stop) {
    const auto archives = TRY(find_archives(destination, host, stop));
    RestoreOrder order;
    order.restore_id = new_uuid();
    order.pitr = PitrOrder{};
    order.pitr->target = {moment.target};
    order.pitr->archive = TRY(choose_archive(archives, moment));
    order.pitr->system_id = order.pitr->archive.substr(order.pitr->archive.rfind('/') + 1);
    order.pitr->destinations = {destination};
    order.source.type = "production";
    std::vector<PitrFilestore> candidates;
    Filter filter;
    filter.database = moment.database;
    const Listing listing = TRY(find_backups(destination, host, filter, stop));
    for (const FoundBackup& backup : listing.backups) {
        if (backup.manifest.scope != "full") continue;
        candidates.push_back({backup.manifest.backup_id, backup.folder, {destination}, backup.manifest.started_at});
    }
    order.pitr->filestores = filestores_around(moment.target, std::move(candidates));
    order.source.database = moment.database;
    order.source.name = moment.database;
    order.source.cluster = wish.cluster;
    order.target = order.source;
    order.target.database = wish.database;
    order.target.filestore = wish.filestore;
    order.target_type = wish.database == moment.database ? "same" : "other";
    order.scope = wish.scope;
    // A database without Odoo's files has none to bring back.
    if (order.scope == "all" && order.pitr->filestores.empty() && !wish.filestore) order.scope = "db";
    order.neutralize = wish.neutralize;
    order.new_uuid = wish.new_uuid;
    order.keep_previous_ms = wish.keep_previous_ms;
    return order;
}

}  // namespace backstay::standalone
