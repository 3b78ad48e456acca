#include "agent/worker/memory.h"

#include <malloc.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

namespace backstay {
namespace {

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

struct Mapping {
    unsigned long begin = 0;
    unsigned long end = 0;
    bool of_a_file = false;
    bool writable = false;
};

std::optional<Mapping> read_head(const char* line) {
    unsigned long begin = 0;
    unsigned long end = 0;
    char rights[5] = {};
    unsigned long inode = 0;
    if (std::sscanf(line, "%lx-%lx %4s %*s %*s %lu", &begin, &end, rights, &inode) != 4) return std::nullopt;
    return Mapping{begin, end, inode != 0, rights[1] == 'w' || rights[3] == 's'};
}

}  // namespace

void give_memory_back() {
    ::malloc_trim(0);
    const std::unique_ptr<std::FILE, CloseFile> maps(std::fopen("/proc/self/smaps", "re"));
    char line[512];
    Mapping mapping;
    while (maps && std::fgets(line, sizeof(line), maps.get()) != nullptr) {
        if (const auto next = read_head(line)) {
            mapping = *next;
            continue;
        }
        // Code and constants as their file has them: nothing of ours is in such pages, and the kernel reads them again
        // when they are needed. Relocated ones (RELRO) are read-only too, but they are not the file's any more.
        unsigned long own_kib = 1;
        if (std::sscanf(line, "Anonymous: %lu kB", &own_kib) != 1) continue;
        if (own_kib != 0 || !mapping.of_a_file || mapping.writable) continue;
        ::madvise(reinterpret_cast<void*>(mapping.begin), mapping.end - mapping.begin,
                  MADV_DONTNEED);  // NOLINT: an address as the kernel wrote it
    }
}

}  // namespace backstay
