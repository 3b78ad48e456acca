// One part of an upload, kept until the server has it, so that it can be sent again: the first 8 MiB in memory, the
// rest of a larger part in a file without a name. Used by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/bytes.h"

namespace backstay::s3 {

inline constexpr std::size_t kPartMemoryBytes = 8 << 20;

class PartBuffer {
public:
    // `scratch_dir` is used only once a part outgrows the memory.
    explicit PartBuffer(std::string scratch_dir) : scratch_dir_(std::move(scratch_dir)) {}
    ~PartBuffer();
    PartBuffer(const PartBuffer&) = delete;
    PartBuffer& operator=(const PartBuffer&) = delete;

    // Replaces the content by the next `limit` bytes of `source`, or by what it has left.
    Result<> fill(Source& source, std::uint64_t limit);

    std::uint64_t size() const { return size_; }
    const std::string& sha256() const { return sha256_; }
    bool source_ended() const { return source_ended_; }  // found while filling; never true before the end

    // Everything, when memory holds it all.
    bool in_memory() const { return size_ <= memory_.size(); }
    ByteSpan bytes() const { return ByteSpan(memory_).first(static_cast<std::size_t>(size_)); }
    // Reads it from its beginning. Valid until the next fill.
    std::unique_ptr<Source> reader() const;

private:
    Result<MutableByteSpan> room(std::uint64_t limit);
    Result<> spill(ByteSpan piece);

    std::string scratch_dir_;
    std::vector<std::byte> memory_;
    std::vector<std::byte> piece_;  // on its way to the file
    int file_ = -1;
    std::uint64_t size_ = 0;
    std::string sha256_;
    bool source_ended_ = false;
};

}  // namespace backstay::s3
