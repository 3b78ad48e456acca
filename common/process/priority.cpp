#include "common/process/priority.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace backstay {
namespace {
// linux/ioprio.h is not among the C library's headers.
constexpr int kIoprioWhoProcess = 1;
constexpr int kIoprioClassShift = 13;
constexpr int kIoprioClassIdle = 3;
}  // namespace

void lower_priority(const Priority& priority) noexcept {
    // On Linux both calls speak of the calling thread when they are given 0.
    if (priority.nice > 0) static_cast<void>(::setpriority(PRIO_PROCESS, 0, priority.nice));
    if (priority.idle_io) {
        static_cast<void>(::syscall(SYS_ioprio_set, kIoprioWhoProcess, 0, kIoprioClassIdle << kIoprioClassShift));
    }
}

}  // namespace backstay
