// Bytes whose memory is not cleared first: for buffers that are always written before they are read.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>

#include "common/bytes.h"

namespace backstay {

class Buffer {
public:
    Buffer() = default;
    explicit Buffer(std::size_t capacity)
        : bytes_(std::make_unique_for_overwrite<std::byte[]>(capacity)), capacity_(capacity) {}
    Buffer(Buffer&& other) noexcept
        : bytes_(std::move(other.bytes_)),
          capacity_(std::exchange(other.capacity_, 0)),
          size_(std::exchange(other.size_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        bytes_ = std::move(other.bytes_);
        capacity_ = std::exchange(other.capacity_, 0);
        size_ = std::exchange(other.size_, 0);
        return *this;
    }

    std::size_t size() const { return size_; }
    std::size_t capacity() const { return capacity_; }
    bool empty() const { return size_ == 0; }
    std::byte* data() { return bytes_.get(); }
    ByteSpan bytes() const { return {bytes_.get(), size_}; }
    MutableByteSpan room() { return {bytes_.get() + size_, capacity_ - size_}; }

    void clear() { size_ = 0; }
    // The first `size` bytes count; those above the former size hold what was there.
    void resize(std::size_t size) {
        reserve(size);
        size_ = size;
    }
    void reserve(std::size_t capacity) {
        if (capacity <= capacity_) return;
        capacity = std::max(capacity, 2 * capacity_);
        auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity);
        if (size_ > 0) std::memcpy(larger.get(), bytes_.get(), size_);
        bytes_ = std::move(larger);
        capacity_ = capacity;
    }
    void append(ByteSpan bytes) {
        const std::size_t begin = size_;
        resize(size_ + bytes.size());
        std::memcpy(bytes_.get() + begin, bytes.data(), bytes.size());
    }

private:
    std::unique_ptr<std::byte[]> bytes_;
    std::size_t capacity_ = 0;
    std::size_t size_ = 0;
};

}  // namespace backstay
