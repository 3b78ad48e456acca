#include "agent/wal/segment_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace backstay::wal {
namespace {

constexpr std::size_t kGroup = 8;
constexpr std::size_t kSegmentDigits = 24;
constexpr std::size_t kFolderDigits = 16;
constexpr std::string_view kPartial = ".partial";
constexpr std::string_view kBackup = ".backup";
constexpr std::string_view kHistory = ".history";
constexpr std::string_view kPacked = ".zst";
constexpr std::string_view kEncrypted = ".enc";

bool is_hex(std::string_view text, bool upper) {
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (upper ? c >= 'A' && c <= 'F' : c >= 'a' && c <= 'f');
    });
}

// Eight digits that were checked.
std::uint32_t number_of(std::string_view digits) {
    std::uint32_t number = 0;
    for (const char c : digits.substr(0, kGroup)) {
        number = number * 16 + static_cast<std::uint32_t>(c <= '9' ? c - '0' : c - 'A' + 10);
    }
    return number;
}

std::optional<NameKind> kind_of(std::string_view text) {
    if (text.size() == kGroup + kHistory.size() && text.ends_with(kHistory)) return NameKind::history;
    if (text.size() == kSegmentDigits) return NameKind::segment;
    if (text.size() == kSegmentDigits + kPartial.size() && text.ends_with(kPartial)) return NameKind::partial;
    const bool backup = text.size() == kSegmentDigits + 1 + kGroup + kBackup.size() && text.ends_with(kBackup) &&
                        text[kSegmentDigits] == '.' && is_hex(text.substr(kSegmentDigits + 1, kGroup), true);
    return backup ? std::optional(NameKind::backup_label) : std::nullopt;
}

bool cut_end(std::string_view& text, std::string_view end) {
    if (!text.ends_with(end)) return false;
    text.remove_suffix(end.size());
    return true;
}

}  // namespace

Result<WalName> parse_wal_name(std::string_view text) {
    const auto kind = kind_of(text);
    const std::size_t digits = kind == NameKind::history ? kGroup : kSegmentDigits;
    if (!kind || !is_hex(text.substr(0, digits), true)) {
        return Error(Errc::invalid, fmt::format("\"{}\" is no name of a WAL file", text.substr(0, 64)));
    }
    WalName name;
    name.kind = *kind;
    name.text = text;
    name.timeline = number_of(text);
    if (name.kind != NameKind::history) {
        name.log = number_of(text.substr(kGroup));
        name.part = number_of(text.substr(2 * kGroup));
    }
    if (name.timeline == 0) return Error(Errc::invalid, fmt::format("\"{}\" is of timeline 0", text));
    return name;
}

bool is_segment_size(std::uint64_t bytes) {
    return bytes >= (1ULL << 20) && bytes <= (1ULL << 30) && std::has_single_bit(bytes);
}

Result<std::uint64_t> segment_number(const WalName& name, std::uint64_t segment_bytes) {
    if (!is_segment_size(segment_bytes)) {
        return Error(Errc::invalid, fmt::format("{} bytes is no size of a WAL segment", segment_bytes));
    }
    const std::uint64_t per_log = (1ULL << 32) / segment_bytes;
    if (name.kind == NameKind::history || name.part >= per_log) {
        return Error(Errc::invalid, fmt::format("{} names no segment of {} bytes", name.text, segment_bytes));
    }
    return name.log * per_log + name.part;
}

std::string segment_name(Timeline timeline, std::uint64_t number, std::uint64_t segment_bytes) {
    const std::uint64_t per_log = (1ULL << 32) / segment_bytes;
    return fmt::format("{:08X}{:08X}{:08X}", timeline, number / per_log, number % per_log);
}

std::string timeline_prefix(std::string_view cluster_folder, Timeline timeline) {
    return fmt::format("{}/wal/{:08X}/", cluster_folder, timeline);
}

std::string archive_key(std::string_view cluster_folder, const WalName& name, std::string_view digest, bool encrypted) {
    std::string key = timeline_prefix(cluster_folder, name.timeline);
    if (name.kind != NameKind::history) key += name.text.substr(0, kFolderDigits) + "/";
    key += name.text;
    if (name.kind == NameKind::partial) key += fmt::format("-{}", digest.substr(0, 16));
    key += kPacked;
    if (encrypted) key += kEncrypted;
    return key;
}

std::optional<ArchiveEntry> parse_archive_key(std::string_view cluster_folder, std::string_view key) {
    ArchiveEntry entry;
    std::string_view file = key.substr(key.rfind('/') + 1);
    entry.encrypted = cut_end(file, kEncrypted);
    if (!cut_end(file, kPacked)) return std::nullopt;
    const std::size_t partial = file.find(".partial-");
    if (partial != std::string_view::npos) {
        entry.digest = file.substr(partial + kPartial.size() + 1);
        if (entry.digest.size() != 16 || !is_hex(entry.digest, false)) return std::nullopt;
        file = file.substr(0, partial + kPartial.size());
    }
    auto name = parse_wal_name(file);
    if (!name || (name->kind == NameKind::partial) != (partial != std::string_view::npos)) return std::nullopt;
    entry.name = std::move(*name);
    if (archive_key(cluster_folder, entry.name, entry.digest, entry.encrypted) != key) return std::nullopt;
    return entry;
}

}  // namespace backstay::wal
