// fork and exec, with nothing but async-signal-safe calls in between. Used by Subprocess only.
#pragma once

#include <sys/types.h>

#include "common/process/subprocess.h"

namespace backstay {

// Closes what it holds.
class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(other.release()) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) reset(other.release());
        return *this;
    }
    ~Fd() { reset(); }
    int get() const { return fd_; }
    bool open() const { return fd_ >= 0; }
    int release() {
        const int fd = fd_;
        fd_ = -1;
        return fd;
    }
    void reset(int fd = -1);

private:
    int fd_ = -1;
};

struct Spawned {
    pid_t pid = -1;
    Fd pid_fd;     // readable once the child has ended; ours to reap
    Fd stdin_fd;   // non-blocking; open when the spec asks for it
    Fd stdout_fd;  // non-blocking; open when the spec asks for it
    Fd stderr_fd;  // non-blocking
};

Result<Spawned> spawn(const ProcessSpec& spec);

}  // namespace backstay
