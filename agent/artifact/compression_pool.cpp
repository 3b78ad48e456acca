#include "agent/artifact/compression_pool.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

namespace backstay {
namespace {

struct FreeContext {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

std::optional<Error> compress(ZSTD_CCtx* context, CompressionBlock& block, std::vector<std::byte>& room) {
    const std::size_t size = ZSTD_compress2(context, room.data(), room.size(), block.plain.data(), block.plain_bytes);
    if (ZSTD_isError(size) != 0) return Error(Errc::io, fmt::format("zstd: {}", ZSTD_getErrorName(size)));
    block.packed.assign(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(size));
    return std::nullopt;
}

}  // namespace

CompressionPool::CompressionPool(std::int32_t threads, std::int32_t level, Priority priority) {
    for (std::int32_t i = 0; i < std::clamp(threads, 1, 64); ++i) {
        threads_.emplace_back([this, level, priority]() noexcept {
            lower_priority(priority);
            work(level);
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

void CompressionPool::work(std::int32_t level) {
    const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
    if (!context) std::abort();
    // The frame's checksum lets `zstd -t` find damage without us.
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, std::clamp(level, 1, 19));
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
    std::vector<std::byte> room(ZSTD_compressBound(kCompressionBlockBytes));
    std::unique_lock lock(mutex_);
    while (true) {
        work_.wait(lock, [&] { return ending_ || !queue_.empty(); });
        if (queue_.empty()) return;
        CompressionBlock& block = *queue_.front();
        queue_.pop_front();
        lock.unlock();
        std::optional<Error> error = compress(context.get(), block, room);
        lock.lock();
        block.error = std::move(error);
        block.done = true;
        done_.notify_all();
    }
}

std::string compression_version() { return ZSTD_versionString(); }

}  // namespace backstay
