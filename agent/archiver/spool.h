// The spool of `ack = "spool"`: packed WAL on this host's disk until a destination has it. Any thread may call; one
// object per cluster.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/artifact/buffer.h"
#include "agent/wal/segment_name.h"
#include "common/bytes.h"
#include "common/result.h"

namespace backstay::archiver {

class Spool {
public:
    Spool(std::string folder, std::uint64_t max_bytes) : folder_(std::move(folder)), max_bytes_(max_bytes) {}

    // Durable when it answers; `exhausted` when the spool is full.
    Result<> put(const std::string& file, ByteSpan bytes);
    Result<Buffer> get(const std::string& file) const;
    Result<> remove(const std::string& file);
    // The last part of a key below `cluster_folder`, oldest segments first.
    Result<std::vector<std::string>> files();
    std::uint64_t bytes() const { return bytes_; }

private:
    std::string folder_;
    std::uint64_t max_bytes_;
    std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace backstay::archiver
