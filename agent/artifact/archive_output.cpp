#include "agent/artifact/archive_output.h"

#include <fmt/format.h>

namespace backstay {

void ArchiveOutput::FreeArchive::operator()(archive* writer) const {
    // Without this, freeing an unfinished archive would still write its end.
    archive_write_fail(writer);
    archive_write_free(writer);
}

la_ssize_t ArchiveOutput::on_write(archive*, void* self, const void* bytes, std::size_t size) noexcept {
    ArchiveOutput& output = *static_cast<ArchiveOutput*>(self);
    Result<> written = output.to_.write(ByteSpan(static_cast<const std::byte*>(bytes), size));
    if (written) return static_cast<la_ssize_t>(size);
    output.error_ = std::move(written).error();
    return -1;
}

Error ArchiveOutput::failure(std::string_view doing) const {
    if (error_) return *error_;
    const char* text = archive_error_string(writer_.get());
    return Error(Errc::io, fmt::format("{}: {}", doing, text == nullptr ? "libarchive failed" : text));
}

Result<> ArchiveOutput::open() {
    // Straight through: the sink gathers blocks itself.
    archive_write_set_bytes_per_block(writer_.get(), 0);
    if (archive_write_open(writer_.get(), this, nullptr, &ArchiveOutput::on_write, nullptr) == ARCHIVE_OK) return {};
    return failure("begin an archive");
}

Result<> ArchiveOutput::begin(const ArchiveMember& member) {
    archive_entry* entry = entry_.get();
    const std::string name(member.name);
    archive_entry_clear(entry);
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    if (member.size_bytes) archive_entry_set_size(entry, static_cast<la_int64_t>(*member.size_bytes));
    archive_entry_set_perm(entry, member.mode);
    archive_entry_set_mtime(entry, member.modified_at, 0);
    if (archive_write_header(writer_.get(), entry) < ARCHIVE_WARN) return failure("add " + name);
    return {};
}

Result<> ArchiveOutput::data(ByteSpan bytes) {
    if (bytes.empty()) return {};
    const la_ssize_t count = archive_write_data(writer_.get(), bytes.data(), bytes.size());
    if (count != static_cast<la_ssize_t>(bytes.size())) return failure("write to an archive");
    return {};
}

Result<> ArchiveOutput::close() {
    if (archive_write_close(writer_.get()) != ARCHIVE_OK) return failure("end an archive");
    return {};
}

}  // namespace backstay
