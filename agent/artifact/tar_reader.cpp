#include "agent/artifact/tar_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "common/domain/reasons.h"

namespace backstay {
namespace {

struct FreeArchive {
    void operator()(archive* reader) const { archive_read_free(reader); }
};

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

class MemberContent final : public Source {
public:
    MemberContent(archive* reader, Feed& feed) : reader_(reader), feed_(feed) {}
    Result<std::size_t> read(MutableByteSpan buffer) override {
        const la_ssize_t count = archive_read_data(reader_, buffer.data(), buffer.size());
        if (count < 0) return failure(reader_, feed_);
        return static_cast<std::size_t>(count);
    }

private:
    archive* reader_;
    Feed& feed_;
};

TarMember describe(archive_entry* entry) {
    TarMember member;
    const char* path = archive_entry_pathname(entry);
    member.path = path != nullptr ? path : "";
    const auto type = archive_entry_filetype(entry);
    const bool linked = archive_entry_hardlink(entry) != nullptr;
    member.kind = linked             ? TarMember::Kind::other
                  : type == AE_IFREG ? TarMember::Kind::file
                  : type == AE_IFDIR ? TarMember::Kind::folder
                                     : TarMember::Kind::other;
    member.size_bytes = static_cast<std::uint64_t>(archive_entry_size(entry));
    member.mode = archive_entry_perm(entry);
    member.modified_at = archive_entry_mtime(entry);
    return member;
}

}  // namespace

Result<> read_tar(Source& from, const OnTarMember& on_member) {
    Feed feed;
    feed.from = &from;
    const std::unique_ptr<archive, FreeArchive> reader(archive_read_new());
    archive_read_support_format_tar(reader.get());
    archive_read_support_format_empty(reader.get());
    if (archive_read_open(reader.get(), &feed, nullptr, give, nullptr) != ARCHIVE_OK) {
        return failure(reader.get(), feed);
    }
    for (;;) {
        archive_entry* entry = nullptr;
        const int status = archive_read_next_header(reader.get(), &entry);
        if (status == ARCHIVE_EOF) break;
        if (status < ARCHIVE_WARN) return failure(reader.get(), feed);
        MemberContent content(reader.get(), feed);
        TRY(on_member(describe(entry), content));
    }
    while (TRY(from.read(feed.buffer)) > 0) {
    }
    return {};
}

}  // namespace backstay
