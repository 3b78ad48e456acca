// Numbers as people read them; never parsed again.
#pragma once

#include <cstdint>
#include <string>

namespace backstay::human {

// "12 B", "1.2 GB": decimal units.
std::string size(std::uint64_t bytes);
// "350 ms", "12 s", "3 min 20 s", "2 h 5 min", "4 d 3 h"
std::string duration(std::int64_t ms);

}  // namespace backstay::human
