// The names of what PostgreSQL archives, and where each lies in a destination. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/domain/lsn.h"
#include "common/result.h"

namespace backstay::wal {

enum class NameKind {
    segment,       // 24 hex digits
    partial,       // "<segment>.partial": the last, incomplete one before a promotion
    backup_label,  // "<segment>.<offset>.backup": a base backup began there
    history,       // "<timeline>.history": where a timeline came from
};

struct WalName {
    NameKind kind = NameKind::segment;
    std::string text;
    Timeline timeline = 0;
    // The second and third group of eight digits; 0 of a history file.
    std::uint32_t log = 0;
    std::uint32_t part = 0;
};

// Anything else than the four kinds is `invalid`; so are lower-case digits and timeline 0.
Result<WalName> parse_wal_name(std::string_view text);

// 1 MiB to 1 GiB, a power of two.
bool is_segment_size(std::uint64_t bytes);

// The position in the sequence of all segments. `invalid` when no segment of that size can bear this name.
Result<std::uint64_t> segment_number(const WalName& name, std::uint64_t segment_bytes);
std::string segment_name(Timeline timeline, std::uint64_t number, std::uint64_t segment_bytes);
inline Lsn start_of_segment(std::uint64_t number, std::uint64_t segment_bytes) { return number * segment_bytes; }

// The key below a cluster's folder (layout::cluster_folder). Partial segments carry 16 digits of their content's
// digest: two promotions may leave different ones, and both are kept.
std::string archive_key(std::string_view cluster_folder, const WalName& name, std::string_view digest, bool encrypted);
// What archive_key() was made from; nullopt: no object of the archive.
struct ArchiveEntry {
    WalName name;
    std::string digest;  // the 16 digits of a partial segment
    bool encrypted = false;
};
std::optional<ArchiveEntry> parse_archive_key(std::string_view cluster_folder, std::string_view key);

// "<cluster folder>/wal/<timeline>/": what all of a timeline's objects begin with.
std::string timeline_prefix(std::string_view cluster_folder, Timeline timeline);

}  // namespace backstay::wal
