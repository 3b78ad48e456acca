#include "agent/artifact/fan_out.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "common/clock.h"

namespace backstay {

FanOut::FanOut(std::size_t readers, std::size_t buffer_bytes, std::int64_t patience_ms,
               std::function<void(Buffer)> on_read)
    : buffer_bytes_(buffer_bytes), patience_ms_(patience_ms), on_read_(std::move(on_read)), readers_(readers) {
    for (Reader& reader : readers_) reader.moved_at_ms = steady_ms();
}

bool FanOut::any_reader() const {
    return std::any_of(readers_.begin(), readers_.end(), [](const Reader& reader) { return !reader.gone; });
}

Result<> FanOut::push(Buffer chunk) {
    if (chunk.empty()) return {};
    std::unique_lock lock(mutex_);
    while (any_reader() && held_bytes_ >= buffer_bytes_) {
        changed_.wait_for(lock, std::chrono::seconds(1));
        drop_laggards();
    }
    if (!any_reader()) return Error(Errc::unavailable, "no destination is left to take the data");
    // Waiting for us is not standing still.
    for (Reader& reader : readers_) {
        if (reader.chunk == first_chunk_ + chunks_.size()) reader.moved_at_ms = steady_ms();
    }
    held_bytes_ += chunk.size();
    chunks_.push_back(std::move(chunk));
    changed_.notify_all();
    return {};
}

void FanOut::close(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    error_ = std::move(error);
    changed_.notify_all();
}

bool FanOut::deserted() {
    const std::lock_guard lock(mutex_);
    return !any_reader();
}

void FanOut::drop_read_chunks() {
    std::uint64_t needed = first_chunk_ + chunks_.size();
    for (const Reader& reader : readers_) {
        if (!reader.gone || reader.reading) needed = std::min(needed, reader.chunk);
    }
    for (; first_chunk_ < needed; ++first_chunk_) {
        held_bytes_ -= chunks_.front().size();
        if (on_read_) on_read_(std::move(chunks_.front()));
        chunks_.pop_front();
    }
}

// Only when somebody else has taken all there is: a lone reader's own time limits decide for it.
void FanOut::drop_laggards() {
    const std::uint64_t end = first_chunk_ + chunks_.size();
    const bool someone_waits = std::any_of(readers_.begin(), readers_.end(),
                                           [&](const Reader& reader) { return !reader.gone && reader.chunk == end; });
    if (!someone_waits) return;
    const std::int64_t now = steady_ms();
    for (Reader& reader : readers_) {
        if (reader.gone || reader.chunk == end || now - reader.moved_at_ms < patience_ms_) continue;
        reader.gone = true;
        reader.too_slow = true;
    }
    drop_read_chunks();
    changed_.notify_all();
}

Result<std::size_t> FanOut::read(std::size_t number, MutableByteSpan buffer) {
    std::unique_lock lock(mutex_);
    Reader& reader = readers_[number];
    changed_.wait(lock, [&] { return reader.gone || closed_ || reader.chunk < first_chunk_ + chunks_.size(); });
    if (reader.too_slow) {
        return Error(Errc::timed_out, fmt::format("took nothing for {} s while others waited", patience_ms_ / 1000));
    }
    if (reader.gone) return Error(Errc::cancelled, "this reader has left");
    if (closed_ && error_) return *error_;
    if (reader.chunk == first_chunk_ + chunks_.size()) return std::size_t{0};
    // The chunk stays until every reader has passed it or stopped reading, so it may be copied without the lock.
    reader.reading = true;
    const Buffer& chunk = chunks_[static_cast<std::size_t>(reader.chunk - first_chunk_)];
    const std::size_t position = reader.position;
    const std::size_t count = std::min(buffer.size(), chunk.size() - position);
    const std::byte* from = chunk.bytes().data() + position;
    lock.unlock();
    std::memcpy(buffer.data(), from, count);
    lock.lock();
    reader.reading = false;
    if (reader.gone) {
        drop_read_chunks();
        changed_.notify_all();
        return Error(Errc::cancelled, "this reader has left");
    }
    reader.moved_at_ms = steady_ms();
    reader.position += count;
    if (reader.position == chunks_[static_cast<std::size_t>(reader.chunk - first_chunk_)].size()) {
        ++reader.chunk;
        reader.position = 0;
        drop_read_chunks();
        changed_.notify_all();
    }
    return count;
}

void FanOut::leave(std::size_t number) {
    const std::lock_guard lock(mutex_);
    readers_[number].gone = true;
    drop_read_chunks();
    changed_.notify_all();
}

}  // namespace backstay
