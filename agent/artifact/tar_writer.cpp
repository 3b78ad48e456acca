#include "agent/artifact/tar_writer.h"

#include <fmt/format.h>

#include "agent/artifact/archive_output.h"

namespace backstay {

struct TarWriter::State {
    explicit State(Sink& sink) : output(sink) {}
    ArchiveOutput output;
};

TarWriter::TarWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
TarWriter::~TarWriter() = default;

Result<std::unique_ptr<TarWriter>> TarWriter::open(Sink& to) {
    auto state = std::make_unique<State>(to);
    archive_write_set_format_pax_restricted(state->output.get());
    archive_write_add_filter_none(state->output.get());
    TRY(state->output.open());
    return std::unique_ptr<TarWriter>(new TarWriter(std::move(state)));
}

Result<> TarWriter::begin(const TarFile& file) {
    return state_->output.begin({file.name, file.size_bytes, file.modified_at, file.mode});
}

Result<> TarWriter::data(ByteSpan bytes) { return state_->output.data(bytes); }

Result<> TarWriter::add(const TarFile& file, ByteSpan content) {
    TRY(begin(file));
    return data(content);
}

Result<> TarWriter::finish() { return state_->output.close(); }

std::string tar_version() {
    const int number = archive_version_number();
    return fmt::format("{}.{}.{}", number / 1'000'000, number / 1000 % 1000, number % 1000);
}

}  // namespace backstay
