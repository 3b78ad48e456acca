// Decompresses a zstd stream of one or more frames. What is cut, trails or is no zstd is corrupted with reason
// structure_invalid. The window is bounded by 128 MiB, as the zstd program bounds it.
#pragma once

#include <memory>

#include "common/bytes.h"

namespace backstay {

class ZstdSource final : public Source {
public:
    // `from` outlives it.
    explicit ZstdSource(Source& from);
    ~ZstdSource() override;
    Result<std::size_t> read(MutableByteSpan buffer) override;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace backstay
