#include "agent/adoption/survey.h"

#include <optional>
#include <string_view>
#include <vector>

namespace backstay::adoption {
namespace {

constexpr std::string_view kManifest = "manifest.json";
constexpr std::size_t kFilesMax = 1000;

using OnFolder = std::function<Result<>(const FoundFolder& folder)>;

// contract/semantics.md 2.2; anything else is not ours.
std::optional<FolderKind> kind_of(std::string_view path) {
    if (path.find("/clusters/") != std::string_view::npos) {
        return path.find("/base/") != std::string_view::npos ? std::optional(FolderKind::base) : std::nullopt;
    }
    if (path.find("/backups/") != std::string_view::npos) return FolderKind::backup;
    if (path.find("/snapshots/") != std::string_view::npos) return FolderKind::snapshot;
    return std::nullopt;
}

// Objects of one folder stand beside each other.
class Gathering {
public:
    explicit Gathering(const OnFolder& on_folder) : on_folder_(on_folder) {}

    Result<> add(const ObjectInfo& object) {
        const std::size_t slash = object.key.rfind('/');
        if (slash == std::string::npos) return {};
        if (object.key.compare(0, slash, folder_.path) != 0) TRY(end(object.key.substr(0, slash)));
        if (folder_.files.size() < kFilesMax) folder_.files[object.key.substr(slash + 1)] = object.size_bytes;
        return {};
    }
    Result<> end(std::string next = "") {
        const auto kind = kind_of(folder_.path);
        if (kind && folder_.files.contains(std::string(kManifest))) {
            folder_.kind = *kind;
            folder_.id = folder_.path.substr(folder_.path.rfind('/') + 1);
            TRY(on_folder_(folder_));
        }
        folder_ = {};
        folder_.path = std::move(next);
        return {};
    }

private:
    const OnFolder& on_folder_;
    FoundFolder folder_;
};

Result<> for_each_page(Storage& storage, ListQuery query, const std::stop_token& stop,
                       const std::function<Result<>(const ListPage& page)>& on_page) {
    do {
        if (stop.stop_requested()) return Error(Errc::cancelled, "stopped");
        const ListPage page = TRY(storage.list(query));
        TRY(on_page(page));
        query.continue_after = page.next;
    } while (!query.continue_after.empty());
    return {};
}

Result<std::vector<std::string>> folders_in(Storage& storage, const std::string& prefix, const std::stop_token& stop) {
    std::vector<std::string> folders;
    TRY(for_each_page(storage, {prefix, true, "", 1000}, stop, [&](const ListPage& page) -> Result<> {
        folders.insert(folders.end(), page.folders.begin(), page.folders.end());
        return {};
    }));
    return folders;
}

Result<> gather(Storage& storage, const std::string& prefix, const std::stop_token& stop, const OnFolder& on_folder) {
    Gathering gathering(on_folder);
    TRY(for_each_page(storage, {prefix, false, "", 1000}, stop, [&](const ListPage& page) -> Result<> {
        for (const ObjectInfo& object : page.objects) TRY(gathering.add(object));
        return {};
    }));
    return gathering.end();
}

}  // namespace

Result<> survey(Storage& storage, const std::stop_token& stop, const OnFolder& on_folder) {
    for (const std::string& owner : TRY(folders_in(storage, "v1/", stop))) {
        for (const std::string& folder : TRY(folders_in(storage, owner, stop))) {
            if (folder != owner + "clusters/") {
                TRY(gather(storage, folder, stop, on_folder));
                continue;
            }
            // Beside base backups lies WAL: far more of it, and of no interest here.
            for (const std::string& cluster : TRY(folders_in(storage, folder, stop))) {
                TRY(gather(storage, cluster + "base/", stop, on_folder));
            }
        }
    }
    return {};
}

}  // namespace backstay::adoption
