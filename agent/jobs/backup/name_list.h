// The files that a PostgreSQL snapshot names, spooled, so that the snapshot need not stay open as long as they take.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include "agent/odoo/attachments.h"
#include "common/result.h"

namespace backstay::backup {

// Written to its end, then read; rewind() stands between the two, and before reading once more. One thread at a time.
class NameList {
public:
    static Result<NameList> create(const std::string& path);
    ~NameList();
    NameList(NameList&& other) noexcept;
    NameList& operator=(NameList&& other) noexcept;

    Result<> add(const odoo::AttachmentFile& file);
    Result<> rewind();
    std::optional<odoo::AttachmentFile> next();
    std::uint64_t size() const { return size_; }

private:
    explicit NameList(std::FILE* file) : file_(file) {}
    std::FILE* file_;
    char* line_ = nullptr;
    std::size_t room_ = 0;
    std::uint64_t size_ = 0;
};

}  // namespace backstay::backup
