#include "storage/s3/part_size.h"

#include <algorithm>

namespace backstay::s3 {

namespace {

// The estimate fills so many parts.
constexpr int kPlannedParts = 6'000;
// So many are of one size in any case; then they grow, fast, so that the rest have room for every size.
constexpr int kEqualParts = 7'500;
constexpr int kPartsOfADoubling = 50;
constexpr std::uint64_t kMebibyte = 1ULL << 20;

// Ten of them reach the largest part from the smallest.
int doublings(int number) {
    return number <= kEqualParts ? 0 : std::min((number - kEqualParts - 1) / kPartsOfADoubling + 1, 10);
}

}  // namespace

std::uint64_t part_size(int number, std::uint64_t expected_bytes) {
    const std::uint64_t needed = expected_bytes / kPlannedParts / kMebibyte * kMebibyte;
    // Rounded up, and bounded so that doubling cannot overflow.
    const std::uint64_t first = std::clamp(needed < expected_bytes / kPlannedParts ? needed + kMebibyte : needed,
                                           kFirstPartBytes, kLargestPartBytes);
    return std::min(first << static_cast<unsigned>(doublings(number)), kLargestPartBytes);
}

}  // namespace backstay::s3
