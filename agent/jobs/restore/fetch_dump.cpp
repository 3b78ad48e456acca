#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "agent/artifact/tar_reader.h"
#include "agent/jobs/restore/dump_list.h"
#include "agent/jobs/restore/folders.h"
#include "agent/jobs/restore/side_database.h"
#include "agent/postgres/dump.h"
#include "common/domain/reasons.h"
#include "common/domain/steps.h"
#include "common/files/files.h"

namespace backstay::restore {
namespace {

Error failed(const std::string& doing) {
    const int number = errno;
    Error error = Error::from_errno(number, doing);
    if (number == ENOSPC || number == EDQUOT) error.add_reason(reason::kDiskSpaceLow);
    return error;
}

// A new file in the scratch folder.
class FileSink final : public Sink {
public:
    explicit FileSink(std::string path)
        : path_(std::move(path)), fd_(open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {}
    FileSink(const FileSink&) = delete;
    FileSink& operator=(const FileSink&) = delete;
    ~FileSink() override {
        if (fd_ >= 0) close(fd_);
    }

    Result<> write(ByteSpan bytes) override {
        if (fd_ < 0) return failed("make " + path_);
        while (!bytes.empty()) {
            const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
            if (count < 0) {
                if (errno == EINTR) continue;
                return failed("write " + path_);
            }
            bytes = bytes.subspan(static_cast<std::size_t>(count));
        }
        return {};
    }

private:
    std::string path_;
    int fd_;
};

// "toc.dat", "3456.dat", "blob_16394.dat" …: flat names, as pg_dump -Fd makes them.
Result<std::string> dump_member(const TarMember& member) {
    std::string name = member.path;
    if (name.starts_with("./")) name.erase(0, 2);
    if (member.kind != TarMember::Kind::file || name.empty() || name.find('/') != std::string::npos || name[0] == '.') {
        return Error(Errc::corrupted, fmt::format("the dump holds '{}', which is no part of one", member.path))
            .with_reason(reason::kStructureInvalid);
    }
    return name;
}

Result<> unpack_folder(Source& content, const std::string& folder) {
    return read_tar(content, [&](const TarMember& member, Source& bytes) -> Result<> {
        if (member.kind == TarMember::Kind::folder) return {};
        const std::string name = TRY(dump_member(member));
        FileSink file(fmt::format("{}/{}", folder, name));
        if (TRY(copy(bytes, file)) == 0) TRY(file.write({}));
        return {};
    });
}

}  // namespace

Result<FetchedDump> fetch_dump(const std::vector<ArtifactOrigin>& origins, const OpenedBackup& backup,
                               const std::string& folder, const Tool& pg_restore, std::stop_token stop,
                               const OnStoredBytes& on_bytes) {
    const ManifestArtifact* artifact = find_artifact(backup.manifest, artifact::kDatabase);
    if (artifact == nullptr) {
        return Error(Errc::not_found, "the backup has no database").with_reason(reason::kArtifactMissing);
    }
    FetchedDump dump;
    dump.path = folder + "/database";
    TRY(remove_folder(dump.path));
    TRY(remove_folder(dump.path + ".dump"));
    TRY(make_folders(folder, 0700));
    auto reader = TRY(ArtifactReader::open(origins, backup.folder, *artifact, backup.key, on_bytes));
    if (backup.manifest.dump_format == "directory") {
        TRY(make_folders(dump.path, 0700));
        TRY(unpack_folder(*reader, dump.path));
    } else {
        dump.path += ".dump";
        FileSink file(dump.path);
        TRY(copy(*reader, file));
    }
    dump.bytes = reader->plain_bytes();
    auto listed = postgres::list_archive(pg_restore, dump.path, std::move(stop));
    if (!listed) return std::move(listed).reason(reason::kStructureInvalid).error();
    dump.toc = std::move(*listed);
    dump.entries = split_list(dump.toc).entries;
    return dump;
}

}  // namespace backstay::restore
