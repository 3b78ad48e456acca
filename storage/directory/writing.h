// One object on its way to disk: written under a name of its own beside the objects, made durable, then published under
// its key in one step that never replaces anything.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "common/bytes.h"
#include "storage/directory/beneath.h"
#include "storage/storage.h"

namespace backstay::directory {

// Free bytes for an unprivileged writer on the file system of `fd`.
Result<std::uint64_t> free_bytes_at(int fd);

class UnfinishedFile {
public:
    // Refuses with destination_full when `expected_bytes` more would leave less than `min_free_bytes`.
    static Result<UnfinishedFile> create(int root, std::uint64_t min_free_bytes, std::uint64_t expected_bytes);
    UnfinishedFile(UnfinishedFile&&) noexcept = default;
    UnfinishedFile& operator=(UnfinishedFile&&) = delete;
    // What was not published is removed.
    ~UnfinishedFile();

    Result<> fill(Source& content, const std::stop_token& stop);
    // All bytes and the final name are on disk when this succeeds. The same content under `key` already is a success,
    // another is `conflict`.
    Result<ObjectInfo> publish(std::string_view key);

private:
    UnfinishedFile(int root, Fd folder, Fd file, std::string name, std::uint64_t min_free_bytes);
    Result<> check_space(std::uint64_t more) const;
    Result<> write_all(ByteSpan bytes);
    Result<bool> same_as(const Fd& other, std::uint64_t other_bytes) const;
    Result<ObjectInfo> compare_with_published(std::string_view key) const;
    Result<bool> link_as(int target_folder, const std::string& target_name);

    int root_;
    Fd folder_;
    Fd file_;
    std::string name_;  // empty once published
    std::uint64_t min_free_bytes_;
    std::uint64_t written_ = 0;
};

}  // namespace backstay::directory
