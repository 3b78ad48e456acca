// One stream for several readers at their own pace, in bounded memory: one thread writes, each reader has a thread of
// its own. A reader that leaves, or that stands still while the others wait for it, is dropped; the rest go on.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "agent/artifact/buffer.h"
#include "common/bytes.h"
#include "common/result.h"

namespace backstay {

class FanOut {
public:
    // A reader that took nothing for `patience_ms` while the buffer was full and others had taken all is dropped.
    // `on_read` gets each chunk back when all have read it; called under the lock, so it must be quick.
    FanOut(std::size_t readers, std::size_t buffer_bytes, std::int64_t patience_ms,
           std::function<void(Buffer)> on_read = {});

    // Writer: blocks while the buffer is full. `unavailable` once no reader is left.
    Result<> push(Buffer chunk);
    // Every reader has left, so that a push was refused.
    bool deserted();
    // Writer: no push follows; readers then see the end, or the error instead of it.
    void close(std::optional<Error> error);

    // Reader `number`: blocks until there is something; 0 is the end. timed_out when it was dropped.
    Result<std::size_t> read(std::size_t number, MutableByteSpan buffer);
    // Reader `number` takes no more. Any thread, any number of times.
    void leave(std::size_t number);

private:
    struct Reader {
        std::uint64_t chunk = 0;   // the next one it reads from
        std::size_t position = 0;  // inside it
        std::int64_t moved_at_ms = 0;
        bool reading = false;  // copies out of its chunk, without the lock: the chunk stays, though the reader be gone
        bool gone = false;
        bool too_slow = false;
    };
    void drop_read_chunks();
    void drop_laggards();
    bool any_reader() const;

    const std::size_t buffer_bytes_;
    const std::int64_t patience_ms_;
    const std::function<void(Buffer)> on_read_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Reader> readers_;
    std::deque<Buffer> chunks_;
    std::uint64_t first_chunk_ = 0;  // number of chunks_.front()
    std::size_t held_bytes_ = 0;
    bool closed_ = false;
    std::optional<Error> error_;
};

// A reader's end of it, as a Source.
class FanOutSource final : public Source {
public:
    FanOutSource(FanOut& from, std::size_t number) : from_(from), number_(number) {}
    ~FanOutSource() override { from_.leave(number_); }
    Result<std::size_t> read(MutableByteSpan buffer) override { return from_.read(number_, buffer); }

private:
    FanOut& from_;
    std::size_t number_;
};

}  // namespace backstay
