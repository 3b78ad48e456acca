#include "common/event/byte_pipe.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace backstay {

void BytePipe::tell() {
    moved_.notify_all();
    std::function<void()> callback;
    {
        const std::lock_guard lock(mutex_);
        callback = changed_;
    }
    if (callback) callback();
}

Result<> BytePipe::write(ByteSpan bytes) {
    while (!bytes.empty()) {
        {
            std::unique_lock lock(mutex_);
            const bool moved = moved_.wait_for(lock, std::chrono::milliseconds(limits_.stall_ms), [this] {
                return closed_ || buffer_.size() - taken_ < limits_.buffer_bytes;
            });
            if (!moved) return Error(Errc::timed_out, "nobody took the bytes");
            if (closed_) return *closed_;
            const std::size_t piece = std::min(bytes.size(), limits_.buffer_bytes - (buffer_.size() - taken_));
            buffer_.append(as_text(bytes.first(piece)));
            bytes = bytes.subspan(piece);
        }
        tell();
    }
    return {};
}

bool BytePipe::offer(std::string_view bytes) {
    {
        const std::lock_guard lock(mutex_);
        if (closed_) return false;
        buffer_.append(bytes);
    }
    moved_.notify_all();
    return true;
}

bool BytePipe::full() const {
    const std::lock_guard lock(mutex_);
    return !closed_ && buffer_.size() - taken_ >= limits_.buffer_bytes;
}

void BytePipe::finish() {
    {
        const std::lock_guard lock(mutex_);
        if (over()) return;
        ended_ = true;
    }
    tell();
}

void BytePipe::fail(Error error) {
    {
        const std::lock_guard lock(mutex_);
        if (over()) return;
        failed_ = std::move(error);
    }
    tell();
}

Result<std::size_t> BytePipe::read(MutableByteSpan buffer) {
    std::size_t count = 0;
    {
        std::unique_lock lock(mutex_);
        const bool moved = moved_.wait_for(lock, std::chrono::milliseconds(limits_.stall_ms),
                                           [this] { return closed_ || over() || taken_ < buffer_.size(); });
        if (!moved) return Error(Errc::timed_out, "no more bytes came");
        if (closed_) return *closed_;
        count = std::min(buffer.size(), buffer_.size() - taken_);
        if (count == 0 && failed_) return *failed_;
        if (count == 0) return count;
        std::memcpy(buffer.data(), buffer_.data() + taken_, count);
        taken_ += count;
        if (taken_ == buffer_.size()) {
            buffer_.clear();
            taken_ = 0;
        } else if (taken_ >= limits_.buffer_bytes / 2) {
            buffer_.erase(0, std::exchange(taken_, 0));
        }
    }
    tell();
    return count;
}

BytePipe::Taken BytePipe::take(std::size_t most) {
    Taken out;
    {
        const std::lock_guard lock(mutex_);
        out.bytes = buffer_.substr(taken_, most);
        taken_ += out.bytes.size();
        if (taken_ == buffer_.size()) {
            buffer_.clear();
            taken_ = 0;
            // The end stands alone: whoever sees it has had everything.
            if (out.bytes.empty()) {
                out.ended = ended_;
                out.failed = failed_;
            }
        } else if (taken_ >= limits_.buffer_bytes / 2) {
            buffer_.erase(0, std::exchange(taken_, 0));
        }
    }
    moved_.notify_all();
    return out;
}

void BytePipe::close(Error why) {
    {
        const std::lock_guard lock(mutex_);
        if (closed_) return;
        closed_ = std::move(why);
        buffer_.clear();
        taken_ = 0;
    }
    tell();
}

void BytePipe::on_change(std::function<void()> callback) {
    const std::lock_guard lock(mutex_);
    changed_ = std::move(callback);
}

}  // namespace backstay
