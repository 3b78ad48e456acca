// What a verification looks at, beyond the checksums. Each function reads its artifact to the end.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/jobs/restore/opened_backup.h"
#include "agent/postgres/cluster.h"

namespace backstay::restore {

// Names of a filestore's archive, remembered by 64 bits each: two million take 16 MB.
class NameSet {
public:
    void add(std::string_view name);
    void seal();  // before the first ask
    bool has(std::string_view name) const;
    std::size_t size() const { return hashes_.size(); }

private:
    std::vector<std::uint64_t> hashes_;
};

// pg_restore --list of the stored dump without unpacking it. structure_invalid.
Result<std::uint64_t> count_toc_entries(const OpenedBackup& backup, const Tool& pg_restore, const std::string& scratch,
                                        std::stop_token stop);

struct ArchiveSeen {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::uint64_t damaged = 0;  // content that its name denies
};
// Every member of filestore.tar.zst, its SHA-1 against its name.
Result<ArchiveSeen> look_through_filestore(const OpenedBackup& backup, NameSet& names, std::stop_token stop);

// Any other artifact: does it unpack to its end? Answers the plain bytes.
Result<std::uint64_t> unpack_to_nothing(const OpenedBackup& backup, const ManifestArtifact& artifact);

}  // namespace backstay::restore
