// Byte streams: where bytes come from and where they go. Used by one thread at a time; both may block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/result.h"

namespace backstay {

using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;

inline ByteSpan as_bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline std::string_view as_text(ByteSpan bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// Gives bytes until it answers 0 (the end). An error is final: a reader that meets one must not treat what it has as
// the whole. A child's stdout as Source ends in an error when the child failed, never in a quiet 0.
class Source {
public:
    virtual ~Source() = default;
    // Fills at most buffer.size() bytes (never empty) and answers how many; 0 is the end.
    virtual Result<std::size_t> read(MutableByteSpan buffer) = 0;
};

// Takes bytes, all of each span. What was written counts only after finish() succeeded.
class Sink {
public:
    virtual ~Sink() = default;
    virtual Result<> write(ByteSpan bytes) = 0;
    // No write follows. Flushes, completes, closes; call it once.
    virtual Result<> finish() { return {}; }
};

// Bytes held in memory: for small things and for tests.
class StringSource final : public Source {
public:
    explicit StringSource(std::string text) : text_(std::move(text)) {}
    Result<std::size_t> read(MutableByteSpan buffer) override;

private:
    std::string text_;
    std::size_t position_ = 0;
};

// Collects at most `limit` bytes; more is Errc::exhausted.
class StringSink final : public Sink {
public:
    explicit StringSink(std::size_t limit) : limit_(limit) {}
    Result<> write(ByteSpan bytes) override;
    const std::string& text() const { return text_; }
    std::string take() { return std::move(text_); }

private:
    std::size_t limit_;
    std::string text_;
};

// Moves everything from one to the other in 256 KiB pieces and answers the number of bytes. Does not call finish().
Result<std::uint64_t> copy(Source& from, Sink& to);

// Reads to the end; more than `limit` bytes is Errc::exhausted.
Result<std::string> read_all(Source& from, std::size_t limit);

}  // namespace backstay
