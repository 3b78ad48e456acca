#include "agent/artifact/compression_pool.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

namespace backstay {
namespace {

constexpr std::size_t kRoomsKept = 8;
constexpr double kForgetting = 0.8;
// What the ordered level must save before its time, half as much again or more, is spent on it.
constexpr double kWorthwhile = 0.01;

struct FreeContext {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

Result<> compress_at(ZSTD_CCtx* context, std::int32_t level, ByteSpan plain, Buffer& into) {
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, std::clamp(level, 1, 19));
    const std::size_t size = ZSTD_compress2(context, into.data(), into.capacity(), plain.data(), plain.size());
    if (ZSTD_isError(size) != 0) return Error(Errc::io, fmt::format("zstd: {}", ZSTD_getErrorName(size)));
    into.resize(size);
    return {};
}

}  // namespace

void LevelChoice::tried(std::size_t fast_bytes, std::size_t ordered_bytes) {
    fast_bytes_ = fast_bytes_ * kForgetting + static_cast<double>(fast_bytes);
    ordered_bytes_ = ordered_bytes_ * kForgetting + static_cast<double>(ordered_bytes);
    fast_ = fast_bytes_ <= ordered_bytes_ * (1 + kWorthwhile);
}

CompressionPool::CompressionPool(std::int32_t threads, Priority priority) {
    for (std::int32_t i = 0; i < std::clamp(threads, 1, 64); ++i) {
        threads_.emplace_back([this, priority]() noexcept {
            lower_priority(priority);
            work();
        });
    }
}

CompressionPool::~CompressionPool() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

void CompressionPool::submit(CompressionBlock& block) {
    {
        const std::lock_guard lock(mutex_);
        block.done = false;
        queue_.push_back(&block);
    }
    work_.notify_one();
}

void CompressionPool::wait(CompressionBlock& block) {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return block.done; });
}

Buffer CompressionPool::take_room() {
    {
        const std::lock_guard lock(mutex_);
        if (!rooms_.empty()) {
            Buffer room = std::move(rooms_.back());
            rooms_.pop_back();
            return room;
        }
    }
    return Buffer(ZSTD_compressBound(kCompressionBlockBytes));
}

void CompressionPool::give_room(Buffer room) {
    if (room.capacity() < ZSTD_compressBound(kCompressionBlockBytes)) return;  // not one of ours
    const std::lock_guard lock(mutex_);
    if (rooms_.size() < kRoomsKept) rooms_.push_back(std::move(room));
}

std::optional<Error> CompressionPool::compress(ZSTD_CCtx* context, CompressionBlock& block) {
    block.packed = take_room();
    Result<> done = compress_at(context, block.level, block.plain.bytes(), block.packed);
    if (!done) return std::move(done).error();
    block.level_bytes = block.packed.size();
    if (block.other_level == 0) return std::nullopt;
    Buffer other = take_room();
    done = compress_at(context, block.other_level, block.plain.bytes(), other);
    if (!done) return std::move(done).error();
    block.other_bytes = other.size();
    if (other.size() < block.packed.size()) std::swap(block.packed, other);
    give_room(std::move(other));
    return std::nullopt;
}

void CompressionPool::work() {
    const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
    if (!context) std::abort();
    // The frame's checksum lets `zstd -t` find damage without us.
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
    std::unique_lock lock(mutex_);
    while (true) {
        work_.wait(lock, [&] { return ending_ || !queue_.empty(); });
        if (queue_.empty()) return;
        CompressionBlock& block = *queue_.front();
        queue_.pop_front();
        lock.unlock();
        std::optional<Error> error = compress(context.get(), block);
        lock.lock();
        block.error = std::move(error);
        block.done = true;
        done_.notify_all();
    }
}

std::string compression_version() { return ZSTD_versionString(); }

}  // namespace backstay
