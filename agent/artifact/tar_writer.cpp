#include "agent/artifact/tar_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <optional>

namespace backstay {
namespace {

struct FreeArchive {
    void operator()(archive* a) const {
        // Without this, freeing an unfinished archive would still write its end.
        archive_write_fail(a);
        archive_write_free(a);
    }
};
struct FreeEntry {
    void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

}  // namespace

struct TarWriter::State {
    explicit State(Sink& sink) : to(sink) {}

    // An error of the sink is handed on as it is; libarchive's own is named.
    Error failure(std::string_view doing) {
        if (error) return *error;
        const char* text = archive_error_string(writer.get());
        return Error(Errc::io, fmt::format("{}: {}", doing, text == nullptr ? "libarchive failed" : text));
    }

    static la_ssize_t on_write(archive*, void* self, const void* bytes, std::size_t size) noexcept {
        State& state = *static_cast<State*>(self);
        Result<> written = state.to.write(ByteSpan(static_cast<const std::byte*>(bytes), size));
        if (written) return static_cast<la_ssize_t>(size);
        state.error = std::move(written).error();
        return -1;
    }

    Sink& to;
    std::optional<Error> error;
    std::unique_ptr<archive_entry, FreeEntry> entry{archive_entry_new()};
    std::unique_ptr<archive, FreeArchive> writer{archive_write_new()};
};

TarWriter::TarWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
TarWriter::~TarWriter() = default;

Result<std::unique_ptr<TarWriter>> TarWriter::open(Sink& to) {
    auto state = std::make_unique<State>(to);
    archive* writer = state->writer.get();
    archive_write_set_format_pax_restricted(writer);
    archive_write_add_filter_none(writer);
    // Straight through: the sink gathers blocks itself.
    archive_write_set_bytes_per_block(writer, 0);
    if (archive_write_open(writer, state.get(), nullptr, &State::on_write, nullptr) != ARCHIVE_OK) {
        return state->failure("begin a tar");
    }
    return std::unique_ptr<TarWriter>(new TarWriter(std::move(state)));
}

Result<> TarWriter::begin(const TarFile& file) {
    archive_entry* entry = state_->entry.get();
    archive_entry_clear(entry);
    archive_entry_set_pathname(entry, file.name.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_size(entry, static_cast<la_int64_t>(file.size_bytes));
    archive_entry_set_perm(entry, file.mode);
    archive_entry_set_mtime(entry, file.modified_at, 0);
    if (archive_write_header(state_->writer.get(), entry) < ARCHIVE_WARN) return state_->failure("add " + file.name);
    return {};
}

Result<> TarWriter::data(ByteSpan bytes) {
    if (bytes.empty()) return {};
    const la_ssize_t count = archive_write_data(state_->writer.get(), bytes.data(), bytes.size());
    if (count != static_cast<la_ssize_t>(bytes.size())) return state_->failure("write to a tar");
    return {};
}

Result<> TarWriter::add(const TarFile& file, ByteSpan content) {
    TRY(begin(file));
    return data(content);
}

Result<> TarWriter::finish() {
    if (archive_write_close(state_->writer.get()) != ARCHIVE_OK) return state_->failure("end a tar");
    return {};
}

std::string tar_version() {
    const int number = archive_version_number();
    return fmt::format("{}.{}.{}", number / 1'000'000, number / 1000 % 1000, number % 1000);
}

}  // namespace backstay
