// Sources and sinks for tests: content made on the fly, failures at a chosen byte.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "common/bytes.h"

namespace backstay::testing {

// `size` bytes that follow from their position and `seed`; nothing is kept in memory.
class PatternSource final : public Source {
public:
    PatternSource(std::uint64_t size, std::uint64_t seed) : size_(size), seed_(seed) {}

    static std::byte at(std::uint64_t position, std::uint64_t seed) {
        const std::uint64_t word = ((position >> 3) + seed) * 0x9E3779B97F4A7C15ULL;
        return static_cast<std::byte>(word >> (56 - 8 * (position & 7U)));
    }

    Result<std::size_t> read(MutableByteSpan buffer) override {
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size_ - position_));
        for (std::size_t i = 0; i < count; ++i) buffer[i] = at(position_ + i, seed_);
        position_ += count;
        return count;
    }

    std::uint64_t position() const { return position_; }

private:
    std::uint64_t size_;
    std::uint64_t seed_;
    std::uint64_t position_ = 0;
};

// Compares what arrives with the same pattern, from `first` on.
class PatternSink final : public Sink {
public:
    explicit PatternSink(std::uint64_t seed, std::uint64_t first = 0) : seed_(seed), position_(first) {}

    Result<> write(ByteSpan bytes) override {
        for (const std::byte byte : bytes) {
            if (byte != PatternSource::at(position_, seed_)) ++wrong_;
            ++position_;
        }
        return {};
    }

    std::uint64_t position() const { return position_; }
    std::uint64_t wrong() const { return wrong_; }

private:
    std::uint64_t seed_;
    std::uint64_t position_;
    std::uint64_t wrong_ = 0;
};

// Gives the pattern up to `good` bytes, then fails as a dump does that dies.
class FailingSource final : public Source {
public:
    explicit FailingSource(std::uint64_t good) : pattern_(good, 7) {}
    Result<std::size_t> read(MutableByteSpan buffer) override {
        const std::size_t count = TRY(pattern_.read(buffer));
        if (count == 0) return Error(Errc::io, "the producer died");
        return count;
    }

private:
    PatternSource pattern_;
};

}  // namespace backstay::testing
