#include "agent/jobs/destinations.h"

#include <fmt/format.h>

#include "common/domain/reasons.h"
#include "storage/destination.h"
#include "storage/destination_json.h"

namespace backstay {

Result<std::unique_ptr<Storage>> open_destination(const DestinationOrder& order, const JobHost& host,
                                                  std::stop_token stop, const Patience& patience) {
    const Destination destination = TRY(decode_destination(order).context("destination " + order.id));
    StorageContext context;
    context.local_roots = host.config.local_roots;
    context.stop = std::move(stop);
    context.rate_limit = [&rate = host.rate_bytes_per_sec] { return rate.load(std::memory_order_relaxed); };
    context.scratch_dir =
        host.config.scratch_dir.empty() ? host.config.state_dir + "/scratch" : host.config.scratch_dir;
    context.patience = patience;
    auto opened = open_storage(destination, context);
    return destination.local ? std::move(opened).reason(reason::kDestinationUnreachable) : std::move(opened);
}

Result<std::uint64_t> remove_folder_objects(Storage& storage, const std::string& folder) {
    TRY(storage.remove(folder + "/manifest.json"));
    std::uint64_t removed = 0;
    while (true) {
        ListQuery query;
        query.prefix = folder + "/";
        const ListPage page = TRY(storage.list(query));
        std::vector<std::string> keys;
        for (const ObjectInfo& object : page.objects) keys.push_back(object.key);
        TRY(storage.remove_all(keys));
        removed += keys.size();
        if (page.objects.empty() || page.next.empty()) return removed;
    }
}

}  // namespace backstay
