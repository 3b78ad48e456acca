// fork and exec, with nothing but async-signal-safe calls in between. Used by Subprocess only.
#pragma once

#include <sys/types.h>

#include "common/fd.h"
#include "common/process/subprocess.h"

namespace backstay {

struct Spawned {
    pid_t pid = -1;
    Fd pid_fd;     // readable once the child has ended; ours to reap
    Fd stdin_fd;   // non-blocking; open when the spec asks for it
    Fd stdout_fd;  // non-blocking; open when the spec asks for it
    Fd stderr_fd;  // non-blocking
};

Result<Spawned> spawn(const ProcessSpec& spec);

}  // namespace backstay
