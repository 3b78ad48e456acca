// File descriptors that came over a socket, and reading them: positions are ours, since a descriptor shares its own
// with whoever sent it.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "common/bytes.h"
#include "common/fd.h"
#include "common/result.h"

namespace backstay::archiver {

// Tells whether two descriptors are of the same unchanged file.
struct FileIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t modified_ns = 0;
    std::uint64_t bytes = 0;
    friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

// A regular file, or `invalid`.
inline Result<FileIdentity> identify(const Fd& file) {
    struct stat about {};
    if (::fstat(file.get(), &about) != 0) return Error::from_errno(errno, "look at the file");
    if (!S_ISREG(about.st_mode)) return Error(Errc::invalid, "what was handed over is no file");
    return FileIdentity{about.st_dev, about.st_ino,
                        static_cast<std::int64_t>(about.st_mtim.tv_sec) * 1'000'000'000 + about.st_mtim.tv_nsec,
                        static_cast<std::uint64_t>(about.st_size)};
}

class DescriptorSource final : public Source {
public:
    explicit DescriptorSource(const Fd& file) : file_(file) {}
    Result<std::size_t> read(MutableByteSpan buffer) override {
        while (true) {
            const ssize_t count = ::pread(file_.get(), buffer.data(), buffer.size(), offset_);
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) return Error::from_errno(errno, "read WAL");
            offset_ += count;
            return static_cast<std::size_t>(count);
        }
    }

private:
    const Fd& file_;
    off_t offset_ = 0;
};

class DescriptorSink final : public Sink {
public:
    explicit DescriptorSink(const Fd& file) : file_(file) {}
    Result<> write(ByteSpan bytes) override {
        while (!bytes.empty()) {
            const ssize_t count = ::pwrite(file_.get(), bytes.data(), bytes.size(), offset_);
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) return Error::from_errno(errno, "write WAL");
            offset_ += count;
            bytes = bytes.subspan(static_cast<std::size_t>(count));
        }
        return {};
    }
    std::uint64_t written() const { return static_cast<std::uint64_t>(offset_); }

private:
    const Fd& file_;
    off_t offset_ = 0;
};

}  // namespace backstay::archiver
