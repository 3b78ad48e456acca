// Reads another source on a thread of its own, a bounded piece ahead: two stages of a pipe then work at once.
#pragma once

#include <thread>

#include "agent/artifact/byte_queue.h"

namespace backstay {

class ReadAhead final : public Source {
public:
    // `from` outlives it and is this thread's alone from now on.
    explicit ReadAhead(Source& from);
    // Waits until a read of `from` that is under way returns.
    ~ReadAhead() override;
    Result<std::size_t> read(MutableByteSpan buffer) override { return queue_.pop(buffer); }

private:
    Result<> run(Source& from);

    ByteQueue queue_{16};
    std::jthread thread_;
};

}  // namespace backstay
