#include "control-plane/browse/paths.h"

#include <algorithm>
#include <array>
#include <vector>

#include "control-plane/api/answer.h"
#include "storage/storage.h"

namespace backstay::browse {
namespace {

constexpr std::array<std::string_view, 4> kHidden = {"%2e", "%2f", "%5c", "%00"};
constexpr std::array<std::string_view, 4> kManaged = {"backups", "base", "wal", "snapshots"};

Error refused(std::string_view why) { return api::problem(400, "invalid_path", "the path " + std::string(why)); }

bool hides_something(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return std::any_of(kHidden.begin(), kHidden.end(),
                       [&](std::string_view hidden) { return lower.find(hidden) != std::string::npos; });
}

std::vector<std::string_view> segments_of(std::string_view path) {
    std::vector<std::string_view> segments;
    while (true) {
        const std::size_t slash = path.find('/');
        segments.push_back(path.substr(0, slash));
        if (slash == std::string_view::npos) return segments;
        path.remove_prefix(slash + 1);
    }
}

}  // namespace

Result<std::string> object_path(std::string_view text) {
    constexpr std::string_view kSubject = "object key ";
    if (const auto sound = check_key(text); !sound) {
        const std::string_view why = sound.error().message();
        return refused(why.starts_with(kSubject) ? why.substr(kSubject.size()) : why);
    }
    if (hides_something(text)) return refused("is percent-encoded twice");
    return std::string(text);
}

Result<std::string> folder_prefix(std::string_view text) {
    if (text.empty()) return std::string();
    if (text.ends_with('/')) text.remove_suffix(1);
    std::string folder = TRY(object_path(text));
    return folder += '/';
}

bool is_reserved(std::string_view path, std::string_view organization) {
    const auto segments = segments_of(path);
    const std::string_view first = segments.front();
    if (first.starts_with('.') || first == "lost+found") return true;  // the drivers' own
    if (std::find(kManaged.begin(), kManaged.end(), first) != kManaged.end()) return true;
    if (first != "v1") return false;
    return segments.size() < 6 || segments[1] != organization || segments[4] != "uploads";
}

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace backstay::browse
