#include "agent/jobs/restore/file_list.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "common/domain/reasons.h"
#include "common/files/files.h"

namespace backstay::restore {
namespace {

constexpr std::size_t kLongestName = 4096;  // lines are held in memory

// Whoever is killed leaves nothing behind: it never has a name, but where a file system knows no such files.
int open_nameless(const std::string& folder) {
    const int descriptor = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (descriptor >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) return descriptor;
    std::string path = folder + "/list-XXXXXX";
    const int named = ::mkostemp(path.data(), O_CLOEXEC);
    if (named >= 0) ::unlink(path.c_str());
    return named;
}

}  // namespace

Result<FileList> FileList::create(const std::string& folder) {
    TRY(make_folders(folder, 0700));
    const int descriptor = open_nameless(folder);
    if (descriptor < 0) return Error::from_errno(errno, "make a file in " + folder);
    std::FILE* file = ::fdopen(descriptor, "w+");
    if (file == nullptr) {
        const int number = errno;
        ::close(descriptor);
        return Error::from_errno(number, "open a file in " + folder);
    }
    return FileList(file);
}

FileList::~FileList() = default;

Result<> FileList::take(Source& list) {
    if (::ftruncate(::fileno(file_.get()), 0) != 0) return Error::from_errno(errno, "empty a list");
    std::rewind(file_.get());
    std::vector<std::byte> buffer(64 * 1024);
    std::size_t line = 0;
    while (const std::size_t count = TRY(list.read(buffer))) {
        for (std::size_t i = 0; i < count; ++i) {
            line = buffer[i] == std::byte{'\n'} ? 0 : line + 1;
            if (line <= kLongestName) continue;
            return Error(Errc::corrupted, "the list of files has a line that is no name")
                .with_reason(reason::kStructureInvalid);
        }
        if (std::fwrite(buffer.data(), count, 1, file_.get()) == 1) continue;
        return Error::from_errno(errno, "write to scratch").with_reason(reason::kDiskSpaceLow);
    }
    if (std::fflush(file_.get()) != 0) {
        return Error::from_errno(errno, "write to scratch").with_reason(reason::kDiskSpaceLow);
    }
    taken_ = true;
    return {};
}

Result<> FileList::rewind() {
    std::rewind(file_.get());
    ended_ = false;
    asked_.clear();
    TRY(next());
    return {};
}

Result<bool> FileList::next() {
    char* text = nullptr;
    std::size_t room = 0;
    const ssize_t count = ::getline(&text, &room, file_.get());
    if (count > 0) line_.assign(text, static_cast<std::size_t>(text[count - 1] == '\n' ? count - 1 : count));
    ::free(text);
    if (count > 0) return true;
    if (std::ferror(file_.get()) != 0) return Error::from_errno(errno, "read a list");
    ended_ = true;
    return false;
}

Result<bool> FileList::holds(const std::string& name) {
    if (name < asked_) {
        return Error(Errc::corrupted, "the base's files are not in order: " + name + " after " + asked_)
            .with_reason(reason::kStructureInvalid);
    }
    asked_ = name;
    while (!ended_ && line_ < name) TRY(next());
    return !ended_ && line_ == name;
}

}  // namespace backstay::restore
