#include "agent/artifact/zip_reader.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "agent/artifact/archive_input.h"
#include "common/domain/reasons.h"

namespace backstay {
namespace {

constexpr std::size_t kBlock = 256 * 1024;

Error failure(archive* reader) {
    const char* text = archive_error_string(reader);
    return Error(Errc::corrupted, fmt::format("ZIP: {}", text != nullptr ? text : "broken"))
        .with_reason(reason::kStructureInvalid);
}

}  // namespace

Result<> read_zip(int fd, const OnTarMember& on_member) {
    if (::lseek(fd, 0, SEEK_SET) != 0) return Error::from_errno(errno, "read the ZIP");
    const ReadingArchive reader(archive_read_new());
    // By the directory at the end, as every program that restores such a file does.
    archive_read_support_format_zip_seekable(reader.get());
    if (archive_read_open_fd(reader.get(), fd, kBlock) != ARCHIVE_OK) return failure(reader.get());
    return read_members(reader.get(), on_member, [&] { return failure(reader.get()); });
}

}  // namespace backstay
