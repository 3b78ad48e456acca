// Threads that compress blocks, shared by all streams of a job: zstd's home for writing. Each block becomes a zstd
// frame of its own; frames one after the other are an ordinary .zst file. Against zstd's own workers this costs no
// window memory, shares its threads between streams, and lets each stream choose its level as it goes.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/artifact/buffer.h"
#include "common/bytes.h"
#include "common/process/priority.h"
#include "common/result.h"

struct ZSTD_CCtx_s;

namespace backstay {

// Large against zstd's window at the usual levels (2 MiB at 3), so that a fresh start costs little ratio.
inline constexpr std::size_t kCompressionBlockBytes = 4 << 20;

// Which level a stream uses. A higher level is not always smaller (dumps of repetitive rows are often smaller at 1, and
// filestores full of images hardly shrink at all), so now and then a block is compressed at both, and the fast level
// serves as long as its results were at most a hundredth larger.
class LevelChoice {
public:
    // The ordered level; nothing is tried at 1 and 2, where little is to be gained, or above 6, where size was meant.
    explicit LevelChoice(std::int32_t ordered) : ordered_(ordered) {}

    // True for the first blocks and each sixteenth.
    bool try_both() const { return ordered_ >= 3 && ordered_ <= 6 && (blocks_ < 2 || blocks_ % 16 == 0); }
    std::int32_t level() const { return fast_ ? kFast : ordered_; }
    std::int32_t ordered() const { return ordered_; }
    static constexpr std::int32_t kFast = 1;

    void tried(std::size_t fast_bytes, std::size_t ordered_bytes);
    void used() { ++blocks_; }

private:
    std::int32_t ordered_;
    std::uint64_t blocks_ = 0;
    // Sums over the blocks tried, older ones weighing less and less.
    double fast_bytes_ = 0;
    double ordered_bytes_ = 0;
    bool fast_ = false;
};

struct CompressionBlock {
    Buffer plain = Buffer(kCompressionBlockBytes);
    std::int32_t level = 3;
    std::int32_t other_level = 0;  // not 0: tried too, for other_bytes; the smaller result is kept
    // After wait(): the frame, or why there is none.
    Buffer packed;
    std::size_t level_bytes = 0;
    std::size_t other_bytes = 0;
    std::optional<Error> error;
    bool done = false;
};

class CompressionPool {
public:
    CompressionPool(std::int32_t threads, Priority priority);
    // No block may be waiting or at work.
    ~CompressionPool();

    // Any thread. The block stays where it is, untouched, until wait() returned.
    void submit(CompressionBlock& block);
    void wait(CompressionBlock& block);
    // A buffer for a frame comes back to be used again: fresh pages cost more than the copying.
    void give_room(Buffer room);
    std::size_t threads() const { return threads_.size(); }

private:
    void work();
    Buffer take_room();
    std::optional<Error> compress(ZSTD_CCtx_s* context, CompressionBlock& block);

    std::mutex mutex_;
    std::condition_variable work_;
    std::condition_variable done_;
    std::deque<CompressionBlock*> queue_;
    std::vector<Buffer> rooms_;
    bool ending_ = false;
    std::vector<std::thread> threads_;
};

// The library's version, "1.5.4".
std::string compression_version();

}  // namespace backstay
