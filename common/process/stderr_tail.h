// The last words of a child: what it wrote to stderr, kept to a bound. Thread-safe.
#pragma once

#include <mutex>
#include <string>

namespace backstay {

class StderrTail {
public:
    static constexpr std::size_t kLimit = 8 * 1024;

    // Takes what the non-blocking descriptor has now. False once it has ended.
    bool drain(int fd);
    // From the first whole line on when the beginning was cut off.
    std::string text() const;

private:
    mutable std::mutex mutex_;
    std::string tail_;
    bool cut_ = false;
};

}  // namespace backstay
