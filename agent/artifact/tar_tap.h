// Looks into a tar stream that goes by on its way elsewhere: the contents of the members asked for are handed out, and
// it is seen whether the stream is whole. Reads plain ustar with base-256 sizes, as PostgreSQL writes it; bounded
// memory, one thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "common/bytes.h"

namespace backstay {

class TarTap {
public:
    // By member name; the sinks outlive it and are not finished by it.
    explicit TarTap(std::map<std::string, Sink*> wanted) : wanted_(std::move(wanted)) {}

    // Every byte of the stream, in pieces of any size. corrupted: this is no tar.
    Result<> take(ByteSpan bytes);
    // After the last byte: corrupted when the archive's end was not seen, or a wanted member.
    Result<> finish() const;
    std::uint64_t members() const { return members_; }

private:
    static constexpr std::size_t kBlock = 512;

    Result<> take_header();

    std::map<std::string, Sink*> wanted_;
    std::map<std::string, std::uint64_t> seen_;
    std::array<std::byte, kBlock> header_{};
    std::size_t header_bytes_ = 0;
    std::uint64_t content_left_ = 0;
    std::uint64_t padding_left_ = 0;
    Sink* into_ = nullptr;
    std::uint64_t members_ = 0;
    bool ended_ = false;
};

}  // namespace backstay
