// Writes a pax tar (restricted: plain ustar wherever that suffices) into a Sink. libarchive's home for writing. One
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/bytes.h"
#include "common/result.h"

namespace backstay {

struct TarFile {
    std::string name;
    std::uint64_t size_bytes = 0;
    std::int64_t modified_at = 0;  // seconds since 1970
    unsigned mode = 0644;
};

class TarWriter {
public:
    // `to` outlives it and is not finished by it.
    static Result<std::unique_ptr<TarWriter>> open(Sink& to);
    ~TarWriter();

    // Begins a member; exactly size_bytes must follow through data().
    Result<> begin(const TarFile& file);
    Result<> data(ByteSpan bytes);
    Result<> add(const TarFile& file, ByteSpan content);
    // The end of the archive.
    Result<> finish();

private:
    struct State;
    explicit TarWriter(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// The library's version, "3.6.2".
std::string tar_version();

}  // namespace backstay
