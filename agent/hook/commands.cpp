#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/hook/agent_call.h"

namespace backstay::hook {
namespace {

// The exit codes of the archiving contract: a push says 0 or 1 and never more, since PostgreSQL's archiver dies of more
// and does not count it. A fetch says 1 only when there is no such file: of anything else recovery must stop.
constexpr int kDone = 0;
constexpr int kPushFailed = 1;
constexpr int kNoSuchFile = 1;
constexpr int kFetchFailed = 200;

// Given along with each fetch. The agent keeps what it needs of them.
constexpr std::size_t kSpares = 2;

constexpr std::string_view kReady = ".ready";
constexpr std::size_t kSegmentDigits = 24;

int complain(const char* command, const std::string& name, const std::string& message, int code) {
    ::fprintf(stderr, "backstay %s %s: %s\n", command, name.c_str(), message.c_str());
    return code;
}

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}
std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// The segments that wait behind `name`, in the order in which PostgreSQL will ask for them.
std::vector<std::string> waiting_after(const std::string& folder, const std::string& name, std::uint64_t& ready) {
    std::vector<std::string> names;
    DIR* status = ::opendir((folder + "/archive_status").c_str());
    if (status == nullptr) return names;
    while (const dirent* entry = ::readdir(status)) {
        const std::string_view file = entry->d_name;
        if (!file.ends_with(kReady)) continue;
        ++ready;
        if (file.size() == kSegmentDigits + kReady.size() && file.substr(0, kSegmentDigits) > name) {
            names.emplace_back(file.substr(0, kSegmentDigits));
        }
    }
    ::closedir(status);
    const std::size_t most = std::min(names.size(), kAheadMax);
    std::partial_sort(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(most), names.end());
    names.resize(most);
    return names;
}

void close_all(const std::vector<int>& descriptors) {
    for (const int descriptor : descriptors) ::close(descriptor);
}

// Files without a name, so that none is ever left behind. Not every file system has them: without spares, what was
// fetched ahead is copied once more.
void add_spares(const std::string& folder, std::vector<int>& descriptors) {
    for (std::size_t i = 0; i < kSpares; ++i) {
        const int spare = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (spare < 0) return;
        descriptors.push_back(spare);
    }
}

// Gives a file without a name the name `path`.
bool link_at(int file, const std::string& path) {
    const std::string open = "/proc/self/fd/" + std::to_string(file);
    const auto link = [&] { return ::linkat(AT_FDCWD, open.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0; };
    if (link()) return true;
    return errno == EEXIST && ::unlink(path.c_str()) == 0 && link();
}

bool copy(int from, int to) {
    off_t offset = 0;
    while (true) {
        const ssize_t count = ::sendfile(to, from, &offset, std::size_t{1} << 30);
        if (count == 0) return true;
        if (count < 0 && errno != EINTR) return false;
    }
}

}  // namespace

int push(const Call& call, const std::string& path) {
    Request request;
    request.name = name_of(path);
    request.system_id = system_id_at(path);
    std::vector<int> descriptors = {::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (descriptors.front() < 0) return complain("wal-push", path, std::strerror(errno), kPushFailed);
    const std::string folder = folder_of(path);
    for (std::string& name : waiting_after(folder, request.name, request.ready)) {
        const int next = ::open((folder + "/" + name).c_str(), O_RDONLY | O_CLOEXEC);
        if (next < 0) break;
        descriptors.push_back(next);
        request.ahead.push_back(std::move(name));
    }
    struct statvfs space {};
    if (::fstatvfs(descriptors.front(), &space) == 0) {
        request.free_bytes = static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
        request.total_bytes = static_cast<std::uint64_t>(space.f_blocks) * space.f_frsize;
    }
    const Answer answer = ask(call, request, descriptors);
    close_all(descriptors);
    if (answer.outcome == Outcome::ok) return kDone;
    return complain("wal-push", request.name, answer.message, kPushFailed);
}

int fetch(const Call& call, const std::string& name, const std::string& path) {
    Request request;
    request.fetch = true;
    request.name = name;
    request.system_id = system_id_at(path);
    // Beside its place and under another name, so that a part of it is never taken for the whole.
    const std::string unfinished = path + ".backstay";
    const int file = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return complain("wal-fetch", unfinished, std::strerror(errno), kFetchFailed);
    std::vector<int> descriptors = {file};
    add_spares(folder_of(path), descriptors);
    request.spares = descriptors.size() - 1;
    int beside = -1;
    const Answer answer = ask(call, request, descriptors, &beside);
    int code = kFetchFailed;
    bool linked = false;
    if (answer.outcome == Outcome::ok) {
        // Whole under its name, or not there; PostgreSQL syncs what it keeps.
        linked = beside >= 0 && link_at(beside, path);
        const bool placed =
            linked || ((beside < 0 || copy(beside, file)) && ::rename(unfinished.c_str(), path.c_str()) == 0);
        code = placed ? kDone : complain("wal-fetch", path, std::strerror(errno), kFetchFailed);
    } else if (answer.outcome == Outcome::none) {
        // The ordinary end of recovery: PostgreSQL asks for more than there is.
        code = kNoSuchFile;
    } else {
        complain("wal-fetch", name, answer.message, kFetchFailed);
    }
    if (code != kDone || linked) ::unlink(unfinished.c_str());
    // At once, by ending: what the agent did not keep of the spares goes with this process.
    return code;
}

}  // namespace backstay::hook
