// Whose object a key is, by the layout alone (contract/semantics.md 2.2; common/domain/layout.h). Pure.
#pragma once

#include <string>
#include <string_view>

namespace backstay::browse {

enum class Area { other, backup, snapshot, base, wal, upload };

struct Attribution {
    Area area = Area::other;
    std::string organization_id;  // empty outside of the tree "v1/"
    std::string project_id;
    std::string environment_id;
    std::string record_id;  // the backup's, base backup's or snapshot's; empty for other areas
    // manifest, db, filestore, config, wal, base, other
    std::string_view kind = "other";

    // Not in the tree of another organization.
    bool is_of(std::string_view organization) const {
        return organization_id.empty() || organization_id == organization;
    }
};

// `key` may be a folder ("v1/…/", ending in '/'): what it tells so far.
Attribution attribute(std::string_view key);

}  // namespace backstay::browse
