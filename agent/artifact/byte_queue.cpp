#include "agent/artifact/byte_queue.h"

#include <algorithm>
#include <cstring>

namespace backstay {

Result<> ByteQueue::push(ByteSpan bytes) {
    while (!bytes.empty()) {
        std::unique_lock lock(mutex_);
        const auto room_in_last = [&] { return !blocks_.empty() && blocks_.back().size() < kBlockBytes; };
        changed_.wait(lock, [&] { return abandoned_ || room_in_last() || blocks_.size() < max_blocks_; });
        if (abandoned_) return Error(Errc::cancelled, "nobody reads any more");
        if (!room_in_last()) {
            blocks_.emplace_back();
            blocks_.back().reserve(kBlockBytes);
        }
        std::vector<std::byte>& last = blocks_.back();
        const std::size_t count = std::min(bytes.size(), kBlockBytes - last.size());
        last.insert(last.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
        bytes = bytes.subspan(count);
        lock.unlock();
        changed_.notify_all();
    }
    return {};
}

void ByteQueue::close(std::optional<Error> error) {
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        error_ = std::move(error);
    }
    changed_.notify_all();
}

Result<std::size_t> ByteQueue::pop(MutableByteSpan buffer) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || !blocks_.empty(); });
    if (blocks_.empty()) {
        if (error_) return *error_;
        return std::size_t{0};
    }
    std::vector<std::byte>& front = blocks_.front();
    const std::size_t count = std::min(buffer.size(), front.size() - front_position_);
    std::memcpy(buffer.data(), front.data() + front_position_, count);
    front_position_ += count;
    if (front_position_ == front.size()) {
        blocks_.pop_front();
        front_position_ = 0;
    }
    lock.unlock();
    changed_.notify_all();
    return count;
}

void ByteQueue::abandon() {
    {
        const std::lock_guard lock(mutex_);
        abandoned_ = true;
    }
    changed_.notify_all();
}

}  // namespace backstay
