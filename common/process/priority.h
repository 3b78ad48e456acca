// Being a good neighbour of the Odoo on the same host: CPU niceness and I/O class, for threads and children.
#pragma once

namespace backstay {

struct Priority {
    int nice = 0;          // added to nothing: 0 leaves it as it is, 1 to 19 lowers it
    bool idle_io = false;  // the idle I/O class: the disk serves everybody else first
};

// Lowers the calling thread; threads that it starts inherit it. There is no way back without privileges, so call it
// only on a thread that belongs to the job. Best effort: a kernel that refuses is no reason to fail a backup.
// Async-signal-safe.
void lower_priority(const Priority& priority) noexcept;

}  // namespace backstay
