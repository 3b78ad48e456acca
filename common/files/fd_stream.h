// Descriptors as sources and sinks; whoever made them closes them. `what` begins the errors: "write the ZIP".
#pragma once

#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "common/bytes.h"
#include "common/result.h"

namespace backstay {

class FdSource final : public Source {
public:
    FdSource(int fd, std::string what) : fd_(fd), what_(std::move(what)) {}
    Result<std::size_t> read(MutableByteSpan buffer) override {
        while (true) {
            const ssize_t count = ::read(fd_, buffer.data(), buffer.size());
            if (count >= 0) return static_cast<std::size_t>(count);
            if (errno != EINTR) return Error::from_errno(errno, what_);
        }
    }

private:
    int fd_;
    std::string what_;
};

class FdSink final : public Sink {
public:
    FdSink(int fd, std::string what) : fd_(fd), what_(std::move(what)) {}
    Result<> write(ByteSpan bytes) override {
        while (!bytes.empty()) {
            const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) return Error::from_errno(errno, what_);
            bytes = bytes.subspan(static_cast<std::size_t>(count));
        }
        return {};
    }

private:
    int fd_;
    std::string what_;
};

}  // namespace backstay
