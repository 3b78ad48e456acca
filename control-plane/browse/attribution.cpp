#include "control-plane/browse/attribution.h"

#include <vector>

namespace backstay::browse {
namespace {

using Segments = std::vector<std::string_view>;

Segments segments_of(std::string_view key) {
    Segments segments;
    while (!key.empty()) {
        const std::size_t slash = key.find('/');
        segments.push_back(key.substr(0, slash));
        if (slash == std::string_view::npos) break;
        key.remove_prefix(slash + 1);
    }
    return segments;
}

std::string at(const Segments& segments, std::size_t index) {
    return index < segments.size() ? std::string(segments[index]) : std::string();
}

std::string_view kind_of(Area area, std::string_view file) {
    if (area == Area::wal) return "wal";
    if (area != Area::backup && area != Area::snapshot && area != Area::base) return "other";
    if (file == "manifest.json") return "manifest";
    if (area == Area::base) return "base";
    if (file.starts_with("database.") || file.starts_with("db.")) return "db";
    if (file.starts_with("filestore.")) return "filestore";
    if (file.starts_with("config.") || file.starts_with("globals.")) return "config";
    return "other";
}

// `from`: where the area's name stands.
void read_area(const Segments& segments, std::size_t from, Attribution& out) {
    const std::string area = at(segments, from);
    if (area == "backups") {
        out.area = Area::backup;  // backups/<yyyy>/<mm>/<dd>/<id>
        out.record_id = at(segments, from + 4);
    } else if (area == "snapshots") {
        out.area = Area::snapshot;
        out.record_id = at(segments, from + 1);
    } else if (area == "base") {
        out.area = Area::base;
        out.record_id = at(segments, from + 1);
    } else if (area == "wal") {
        out.area = Area::wal;
    } else if (area == "uploads") {
        out.area = Area::upload;
    }
}

}  // namespace

Attribution attribute(std::string_view key) {
    Attribution out;
    const Segments segments = segments_of(key);
    if (at(segments, 0) != "v1") return out;
    out.organization_id = at(segments, 1);
    if (at(segments, 2) == "clusters") {  // v1/<org>/clusters/<systemId>/…
        read_area(segments, 4, out);
    } else {
        out.project_id = at(segments, 2);
        out.environment_id = at(segments, 3);
        read_area(segments, 4, out);
    }
    if (!key.ends_with('/')) out.kind = kind_of(out.area, segments.back());
    return out;
}

}  // namespace backstay::browse
