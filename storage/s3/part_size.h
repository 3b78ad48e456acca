// How large each part of a multipart upload is, so that any stream fits into the 10,000 parts that S3 allows.
#pragma once

#include <cstdint>

namespace backstay::s3 {

inline constexpr int kMostParts = 10'000;
inline constexpr std::uint64_t kFirstPartBytes = 8ULL << 20;
inline constexpr std::uint64_t kLargestPartBytes = 5ULL << 30;  // S3's own bound

// Bytes of part `number` (from 1). With a good estimate all parts are of one size, as some stores (Cloudflare R2)
// demand; growth begins only where the estimate was too low by a quarter. Without one (0) it begins after 62 GB; 10 TB
// fit in any case.
std::uint64_t part_size(int number, std::uint64_t expected_bytes);

}  // namespace backstay::s3
