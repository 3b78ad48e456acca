#include "agent/worker/memory.h"

#include <malloc.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <memory>

namespace backstay {
namespace {

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

void give_memory_back() {
    ::malloc_trim(0);
    const std::unique_ptr<std::FILE, CloseFile> maps(std::fopen("/proc/self/maps", "re"));
    char line[512];
    while (maps && std::fgets(line, sizeof(line), maps.get()) != nullptr) {
        unsigned long begin = 0;
        unsigned long end = 0;
        char rights[5] = {};
        unsigned long inode = 0;
        if (std::sscanf(line, "%lx-%lx %4s %*s %*s %lu", &begin, &end, rights, &inode) != 4) continue;
        // Executable mappings of files are never written to (W^X, no text relocations): nothing can be lost.
        if (std::strcmp(rights, "r-xp") != 0 || inode == 0) continue;
        ::madvise(reinterpret_cast<void*>(begin), end - begin,
                  MADV_DONTNEED);  // NOLINT: an address as the kernel wrote it
    }
}

}  // namespace backstay
