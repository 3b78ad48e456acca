// Writes a ZIP (ZIP64 where needed) into a Sink, front to back: sizes and checksums follow each member, so that nothing
// is known or kept before it is written. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "common/bytes.h"
#include "common/result.h"

namespace backstay {

struct ZipFile {
    std::string_view name;
    std::optional<std::uint64_t> size_bytes;  // absent: not known yet
    std::int64_t modified_at = 0;             // seconds since 1970
    bool deflate = true;                      // false: as it is, for what is compressed already
};

class ZipWriter {
public:
    // `to` outlives it and is not finished by it.
    static Result<std::unique_ptr<ZipWriter>> open(Sink& to);
    ~ZipWriter();

    Result<> begin(const ZipFile& file);
    Result<> data(ByteSpan bytes);
    // The directory at the end.
    Result<> finish();

private:
    struct State;
    explicit ZipWriter(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// By its first bytes: a picture, an office document, an archive or the like, which deflating would not make smaller.
bool looks_compressed(ByteSpan beginning);

}  // namespace backstay
