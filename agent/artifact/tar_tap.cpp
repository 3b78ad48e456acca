#include "agent/artifact/tar_tap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "common/domain/reasons.h"

namespace backstay {
namespace {

constexpr std::size_t kNameMax = 100;
constexpr std::size_t kSizeAt = 124;
constexpr std::size_t kSizeBytes = 12;
constexpr std::size_t kChecksumAt = 148;
constexpr std::size_t kChecksumBytes = 8;
constexpr std::uint64_t kContentMax = 1ULL << 50;

Error broken(std::string message) {
    return Error(Errc::corrupted, std::move(message)).with_reason(reason::kStructureInvalid);
}

// Octal digits, ended by a blank or NUL; or, with the top bit set, a big-endian number.
bool read_number(ByteSpan field, std::uint64_t& out) {
    out = 0;
    if ((std::to_integer<unsigned>(field[0]) & 0x80U) != 0) {
        for (const std::byte byte : field.last(8)) out = (out << 8U) | std::to_integer<std::uint64_t>(byte);
        return true;
    }
    bool any = false;
    for (const std::byte byte : field) {
        const unsigned digit = std::to_integer<unsigned>(byte);
        if (digit == ' ' && !any) continue;
        if (digit == ' ' || digit == 0) return any;
        if (digit < '0' || digit > '7') return false;
        out = out * 8 + (digit - '0');
        any = true;
    }
    return any;
}

bool checksum_holds(ByteSpan header) {
    std::uint64_t said = 0;
    if (!read_number(header.subspan(kChecksumAt, kChecksumBytes), said)) return false;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < header.size(); ++i) {
        const bool own = i >= kChecksumAt && i < kChecksumAt + kChecksumBytes;
        sum += own ? ' ' : std::to_integer<unsigned>(header[i]);
    }
    return sum == said;
}

}  // namespace

Result<> TarTap::take_header() {
    const ByteSpan header(header_);
    header_bytes_ = 0;
    if (std::all_of(header.begin(), header.end(), [](std::byte byte) { return byte == std::byte{}; })) {
        ended_ = true;
        return {};
    }
    std::uint64_t size = 0;
    if (!checksum_holds(header) || !read_number(header.subspan(kSizeAt, kSizeBytes), size) || size > kContentMax) {
        return broken(fmt::format("member {} of the tar has no sound header", members_ + 1));
    }
    const std::string_view raw = as_text(header.first(kNameMax));
    std::string name(raw.substr(0, raw.find('\0')));
    if (name.starts_with("./")) name.erase(0, 2);
    ++members_;
    content_left_ = size;
    padding_left_ = (kBlock - size % kBlock) % kBlock;
    const auto wanted = wanted_.find(name);
    into_ = wanted == wanted_.end() ? nullptr : wanted->second;
    if (into_ != nullptr) ++seen_[name];
    return {};
}

Result<> TarTap::take(ByteSpan bytes) {
    while (!bytes.empty() && !ended_) {
        std::size_t used = 0;
        if (content_left_ > 0) {
            used = static_cast<std::size_t>(std::min<std::uint64_t>(content_left_, bytes.size()));
            if (into_ != nullptr) TRY(into_->write(bytes.first(used)));
            content_left_ -= used;
        } else if (padding_left_ > 0) {
            used = static_cast<std::size_t>(std::min<std::uint64_t>(padding_left_, bytes.size()));
            padding_left_ -= used;
        } else {
            used = std::min(kBlock - header_bytes_, bytes.size());
            std::memcpy(header_.data() + header_bytes_, bytes.data(), used);
            header_bytes_ += used;
            if (header_bytes_ == kBlock) TRY(take_header());
        }
        bytes = bytes.subspan(used);
    }
    return {};
}

Result<> TarTap::finish() const {
    if (!ended_) return broken("the tar is cut off");
    for (const auto& [name, sink] : wanted_) {
        const auto seen = seen_.find(name);
        if (seen == seen_.end()) return broken(fmt::format("the tar has no {}", name));
        if (seen->second > 1) return broken(fmt::format("the tar has {} twice", name));
    }
    return {};
}

}  // namespace backstay
