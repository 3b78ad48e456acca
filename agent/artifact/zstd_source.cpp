#include "agent/artifact/zstd_source.h"

#include <fmt/format.h>
#include <zstd.h>

#include <cstdlib>
#include <vector>

#include "common/domain/reasons.h"

namespace backstay {
namespace {

struct FreeContext {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

Error broken(std::string_view what) {
    return Error(Errc::corrupted, fmt::format("zstd stream: {}", what)).with_reason(reason::kStructureInvalid);
}

}  // namespace

struct ZstdSource::State {
    explicit State(Source& source) : from(source), context(ZSTD_createDCtx()), input(ZSTD_DStreamInSize()) {
        if (!context) std::abort();
        ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 27);
    }

    Source& from;
    std::unique_ptr<ZSTD_DCtx, FreeContext> context;
    std::vector<std::byte> input;
    ZSTD_inBuffer pending{nullptr, 0, 0};
    bool between_frames = false;  // the last call ended a frame exactly
    bool input_ended = false;
};

ZstdSource::ZstdSource(Source& from) : state_(std::make_unique<State>(from)) {}
ZstdSource::~ZstdSource() = default;

Result<std::size_t> ZstdSource::read(MutableByteSpan buffer) {
    ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
    while (out.pos == 0) {
        if (state_->pending.pos == state_->pending.size && !state_->input_ended) {
            const std::size_t count = TRY(state_->from.read(state_->input));
            state_->pending = {state_->input.data(), count, 0};
            state_->input_ended = count == 0;
        }
        if (state_->input_ended) {
            if (state_->between_frames) return std::size_t{0};
            return broken("it ends before its last frame does");
        }
        const std::size_t left = ZSTD_decompressStream(state_->context.get(), &out, &state_->pending);
        if (ZSTD_isError(left) != 0U) return broken(ZSTD_getErrorName(left));
        state_->between_frames = left == 0;
    }
    return out.pos;
}

}  // namespace backstay
