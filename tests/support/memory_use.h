// What this process holds in memory, as the kernel counts it.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>

namespace backstay::testing {

// "VmHWM" or "VmRSS", in bytes.
inline std::uint64_t memory_of_us(const std::string& name) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with(name + ":")) return std::stoull(line.substr(name.size() + 1)) * 1024;
    }
    return 0;
}

// Sets the peak back to what is used now, and answers that.
inline std::uint64_t forget_peak() {
    std::ofstream("/proc/self/clear_refs") << "5";
    return memory_of_us("VmRSS");
}

inline std::uint64_t peak_memory() { return memory_of_us("VmHWM"); }

}  // namespace backstay::testing
