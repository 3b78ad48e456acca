// Threads that compress blocks, shared by all streams of a job: zstd's home for writing. Each block becomes a zstd
// frame of its own; frames one after the other are an ordinary .zst file. Against zstd's own workers this costs no
// window memory, shares its threads between streams, and keeps one block's buffers only.
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

#include "common/bytes.h"
#include "common/process/priority.h"
#include "common/result.h"

namespace backstay {

// Large against zstd's window at the usual levels (2 MiB at 3), so that a fresh start costs little ratio.
inline constexpr std::size_t kCompressionBlockBytes = 4 << 20;

struct CompressionBlock {
    std::vector<std::byte> plain = std::vector<std::byte>(kCompressionBlockBytes);
    std::size_t plain_bytes = 0;
    // After wait(): the frame, or why there is none.
    std::vector<std::byte> packed;
    std::optional<Error> error;
    bool done = false;
};

class CompressionPool {
public:
    // `level` 1 to 19. The threads run with `priority`.
    CompressionPool(std::int32_t threads, std::int32_t level, Priority priority);
    // No block may be waiting or at work.
    ~CompressionPool();

    // Any thread. The block stays where it is, untouched, until wait() returned.
    void submit(CompressionBlock& block);
    void wait(CompressionBlock& block);
    std::size_t threads() const { return threads_.size(); }

private:
    void work(std::int32_t level);

    std::mutex mutex_;
    std::condition_variable work_;
    std::condition_variable done_;
    std::deque<CompressionBlock*> queue_;
    bool ending_ = false;
    std::vector<std::thread> threads_;
};

// The library's version, "1.5.4".
std::string compression_version();

}  // namespace backstay
