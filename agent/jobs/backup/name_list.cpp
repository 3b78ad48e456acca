#include "agent/jobs/backup/name_list.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <utility>

#include "common/domain/reasons.h"

namespace backstay::backup {

Result<NameList> NameList::create(const std::string& path) {
    std::FILE* file = std::fopen(path.c_str(), "w+e");
    if (file == nullptr) return Error::from_errno(errno, "create " + path);
    return NameList(file);
}

NameList::~NameList() {
    if (file_ != nullptr) std::fclose(file_);
    std::free(line_);
}

NameList::NameList(NameList&& other) noexcept
    : file_(std::exchange(other.file_, nullptr)),
      line_(std::exchange(other.line_, nullptr)),
      room_(std::exchange(other.room_, 0)),
      size_(other.size_) {}

NameList& NameList::operator=(NameList&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(line_, other.line_);
    std::swap(room_, other.room_);
    std::swap(size_, other.size_);
    return *this;
}

// A NUL ends each record: no name can hold one.
Result<> NameList::add(const odoo::AttachmentFile& file) {
    const std::string line = fmt::format("{} {} {}", file.size, file.sha1.empty() ? "-" : file.sha1, file.store_fname);
    if (std::fwrite(line.c_str(), line.size() + 1, 1, file_) != 1) {
        return Error::from_errno(errno, "write to scratch").with_reason(reason::kDiskSpaceLow);
    }
    ++size_;
    return {};
}

Result<> NameList::rewind() {
    if (std::fflush(file_) != 0) return Error::from_errno(errno, "write to scratch");
    std::rewind(file_);
    return {};
}

std::optional<odoo::AttachmentFile> NameList::next() {
    if (::getdelim(&line_, &room_, '\0', file_) <= 0) return std::nullopt;
    const std::string_view line(line_);
    const std::size_t first = line.find(' ');
    const std::size_t second = line.find(' ', first + 1);
    odoo::AttachmentFile file;
    std::from_chars(line.data(), line.data() + first, file.size);
    const std::string_view sha1 = line.substr(first + 1, second - first - 1);
    if (sha1 != "-") file.sha1 = sha1;
    file.store_fname = line.substr(second + 1);
    return file;
}

}  // namespace backstay::backup
