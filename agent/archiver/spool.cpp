#include "agent/archiver/spool.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "common/files/files.h"

namespace backstay::archiver {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kFileMax = 1100ULL << 20;  // a segment of 1 GiB that does not compress

}  // namespace

Result<> Spool::put(const std::string& file, const wal::PackedObject& object) {
    const std::string path = folder_ + "/" + file;
    const auto there = head(file);
    if (there) {
        const StreamKey* key = file.ends_with(".enc") ? key_ : nullptr;
        if (there->bytes != object.head.bytes || !TRY(wal::is_content(object, there->digest(), key))) {
            return Error(Errc::conflict,
                         fmt::format("{} waits in the spool with other content (digest {}, now {})", object.name.text,
                                     there->digest().substr(0, 16), object.head.digest().substr(0, 16)))
                .with_hint("two servers write the same WAL: a clone, a machine put back to an earlier state");
        }
        // Who wrote it may have died before the folder was on disk.
        TRY(fsync_file(path));
        return fsync_folder(folder_);
    }
    if (there.error().code() != Errc::not_found) return there.error();
    const ByteSpan bytes = object.bytes.bytes();
    if (bytes_ + bytes.size() > max_bytes_) {
        return Error(Errc::exhausted, fmt::format("the spool holds {} of at most {} bytes", bytes_.load(), max_bytes_));
    }
    TRY(make_folders(folder_, 0700));
    TRY(atomic_write(path, as_text(bytes), 0600));
    bytes_ += bytes.size();
    return {};
}

Result<wal::ObjectHead> Spool::head(const std::string& file) const {
    const std::string text = TRY(read_beginning(folder_ + "/" + file, wal::kEncryptedHeadBytes));
    return wal::read_stored_head(as_bytes(text), key_);
}

Result<Buffer> Spool::get(const std::string& file) const {
    const std::string text = TRY(read_file(folder_ + "/" + file, kFileMax));
    Buffer bytes(text.size());
    bytes.append(as_bytes(text));
    return bytes;
}

Result<> Spool::remove(const std::string& file) {
    std::error_code fault;
    const std::string path = folder_ + "/" + file;
    const std::uint64_t size = fs::file_size(path, fault);
    if (fault) return {};
    if (!fs::remove(path, fault) && fault) return Error::from_errno(fault.value(), "remove " + path);
    bytes_ -= std::min<std::uint64_t>(size, bytes_);
    return fsync_folder(folder_);
}

Result<std::vector<std::string>> Spool::files() {
    std::vector<std::string> files;
    std::error_code fault;
    std::uint64_t bytes = 0;
    for (fs::directory_iterator entry(folder_, fault), end; !fault && entry != end; entry.increment(fault)) {
        const std::string name = entry->path().filename().string();
        if (!name.ends_with(".zst") && !name.ends_with(".zst.enc")) continue;
        files.push_back(name);
        std::error_code gone;
        const std::uint64_t size = fs::file_size(entry->path(), gone);
        if (!gone) bytes += size;
    }
    if (fault && fault.value() != ENOENT) return Error::from_errno(fault.value(), "read " + folder_);
    bytes_ = bytes;
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace backstay::archiver
