// A bounded queue of byte blocks between two threads: one writes, one reads. Either side may give up.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "common/bytes.h"
#include "common/result.h"

namespace backstay {

class ByteQueue {
public:
    static constexpr std::size_t kBlockBytes = 256 * 1024;

    explicit ByteQueue(std::size_t max_blocks) : max_blocks_(max_blocks) {}

    // Writer: blocks while the queue is full. `cancelled` once the reader has gone.
    Result<> push(ByteSpan bytes);
    // Writer: no push follows; the reader then sees the end, or the error instead of it.
    void close(std::optional<Error> error);

    // Reader: blocks until there is something; 0 is the end.
    Result<std::size_t> pop(MutableByteSpan buffer);
    // Reader: takes no more; a blocked push returns.
    void abandon();

private:
    std::size_t max_blocks_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::vector<std::byte>> blocks_;
    std::size_t front_position_ = 0;
    bool closed_ = false;
    bool abandoned_ = false;
    std::optional<Error> error_;
};

}  // namespace backstay
