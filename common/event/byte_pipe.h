// Bytes on their way between a thread that blocks and one that must not (the loop), or between two that block: one
// writer, one reader, a bounded buffer between them. Thread-safe.
//
// The blocking side uses write() or read(). The other side uses offer() and full(), or take(), and is told by
// on_change when it is worth looking again. Either side may go first: the writer by finish() or fail(), the reader by
// close().
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "common/bytes.h"
#include "common/result.h"

namespace backstay {

class BytePipe {
public:
    struct Limits {
        std::size_t buffer_bytes = 512 * 1024;
        std::uint64_t stall_ms = 120'000;  // a side that waits for the other longer than this gives up: timed_out
    };
    explicit BytePipe(Limits limits) : limits_(limits) {}
    BytePipe() : BytePipe(Limits()) {}

    // Waits for room. An error is the reader's, or timed_out.
    Result<> write(ByteSpan bytes);
    // Never waits, takes all. False: nobody reads any more. A writer that minds full() passes the limit by one piece.
    bool offer(std::string_view bytes);
    bool full() const;
    // The end of the bytes: what is there is still read.
    void finish();
    // The bytes broke off: the reader gets what is there, then the error. The first end counts.
    void fail(Error error);

    // Waits for bytes; 0 is the end.
    Result<std::size_t> read(MutableByteSpan buffer);
    struct Taken {
        std::string bytes;
        bool ended = false;
        std::optional<Error> failed;
    };
    // Never waits. Answers at most `most` bytes; `ended` or `failed` only when none are left.
    Taken take(std::size_t most);
    // Nobody reads any more; the writer is told why.
    void close(Error why);

    // Called when the other side did something: from its thread, without a lock held. Set it before the other side
    // begins.
    void on_change(std::function<void()> callback);

private:
    void tell();
    bool over() const { return ended_ || failed_.has_value(); }

    const Limits limits_;
    mutable std::mutex mutex_;
    std::condition_variable moved_;
    std::function<void()> changed_;
    std::string buffer_;
    std::size_t taken_ = 0;  // of buffer_
    bool ended_ = false;
    std::optional<Error> failed_;
    std::optional<Error> closed_;
};

// Two owners are right: its ends are on two threads, and either may go first.
using SharedPipe = std::shared_ptr<BytePipe>;

// Its two ends as the usual streams. The pipe outlives them.
class PipeSource final : public Source {
public:
    explicit PipeSource(BytePipe& pipe) : pipe_(pipe) {}
    Result<std::size_t> read(MutableByteSpan buffer) override { return pipe_.read(buffer); }

private:
    BytePipe& pipe_;
};

class PipeSink final : public Sink {
public:
    explicit PipeSink(BytePipe& pipe) : pipe_(pipe) {}
    Result<> write(ByteSpan bytes) override { return pipe_.write(bytes); }
    Result<> finish() override {
        pipe_.finish();
        return {};
    }

private:
    BytePipe& pipe_;
};

}  // namespace backstay
