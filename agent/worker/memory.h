// An idle agent is small: what a job used goes back to the system when nothing runs.
#pragma once

namespace backstay {

// Returns free heap, and lets go of program text that is mapped from files; the kernel maps it again, from its cache,
// when it is called. Cheap; any thread.
void give_memory_back();

}  // namespace backstay
