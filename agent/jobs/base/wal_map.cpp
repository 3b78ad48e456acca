#include "agent/jobs/base/wal_map.h"

#include <fmt/format.h>

namespace backstay::base {
namespace {

constexpr std::size_t kObjectsMax = 20'000'000;
constexpr std::size_t kPage = 1000;

// A segment of another size than the cluster's is none of it.
void take(WalMap& map, wal::ListedWal listed, std::uint64_t segment_bytes) {
    map.stored_bytes += listed.stored_bytes;
    const wal::WalName& name = listed.entry.name;
    if (name.kind == wal::NameKind::history) {
        map.histories.emplace(name.timeline, std::move(listed));
        return;
    }
    const auto number = wal::segment_number(name, segment_bytes);
    if (!number) return;
    const SegmentId id{name.timeline, wal::start_of_segment(*number, segment_bytes)};
    if (name.kind == wal::NameKind::segment) {
        map.segments.emplace(id, std::move(listed));
    } else {
        map.companions.emplace_back(id, std::move(listed.key));
    }
}

}  // namespace

std::string segment_name(const SegmentId& id, std::uint64_t segment_bytes) {
    return wal::segment_name(id.timeline, id.start / segment_bytes, segment_bytes);
}

std::string history_name(wal::Timeline timeline) { return fmt::format("{:08X}.history", timeline); }

Result<WalMap> list_wal(wal::Archive& archive, wal::Timeline timeline, std::uint64_t segment_bytes,
                        const std::stop_token& stop) {
    WalMap map;
    std::string continue_after;
    std::size_t objects = 0;
    do {
        if (stop.stop_requested()) return Error(Errc::cancelled, "stopped");
        wal::WalPage page = TRY(archive.list(timeline, continue_after, kPage).context("list the archive"));
        objects += page.files.size();
        if (objects > kObjectsMax) return Error(Errc::exhausted, "more than 20 million objects in the archive");
        for (wal::ListedWal& listed : page.files) take(map, std::move(listed), segment_bytes);
        continue_after = std::move(page.next);
    } while (!continue_after.empty());
    return map;
}

Result<std::optional<SegmentId>> find_missing(wal::Archive& archive, wal::Timeline timeline, wal::Lsn start,
                                              wal::Lsn stop, std::uint64_t segment_bytes,
                                              const std::stop_token& token) {
    for (wal::Lsn at = wal::segment_start(start, segment_bytes); at < stop; at += segment_bytes) {
        if (token.stop_requested()) return Error(Errc::cancelled, "stopped");
        const SegmentId id{timeline, at};
        const auto name = TRY(wal::parse_wal_name(segment_name(id, segment_bytes)));
        const auto head = archive.head(name);
        if (head) continue;
        if (head.error().code() == Errc::not_found) return std::optional<SegmentId>(id);
        return head.error();
    }
    return std::optional<SegmentId>();
}

}  // namespace backstay::base
