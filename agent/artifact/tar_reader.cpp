#include "agent/artifact/tar_reader.h"

#include <fmt/format.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "agent/artifact/archive_input.h"
#include "common/domain/reasons.h"

namespace backstay {
namespace {

struct Feed {
    Source* from = nullptr;
    std::vector<std::byte> buffer = std::vector<std::byte>(256 * 1024);
    std::optional<Error> error;
};

la_ssize_t give(archive* reader, void* data, const void** block) noexcept {
    Feed& feed = *static_cast<Feed*>(data);
    auto count = feed.from->read(feed.buffer);
    if (!count) {
        feed.error = std::move(count).error();
        archive_set_error(reader, EIO, "source failed");
        return -1;
    }
    *block = feed.buffer.data();
    return static_cast<la_ssize_t>(*count);
}

Error failure(archive* reader, Feed& feed) {
    if (feed.error) return std::move(*feed.error);
    const char* text = archive_error_string(reader);
    return Error(Errc::corrupted, fmt::format("tar: {}", text != nullptr ? text : "broken"))
        .with_reason(reason::kStructureInvalid);
}

}  // namespace

Result<> read_tar(Source& from, const OnTarMember& on_member) {
    Feed feed;
    feed.from = &from;
    const ReadingArchive reader(archive_read_new());
    archive_read_support_format_tar(reader.get());
    archive_read_support_format_empty(reader.get());
    if (archive_read_open(reader.get(), &feed, nullptr, give, nullptr) != ARCHIVE_OK) {
        return failure(reader.get(), feed);
    }
    TRY(read_members(reader.get(), on_member, [&] { return failure(reader.get(), feed); }));
    while (TRY(from.read(feed.buffer)) > 0) {
    }
    return {};
}

}  // namespace backstay
