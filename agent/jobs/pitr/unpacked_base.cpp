#include "agent/jobs/pitr/unpacked_base.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <vector>

#include "agent/artifact/tar_reader.h"
#include "common/domain/reasons.h"
#include "common/process/spawn.h"

namespace backstay::pitr {
namespace {

Error failed(const std::string& doing) {
    const int number = errno;
    Error error = Error::from_errno(number, doing);
    if (number == ENOSPC || number == EDQUOT) error.add_reason(reason::kDiskSpaceLow);
    return error;
}

// "base/5/1249" of "./base/5/1249"; "" for the folder itself.
Result<std::string> name_below(const std::string& path) {
    std::string name = path;
    while (name.starts_with("./")) name.erase(0, 2);
    while (!name.empty() && name.back() == '/') name.pop_back();
    if (name == ".") name.clear();
    for (std::size_t begin = 0; begin < name.size();) {
        const std::size_t end = std::min(name.find('/', begin), name.size());
        const std::string_view part = std::string_view(name).substr(begin, end - begin);
        if (part.empty() || part == "..") {
            return Error(Errc::corrupted, fmt::format("the base backup holds '{}', which leads elsewhere", path))
                .with_reason(reason::kStructureInvalid);
        }
        begin = end + 1;
    }
    return name;
}

class Unpacker {
public:
    explicit Unpacker(const Unpacking& unpacking) : unpacking_(unpacking), buffer_(256 << 10) {}

    Result<> open() {
        TRY(make_folder(unpacking_.folder));
        return {};
    }

    Result<> take(const TarMember& member, Source& content) {
        if (unpacking_.stop.stop_requested()) return Error(Errc::cancelled, "stopped").with_reason(reason::kCancelled);
        const std::string name = TRY(name_below(member.path));
        if (name.empty()) return {};
        if (member.kind == TarMember::Kind::folder) return make_folders(name);
        if (member.kind != TarMember::Kind::file) {
            return Error(Errc::corrupted, fmt::format("the base backup holds '{}', which is no file", member.path))
                .with_reason(reason::kStructureInvalid);
        }
        const std::size_t slash = name.rfind('/');
        if (slash != std::string::npos) TRY(make_folders(name.substr(0, slash)));
        return write(fmt::format("{}/{}", unpacking_.folder, name), content);
    }

    const Unpacked& made() const { return made_; }

private:
    Result<> make_folders(const std::string& name) {
        for (std::size_t slash = name.find('/');; slash = name.find('/', slash + 1)) {
            const std::string part = name.substr(0, slash);
            if (folders_.insert(part).second) TRY(make_folder(fmt::format("{}/{}", unpacking_.folder, part)));
            if (slash == std::string::npos) return {};
        }
    }

    Result<> make_folder(const std::string& path) {
        if (mkdir(path.c_str(), 0700) != 0) return failed("make folder " + path);
        return give_to(unpacking_.owner, path);
    }

    Result<> write(const std::string& path, Source& content) {
        const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
        if (!file.open()) return failed("make file " + path);
        while (const std::size_t count = TRY(content.read(buffer_))) {
            ByteSpan piece(buffer_.data(), count);
            while (!piece.empty()) {
                const ssize_t written = ::write(file.get(), piece.data(), piece.size());
                if (written < 0 && errno == EINTR) continue;
                if (written < 0) return failed("write " + path);
                piece = piece.subspan(static_cast<std::size_t>(written));
            }
            made_.bytes += count;
            if (unpacking_.on_bytes) unpacking_.on_bytes(count);
        }
        ++made_.files;
        const ServerUser& owner = unpacking_.owner;
        if (!owner.prefix.empty() && fchown(file.get(), owner.uid, owner.gid) != 0) return failed("give away " + path);
        return {};
    }

    const Unpacking& unpacking_;
    std::vector<std::byte> buffer_;
    std::set<std::string> folders_;
    Unpacked made_;
};

}  // namespace

Result<Unpacked> unpack_base(Source& tar, const Unpacking& unpacking) {
    Unpacker unpacker(unpacking);
    TRY(unpacker.open());
    TRY(read_tar(tar, [&](const TarMember& member, Source& content) { return unpacker.take(member, content); }));
    return unpacker.made();
}

}  // namespace backstay::pitr
