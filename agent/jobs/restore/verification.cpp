#include "agent/jobs/restore/verification.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "agent/artifact/tar_reader.h"
#include "agent/jobs/restore/dump_list.h"
#include "agent/odoo/attachments.h"
#include "agent/postgres/dump.h"
#include "common/crypto/digest.h"
#include "common/domain/reasons.h"
#include "common/domain/steps.h"
#include "common/files/files.h"

namespace backstay::restore {
namespace {

constexpr std::size_t kTocMax = 64 << 20;

Result<std::unique_ptr<ArtifactReader>> open_artifact(const OpenedBackup& backup, const ManifestArtifact& artifact) {
    return ArtifactReader::open(backup.origins.list, backup.folder, artifact, backup.key);
}

std::uint64_t hash_of(std::string_view name) {
    std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    return hash;
}

// The table of contents leads the custom format, and pg_restore leaves once it has it.
Result<std::string> list_custom(Source& dump, const Tool& pg_restore, std::stop_token stop) {
    ProcessSpec spec;
    spec.argv = {pg_restore.path, "--list"};
    spec.pipe_stdin = true;
    spec.stop = std::move(stop);
    auto child = TRY(Subprocess::start(std::move(spec)));
    Result<> read_whole;
    std::jthread feeding([&] {
        std::vector<std::byte> buffer(256 * 1024);
        bool wanted = true;
        for (;;) {
            auto count = dump.read(buffer);
            if (!count) read_whole = std::move(count).error();
            if (!count || *count == 0) break;
            wanted = wanted && child->input().write(ByteSpan(buffer.data(), *count)).has_value();
        }
        // The child knows by its own status whether it had what it needed.
        if (wanted && !child->input().finish()) wanted = false;
    });
    auto listed = read_all(child->output(), kTocMax);
    feeding.join();
    TRY(read_whole);
    if (!listed) return std::move(listed).reason(reason::kStructureInvalid).error();
    return listed;
}

Result<std::string> list_directory(Source& dump, const Tool& pg_restore, const std::string& scratch,
                                   std::stop_token stop) {
    const TempDir folder = TRY(TempDir::create(scratch, "toc-"));
    bool found = false;
    TRY(read_tar(dump, [&](const TarMember& member, Source& content) -> Result<> {
        if (member.path != "toc.dat" && member.path != "./toc.dat") return {};
        const std::string toc = TRY(read_all(content, kTocMax));
        found = true;
        return atomic_write(folder.path() + "/toc.dat", toc, 0600);
    }));
    if (!found) return Error(Errc::corrupted, "the dump has no toc.dat").with_reason(reason::kStructureInvalid);
    return postgres::list_archive(pg_restore, folder.path(), std::move(stop)).reason(reason::kStructureInvalid);
}

}  // namespace

void NameSet::add(std::string_view name) { hashes_.push_back(hash_of(name)); }
void NameSet::seal() { std::sort(hashes_.begin(), hashes_.end()); }
bool NameSet::has(std::string_view name) const {
    return std::binary_search(hashes_.begin(), hashes_.end(), hash_of(name));
}

Result<std::uint64_t> count_toc_entries(const OpenedBackup& backup, const Tool& pg_restore, const std::string& scratch,
                                        std::stop_token stop) {
    const ManifestArtifact* artifact = find_artifact(backup.manifest, artifact::kDatabase);
    if (artifact == nullptr) {
        return Error(Errc::not_found, "the backup has no database").with_reason(reason::kArtifactMissing);
    }
    auto reader = TRY(open_artifact(backup, *artifact));
    const bool directory = backup.manifest.dump_format == "directory";
    const std::string toc = TRY(directory ? list_directory(*reader, pg_restore, scratch, std::move(stop))
                                          : list_custom(*reader, pg_restore, std::move(stop)));
    return split_list(toc).entries;
}

Result<ArchiveSeen> look_through_filestore(const OpenedBackup& backup, NameSet& names, std::stop_token stop) {
    const ManifestArtifact* artifact = find_artifact(backup.manifest, artifact::kFilestore);
    if (artifact == nullptr) {
        return Error(Errc::not_found, "the backup has no filestore").with_reason(reason::kArtifactMissing);
    }
    auto reader = TRY(open_artifact(backup, *artifact));
    ArchiveSeen seen;
    Digest digest(DigestKind::sha1);
    std::vector<std::byte> buffer(256 * 1024);
    TRY(read_tar(*reader, [&](const TarMember& member, Source& content) -> Result<> {
        if (stop.stop_requested()) return Error(Errc::cancelled, "stopped").with_reason(reason::kCancelled);
        if (member.kind != TarMember::Kind::file) return {};
        const std::string name = member.path.starts_with("./") ? member.path.substr(2) : member.path;
        while (const std::size_t count = TRY(content.read(buffer))) {
            digest.update(ByteSpan(buffer.data(), count));
            seen.bytes += count;
        }
        const std::string sha1 = digest.hex();
        const std::string wanted = odoo::sha1_of_name(name);
        if (!wanted.empty() && wanted != sha1) ++seen.damaged;
        ++seen.files;
        names.add(name);
        return {};
    }));
    names.seal();
    return seen;
}

Result<std::uint64_t> unpack_to_nothing(const OpenedBackup& backup, const ManifestArtifact& artifact) {
    auto reader = TRY(open_artifact(backup, artifact));
    std::vector<std::byte> buffer(256 * 1024);
    while (TRY(reader->read(buffer)) > 0) {
    }
    return reader->plain_bytes();
}

}  // namespace backstay::restore
