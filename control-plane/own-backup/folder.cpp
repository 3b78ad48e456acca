#include "control-plane/own-backup/folder.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace backstay::own_backup {
namespace {

constexpr std::string_view kBeginning = "backstay-control-";
constexpr std::string_view kEnd = ".backup";
constexpr std::string_view kEncrypted = ".enc";
constexpr std::size_t kStampLength = 16;  // 20260102T030405Z

}  // namespace

std::string name_of(TimeMs at, bool encrypted) {
    std::string stamp = to_rfc3339(at / 1000 * 1000);
    std::erase_if(stamp, [](char c) { return c == '-' || c == ':'; });
    std::string name(kBeginning);
    name.append(stamp).append(kEnd);
    if (encrypted) name.append(kEncrypted);
    return name;
}

std::optional<TimeMs> made_at(const std::string& name) {
    std::string_view rest = name;
    if (!rest.starts_with(kBeginning)) return std::nullopt;
    rest.remove_prefix(kBeginning.size());
    if (rest.ends_with(kEncrypted)) rest.remove_suffix(kEncrypted.size());
    if (!rest.ends_with(kEnd) || rest.size() != kStampLength + kEnd.size()) return std::nullopt;
    std::string stamp(rest.substr(0, kStampLength));
    for (const std::size_t at : {4U, 7U}) stamp.insert(at, "-");
    for (const std::size_t at : {13U, 16U}) stamp.insert(at, ":");
    const auto time = parse_rfc3339(stamp);
    return time ? std::optional<TimeMs>(*time) : std::nullopt;
}

Result<std::vector<Kept>> list(const std::string& folder) {
    std::vector<Kept> found;
    std::error_code fault;
    std::filesystem::directory_iterator entries(folder, fault);
    if (fault == std::errc::no_such_file_or_directory) return found;
    for (const auto end = std::filesystem::directory_iterator(); !fault && entries != end; entries.increment(fault)) {
        const auto at = made_at(entries->path().filename().string());
        std::error_code unknown;
        if (at && entries->is_regular_file(unknown)) found.push_back({entries->path().string(), *at});
    }
    if (fault) return Error::from_errno(fault.value(), "look into " + folder);
    std::sort(found.begin(), found.end(), [](const Kept& a, const Kept& b) { return a.made_at > b.made_at; });
    return found;
}

void remove_unfinished(const std::string& folder) {
    std::error_code fault;
    std::vector<std::filesystem::path> stale;
    for (const auto& entry : std::filesystem::directory_iterator(folder, fault)) {
        if (entry.path().extension() == ".part" && made_at(entry.path().stem().string())) stale.push_back(entry.path());
    }
    for (const auto& path : stale) ::unlink(path.c_str());
}

Result<std::size_t> prune(const std::string& folder, std::size_t keep, TimeMs now) {
    std::vector<Kept> all = TRY(list(folder));
    std::erase_if(all, [now](const Kept& one) { return one.made_at > now; });
    std::size_t gone = 0;
    for (std::size_t i = std::max<std::size_t>(keep, 1); i < all.size(); ++i) {
        if (::unlink(all[i].path.c_str()) != 0) return Error::from_errno(errno, "remove " + all[i].path);
        ++gone;
    }
    return gone;
}

}  // namespace backstay::own_backup
