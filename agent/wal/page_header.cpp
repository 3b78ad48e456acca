#include "agent/wal/page_header.h"

#include <fmt/format.h>

#include <cstring>

namespace backstay::wal {
namespace {

constexpr std::size_t kShortHeader = 24;
constexpr std::size_t kLongHeader = 40;

constexpr std::uint16_t kContinues = 0x0001;
constexpr std::uint16_t kLong = 0x0002;
constexpr std::uint16_t kOverwrites = 0x0008;
constexpr std::uint16_t kKnownFlags = 0x000F;

struct Version {
    std::uint16_t magic;
    std::int32_t major;
};
constexpr Version kVersions[] = {{0xD097, 10}, {0xD098, 11}, {0xD101, 12}, {0xD106, 13}, {0xD10D, 14},
                                 {0xD110, 15}, {0xD113, 16}, {0xD116, 17}, {0xD118, 18}};
// What later versions will call theirs: the layout has not changed for fifteen years.
constexpr std::uint16_t kFirstMagic = 0xD097;
constexpr std::uint16_t kLastMagic = 0xD1FF;

template <class Number>
Number number_at(ByteSpan bytes, std::size_t offset) {
    Number number{};
    std::memcpy(&number, bytes.data() + offset, sizeof(number));
    return number;
}

}  // namespace

std::optional<PageHeader> read_page_header(ByteSpan page) {
    if (page.size() < kShortHeader) return std::nullopt;
    PageHeader header;
    header.magic = number_at<std::uint16_t>(page, 0);
    const auto flags = number_at<std::uint16_t>(page, 2);
    header.timeline = number_at<std::uint32_t>(page, 4);
    header.address = number_at<std::uint64_t>(page, 8);
    header.remaining = number_at<std::uint32_t>(page, 16);
    header.continues = (flags & kContinues) != 0;
    header.overwrites = (flags & kOverwrites) != 0;
    header.size = kShortHeader;
    if (header.magic < kFirstMagic || header.magic > kLastMagic || (flags & ~kKnownFlags) != 0 ||
        header.timeline == 0 || header.address % kPageBytes != 0) {
        return std::nullopt;
    }
    if ((flags & kLong) == 0) return header;
    if (page.size() < kLongHeader) return std::nullopt;
    header.size = kLongHeader;
    header.identity = SegmentIdentity{number_at<std::uint64_t>(page, 24), number_at<std::uint32_t>(page, 32),
                                      number_at<std::uint32_t>(page, 36)};
    return header;
}

std::int32_t major_of_magic(std::uint16_t magic) {
    for (const Version& version : kVersions) {
        if (version.magic == magic) return version.major;
    }
    return 0;
}

Result<PageHeader> check_first_page(ByteSpan beginning, const WalName& name, std::uint64_t system_id,
                                    std::uint64_t segment_bytes) {
    const auto header = read_page_header(beginning);
    if (!header || !header->identity) {
        return Error(Errc::corrupted, fmt::format("{} does not begin as a WAL segment does", name.text));
    }
    const SegmentIdentity& identity = *header->identity;
    if (identity.system_id != system_id) {
        return Error(Errc::conflict,
                     fmt::format("{} is of cluster {}, not of {}", name.text, identity.system_id, system_id))
            .with_hint("another PostgreSQL archives here: a clone, a restored copy or a wrong archive_command");
    }
    if (identity.segment_bytes != segment_bytes || identity.page_bytes != kPageBytes) {
        return Error(Errc::corrupted,
                     fmt::format("{} is of segments of {} bytes and pages of {}, not of {} and {}", name.text,
                                 identity.segment_bytes, identity.page_bytes, segment_bytes, kPageBytes));
    }
    const std::uint64_t number = TRY(segment_number(name, segment_bytes));
    const Lsn start = start_of_segment(number, segment_bytes);
    // The first segment of a timeline may begin with pages copied from its parent.
    if (header->address != start || header->timeline > name.timeline) {
        return Error(Errc::corrupted, fmt::format("{} begins at {} of timeline {}: its content is of another segment",
                                                  name.text, format_lsn(header->address), header->timeline));
    }
    return *header;
}

}  // namespace backstay::wal
