#include "common/process/stderr_tail.h"

#include <unistd.h>

#include <array>
#include <cerrno>

namespace backstay {

bool StderrTail::drain(int fd) {
    std::array<char, 4096> buffer;
    const std::lock_guard lock(mutex_);
    while (true) {
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errno == EAGAIN;
        if (count == 0) return false;
        tail_.append(buffer.data(), static_cast<std::size_t>(count));
        if (tail_.size() > kLimit) {
            tail_.erase(0, tail_.size() - kLimit);
            cut_ = true;
        }
    }
}

std::string StderrTail::text() const {
    const std::lock_guard lock(mutex_);
    if (!cut_) return tail_;
    const std::size_t line = tail_.find('\n');
    return line == std::string::npos ? tail_ : tail_.substr(line + 1);
}

}  // namespace backstay
