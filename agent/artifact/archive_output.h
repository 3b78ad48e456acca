// libarchive in front of a Sink: what the writers of this folder share. One thread.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/bytes.h"
#include "common/result.h"

namespace backstay {

struct ArchiveMember {
    std::string_view name;
    std::optional<std::uint64_t> size_bytes;  // absent: known at its end only, where the format allows that
    std::int64_t modified_at = 0;             // seconds since 1970
    unsigned mode = 0644;
};

class ArchiveOutput {
public:
    explicit ArchiveOutput(Sink& to) : to_(to) {}

    archive* get() const { return writer_.get(); }
    // After the format was set.
    Result<> open();
    Result<> begin(const ArchiveMember& member);
    Result<> data(ByteSpan bytes);
    Result<> close();
    // An error of the sink is handed on as it is; libarchive's own is named.
    Error failure(std::string_view doing) const;

private:
    struct FreeArchive {
        void operator()(archive* writer) const;
    };
    struct FreeEntry {
        void operator()(archive_entry* entry) const { archive_entry_free(entry); }
    };
    static la_ssize_t on_write(archive* writer, void* self, const void* bytes, std::size_t size) noexcept;

    Sink& to_;
    std::optional<Error> error_;
    std::unique_ptr<archive_entry, FreeEntry> entry_{archive_entry_new()};
    std::unique_ptr<archive, FreeArchive> writer_{archive_write_new()};
};

}  // namespace backstay
