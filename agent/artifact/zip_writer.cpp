#include "agent/artifact/zip_writer.h"

#include <array>

#include "agent/artifact/archive_output.h"

namespace backstay {
namespace {

// What databases of Odoo are full of.
constexpr std::array<std::string_view, 10> kCompressed = {
    "\xff\xd8\xff",      // JPEG
    "\x89PNG",           //
    "GIF8",              //
    {"PK\x03\x04", 4},   // ZIP: docx, xlsx, odt
    "\x1f\x8b",          // gzip
    "\x28\xb5\x2f\xfd",  // zstd
    "7z\xbc\xaf",        //
    "OggS",              //
    "ID3",               // MP3
    "wOF",               // WOFF
};

}  // namespace

struct ZipWriter::State {
    explicit State(Sink& sink) : output(sink) {}
    ArchiveOutput output;
};

ZipWriter::ZipWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ZipWriter::~ZipWriter() = default;

Result<std::unique_ptr<ZipWriter>> ZipWriter::open(Sink& to) {
    auto state = std::make_unique<State>(to);
    archive* writer = state->output.get();
    archive_write_set_format_zip(writer);
    archive_write_add_filter_none(writer);
    // Quick before small: one thread deflates it, and whoever wants it waits.
    if (archive_write_set_format_option(writer, "zip", "compression-level", "1") != ARCHIVE_OK) {
        return state->output.failure("begin a ZIP");
    }
    TRY(state->output.open());
    return std::unique_ptr<ZipWriter>(new ZipWriter(std::move(state)));
}

Result<> ZipWriter::begin(const ZipFile& file) {
    archive* writer = state_->output.get();
    const int chosen = file.deflate ? archive_write_zip_set_compression_deflate(writer)
                                    : archive_write_zip_set_compression_store(writer);
    if (chosen != ARCHIVE_OK) return state_->output.failure("choose a compression");
    return state_->output.begin({file.name, file.size_bytes, file.modified_at, 0644});
}

Result<> ZipWriter::data(ByteSpan bytes) { return state_->output.data(bytes); }

Result<> ZipWriter::finish() { return state_->output.close(); }

bool looks_compressed(ByteSpan beginning) {
    const std::string_view text = as_text(beginning);
    for (const std::string_view magic : kCompressed) {
        if (text.starts_with(magic)) return true;
    }
    return text.size() >= 12 && (text.substr(4, 4) == "ftyp" || text.substr(8, 4) == "WEBP");
}

}  // namespace backstay
