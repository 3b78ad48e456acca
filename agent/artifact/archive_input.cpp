#include "agent/artifact/archive_input.h"

namespace backstay {
namespace {

class MemberContent final : public Source {
public:
    MemberContent(archive* reader, const std::function<Error()>& failure) : reader_(reader), failure_(failure) {}
    Result<std::size_t> read(MutableByteSpan buffer) override {
        const la_ssize_t count = archive_read_data(reader_, buffer.data(), buffer.size());
        if (count < 0) return failure_();
        return static_cast<std::size_t>(count);
    }

private:
    archive* reader_;
    const std::function<Error()>& failure_;
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

Result<> read_members(archive* reader, const OnTarMember& on_member, const std::function<Error()>& failure) {
    for (;;) {
        archive_entry* entry = nullptr;
        const int status = archive_read_next_header(reader, &entry);
        if (status == ARCHIVE_EOF) return {};
        if (status < ARCHIVE_WARN) return failure();
        MemberContent content(reader, failure);
        TRY(on_member(describe(entry), content));
    }
}

}  // namespace backstay
