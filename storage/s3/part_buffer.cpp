#include "storage/s3/part_buffer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/crypto/digest.h"
#include "common/domain/reasons.h"

namespace backstay::s3 {

namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;

// Memory grows in three steps, so that a small object costs little and a large one no second copy while it grows.
std::size_t next_size(std::size_t now) {
    if (now < kPieceBytes) return kPieceBytes;
    return now < kPieceBytes * 4 ? kPieceBytes * 4 : kPartMemoryBytes;
}

Error scratch_error(int number, std::string_view what, std::string_view folder) {
    Error error = Error::from_errno(number, what);
    error.add_context(fmt::format("scratch folder '{}'", folder));
    if (number == ENOSPC || number == EDQUOT) error.add_reason(reason::kDiskSpaceLow);
    return error;
}

Result<int> open_nameless(const std::string& folder) {
    // Whoever named it may not have needed it before.
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return scratch_error(errno, "make it", folder);
    const int file = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file >= 0) return file;
    // Not every file system can do that.
    std::string path = folder + "/backstay-part-XXXXXX";
    const int named = ::mkostemp(path.data(), O_CLOEXEC);
    if (named < 0) return scratch_error(errno, "create file", folder);
    ::unlink(path.c_str());
    return named;
}

class PartReader final : public Source {
public:
    PartReader(ByteSpan memory, int file, std::uint64_t size) : memory_(memory), file_(file), size_(size) {}

    Result<std::size_t> read(MutableByteSpan buffer) override {
        const std::uint64_t left = size_ - position_;
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), left));
        if (wanted == 0) return std::size_t{0};
        const std::size_t count =
            position_ < memory_.size() ? from_memory(buffer.first(wanted)) : TRY(from_file(buffer.first(wanted)));
        position_ += count;
        return count;
    }

private:
    std::size_t from_memory(MutableByteSpan buffer) const {
        const ByteSpan rest = memory_.subspan(static_cast<std::size_t>(position_));
        const std::size_t count = std::min(buffer.size(), rest.size());
        std::memcpy(buffer.data(), rest.data(), count);
        return count;
    }
    Result<std::size_t> from_file(MutableByteSpan buffer) const {
        while (true) {
            const ssize_t count =
                ::pread(file_, buffer.data(), buffer.size(), static_cast<off_t>(position_ - memory_.size()));
            if (count > 0) return static_cast<std::size_t>(count);
            if (count == 0) return Error(Errc::io, "the scratch file became shorter");
            if (errno != EINTR) return Error::from_errno(errno, "read scratch file");
        }
    }

    ByteSpan memory_;
    int file_;
    std::uint64_t size_;
    std::uint64_t position_ = 0;
};

}  // namespace

PartBuffer::~PartBuffer() {
    if (file_ >= 0) ::close(file_);
}

// Where the next bytes may be put: the rest of the memory, or a piece on its way to the file.
Result<MutableByteSpan> PartBuffer::room(std::uint64_t limit) {
    const std::uint64_t left = limit - size_;
    if (size_ == memory_.size() && memory_.size() < kPartMemoryBytes) memory_.resize(next_size(memory_.size()));
    if (size_ < memory_.size()) {
        const MutableByteSpan rest = MutableByteSpan(memory_).subspan(static_cast<std::size_t>(size_));
        return rest.first(static_cast<std::size_t>(std::min<std::uint64_t>({rest.size(), left, kPieceBytes})));
    }
    if (file_ < 0) file_ = TRY(open_nameless(scratch_dir_));
    piece_.resize(kPieceBytes);
    return MutableByteSpan(piece_).first(static_cast<std::size_t>(std::min<std::uint64_t>(piece_.size(), left)));
}

Result<> PartBuffer::spill(ByteSpan piece) {
    std::uint64_t at = size_ - memory_.size();
    while (!piece.empty()) {
        const ssize_t count = ::pwrite(file_, piece.data(), piece.size(), static_cast<off_t>(at));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return scratch_error(errno, "write", scratch_dir_);
        piece = piece.subspan(static_cast<std::size_t>(count));
        at += static_cast<std::uint64_t>(count);
    }
    return {};
}

Result<> PartBuffer::fill(Source& source, std::uint64_t limit) {
    size_ = 0;
    Digest digest(DigestKind::sha256);
    while (size_ < limit && !source_ended_) {
        const bool to_memory = size_ < kPartMemoryBytes;
        const MutableByteSpan space = TRY(room(limit));
        const std::size_t count = TRY(source.read(space));
        source_ended_ = count == 0;
        if (!to_memory) TRY(spill(space.first(count)));
        digest.update(space.first(count));
        size_ += count;
    }
    sha256_ = digest.hex();
    return {};
}

std::unique_ptr<Source> PartBuffer::reader() const {
    const std::size_t kept = static_cast<std::size_t>(std::min<std::uint64_t>(size_, memory_.size()));
    return std::make_unique<PartReader>(ByteSpan(memory_).first(kept), file_, size_);
}

}  // namespace backstay::s3
