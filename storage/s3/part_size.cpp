#include "storage/s3/part_size.h"

#include <algorithm>

namespace backstay::s3 {

namespace {

// The estimate fills so many parts; the rest are left to grow when it was too low.
constexpr int kPlannedParts = 6'000;
constexpr std::uint64_t kMebibyte = 1ULL << 20;

int doublings(int number, bool estimated) {
    if (estimated) return number <= kPlannedParts ? 0 : (number - kPlannedParts - 1) / 200 + 1;
    if (number <= 2'000) return 0;
    return number <= 4'000 ? 1 : (number - 4'001) / 600 + 2;
}

}  // namespace

std::uint64_t part_size(int number, std::uint64_t expected_bytes) {
    const std::uint64_t needed = expected_bytes / kPlannedParts / kMebibyte * kMebibyte;
    // Rounded up, and bounded so that doubling cannot overflow.
    const std::uint64_t first = std::clamp(needed < expected_bytes / kPlannedParts ? needed + kMebibyte : needed,
                                           kFirstPartBytes, kLargestPartBytes);
    return std::min(first << static_cast<unsigned>(doublings(number, expected_bytes > 0)), kLargestPartBytes);
}

}  // namespace backstay::s3
