// The spool of `ack = "spool"`: packed WAL on this host's disk until a destination has it. Any thread may call; one
// object per cluster.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/wal/archived_object.h"
#include "common/result.h"

namespace backstay::archiver {

class Spool {
public:
    // `key`: to read what is encrypted there; may be nullptr, and outlives the spool.
    Spool(std::string folder, std::uint64_t max_bytes, const StreamKey* key)
        : folder_(std::move(folder)), max_bytes_(max_bytes), key_(key) {}

    // Durable when it answers, also when the same content was there before. `exhausted` when the spool is full;
    // `conflict` when other content waits under that name: it may be the only copy, and stays.
    Result<> put(const std::string& file, const wal::PackedObject& object);
    Result<Buffer> get(const std::string& file) const;
    // The description alone.
    Result<wal::ObjectHead> head(const std::string& file) const;
    Result<> remove(const std::string& file);
    // The last part of a key below `cluster_folder`, oldest segments first.
    Result<std::vector<std::string>> files();
    std::uint64_t bytes() const { return bytes_; }

private:
    std::string folder_;
    std::uint64_t max_bytes_;
    const StreamKey* key_;
    std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace backstay::archiver
