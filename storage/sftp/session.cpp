#include "storage/sftp/session.h"

#include <fmt/format.h>
#include <libssh2.h>
#include <libssh2_sftp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/domain/reasons.h"

namespace backstay::sftp {

namespace {

constexpr int kPollMs = 250;           // longest time between two looks at the stall limit
constexpr int kAttemptsToFree = 1000;  // of a connection that is cut already: nothing waits any more
constexpr long kFileMode = 0640;
constexpr long kFolderMode = 0750;

unsigned size_of(const std::string& path) { return static_cast<unsigned>(path.size()); }

Attributes read_attributes(const LIBSSH2_SFTP_ATTRIBUTES& from) {
    Attributes about;
    if ((from.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) != 0) {
        about.file = LIBSSH2_SFTP_S_ISREG(from.permissions);
        about.folder = LIBSSH2_SFTP_S_ISDIR(from.permissions);
    }
    if ((from.flags & LIBSSH2_SFTP_ATTR_SIZE) != 0) about.size_bytes = from.filesize;
    if ((from.flags & LIBSSH2_SFTP_ATTR_ACMODTIME) != 0) about.modified_at = static_cast<TimeMs>(from.mtime) * 1000;
    return about;
}

struct Meaning {
    unsigned long status;
    Errc code;
    std::string_view reason;
    std::string_view words;
};

// draft-ietf-secsh-filexfer-02 section 7; OpenSSH answers a full disk and a taken name with FAILURE.
constexpr std::array<Meaning, 16> kMeanings = {{
    {LIBSSH2_FX_NO_SUCH_FILE, Errc::not_found, reason::kRemoteMissing, "no such file"},
    {LIBSSH2_FX_NO_SUCH_PATH, Errc::not_found, reason::kRemoteMissing, "no such folder"},
    {LIBSSH2_FX_PERMISSION_DENIED, Errc::denied, reason::kDestinationAuthFailed, "permission denied"},
    {LIBSSH2_FX_WRITE_PROTECT, Errc::denied, reason::kDestinationAuthFailed, "write-protected"},
    {LIBSSH2_FX_NO_SPACE_ON_FILESYSTEM, Errc::exhausted, reason::kDestinationFull, "no space left"},
    {LIBSSH2_FX_QUOTA_EXCEEDED, Errc::exhausted, reason::kDestinationFull, "quota exceeded"},
    {LIBSSH2_FX_FILE_ALREADY_EXISTS, Errc::conflict, "", "it exists already"},
    {LIBSSH2_FX_DIR_NOT_EMPTY, Errc::conflict, "", "the folder is not empty"},
    {LIBSSH2_FX_NOT_A_DIRECTORY, Errc::conflict, "", "a file is in the way"},
    {LIBSSH2_FX_INVALID_FILENAME, Errc::invalid, "", "the server does not take such a name"},
    {LIBSSH2_FX_LINK_LOOP, Errc::denied, "", "a symbolic link is in the way"},
    {LIBSSH2_FX_OP_UNSUPPORTED, Errc::invalid, "", "the server does not know this request"},
    {LIBSSH2_FX_NO_CONNECTION, Errc::unavailable, reason::kDestinationUnreachable, "the server lost its storage"},
    {LIBSSH2_FX_CONNECTION_LOST, Errc::unavailable, reason::kDestinationUnreachable, "the server lost its storage"},
    {LIBSSH2_FX_NO_MEDIA, Errc::unavailable, reason::kDestinationUnreachable, "the server has no medium"},
    {LIBSSH2_FX_FAILURE, Errc::io, "", "the server says \"failure\" and no more"},
}};

Error status_error(unsigned long status) {
    const auto* known = std::find_if(kMeanings.begin(), kMeanings.end(),
                                     [&](const Meaning& meaning) { return meaning.status == status; });
    if (known == kMeanings.end()) return Error(Errc::io, fmt::format("the server answers with status {}", status));
    Error error(known->code, std::string(known->words));
    if (!known->reason.empty()) error.add_reason(known->reason);
    return error;
}

}  // namespace

Session::Session(int socket, const StorageContext& context)
    : socket_(socket),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      stall_ms_(context.patience.stall_ms),
      stop_(context.stop) {
    waker_.emplace(stop_, [wake = wake_] { (void)::eventfd_write(wake, 1); });
}

Session::~Session() {
    waker_.reset();
    // A server that is told goodbye ends its session at once; nobody waits for it.
    if (session_ != nullptr && !broken_) (void)libssh2_session_disconnect(session_, "done");
    ::shutdown(socket_, SHUT_RDWR);
    if (sftp_ != nullptr) {
        for (int i = 0; i < kAttemptsToFree && libssh2_sftp_shutdown(sftp_) == LIBSSH2_ERROR_EAGAIN;) ++i;
    }
    if (session_ != nullptr) {
        for (int i = 0; i < kAttemptsToFree && libssh2_session_free(session_) == LIBSSH2_ERROR_EAGAIN;) ++i;
    }
    ::close(socket_);
    if (wake_ >= 0) ::close(wake_);
}

Result<> Session::wait(std::int64_t since) {
    const int directions = libssh2_session_block_directions(session_);
    short events = (directions & LIBSSH2_SESSION_BLOCK_OUTBOUND) != 0 ? POLLOUT : 0;
    if ((directions & LIBSSH2_SESSION_BLOCK_INBOUND) != 0 || events == 0) events = static_cast<short>(events | POLLIN);
    std::array<pollfd, 2> waiting = {{{socket_, events, 0}, {wake_, POLLIN, 0}}};
    while (true) {
        if (stop_.stop_requested()) {
            broken_ = true;
            return Error(Errc::cancelled, "stopped");
        }
        const std::int64_t left = static_cast<std::int64_t>(stall_ms_) - (steady_ms() - since);
        if (left <= 0) {
            broken_ = true;
            return Error(Errc::timed_out, fmt::format("the server has not moved a byte for {} ms", stall_ms_))
                .with_reason(reason::kDestinationUnreachable);
        }
        ::poll(waiting.data(), waiting.size(), static_cast<int>(std::min<std::int64_t>(left, kPollMs)));
        if (waiting[0].revents != 0) return {};
    }
}

bool Session::peer_has_gone() const {
    char next = 0;
    const ssize_t count = ::recv(socket_, &next, 1, MSG_PEEK | MSG_DONTWAIT);
    return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
}

Error Session::failure(std::int64_t code) {
    if (code == LIBSSH2_ERROR_SFTP_PROTOCOL && sftp_ != nullptr) return status_error(libssh2_sftp_last_error(sftp_));
    char* text = nullptr;
    (void)libssh2_session_last_error(session_, &text, nullptr, 0);
    const std::string message = fmt::format("{} (libssh2 {})", text != nullptr ? text : "failed", code);
    const bool refused = code == LIBSSH2_ERROR_AUTHENTICATION_FAILED || code == LIBSSH2_ERROR_KEYFILE_AUTH_FAILED ||
                         code == LIBSSH2_ERROR_FILE ||
                         // Also when the line broke while it waited for the word.
                         (code == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED && !peer_has_gone());
    if (refused) {
        return Error(Errc::denied, message).with_reason(reason::kDestinationAuthFailed);
    }
    if (code == LIBSSH2_ERROR_ALLOC) return Error(Errc::exhausted, message);
    // Whatever it was, where the next answer begins is no longer known.
    broken_ = true;
    return Error(Errc::unavailable, message).with_reason(reason::kDestinationUnreachable);
}

Result<std::int64_t> Session::settle(const Step& step) {
    while (true) {
        const std::int64_t since = steady_ms();
        const std::int64_t answer = step();
        if (answer >= 0) return answer;
        if (answer != LIBSSH2_ERROR_EAGAIN) return failure(answer);
        TRY(wait(since));
    }
}

Result<> Session::done(const Step& step) {
    TRY(settle(step));
    return {};
}

Result<Handle> Session::open(const std::string& path, unsigned long flags, long mode, int type) {
    LIBSSH2_SFTP_HANDLE* handle = nullptr;
    TRY(settle([&]() -> std::int64_t {
        handle = libssh2_sftp_open_ex(sftp_, path.c_str(), size_of(path), flags, mode, type);
        if (handle != nullptr) return 0;
        const int code = libssh2_session_last_errno(session_);
        return code < 0 ? code : LIBSSH2_ERROR_PROTO;
    }));
    return Handle(*this, handle);
}

Result<Handle> Session::open_for_reading(const std::string& path) {
    return open(path, LIBSSH2_FXF_READ, 0, LIBSSH2_SFTP_OPENFILE);
}

Result<Handle> Session::create(const std::string& path) {
    return open(path, LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_EXCL, kFileMode, LIBSSH2_SFTP_OPENFILE);
}

Result<Handle> Session::open_for_writing(const std::string& path) {
    return open(path, LIBSSH2_FXF_WRITE, 0, LIBSSH2_SFTP_OPENFILE);
}

Result<Handle> Session::open_folder(const std::string& path) { return open(path, 0, 0, LIBSSH2_SFTP_OPENDIR); }

Result<Attributes> Session::inspect(const std::string& path, bool follow) {
    LIBSSH2_SFTP_ATTRIBUTES about{};
    const int how = follow ? LIBSSH2_SFTP_STAT : LIBSSH2_SFTP_LSTAT;
    TRY(done([&] { return libssh2_sftp_stat_ex(sftp_, path.c_str(), size_of(path), how, &about); }));
    return read_attributes(about);
}

Result<> Session::rename(const std::string& from, const std::string& to) {
    return done([&] {
        return libssh2_sftp_rename_ex(sftp_, from.c_str(), size_of(from), to.c_str(), size_of(to),
                                      LIBSSH2_SFTP_RENAME_ATOMIC);
    });
}

Result<> Session::remove(const std::string& path) {
    return done([&] { return libssh2_sftp_unlink_ex(sftp_, path.c_str(), size_of(path)); });
}

Result<> Session::make_folder(const std::string& path) {
    return done([&] { return libssh2_sftp_mkdir_ex(sftp_, path.c_str(), size_of(path), kFolderMode); });
}

Result<> Session::remove_folder(const std::string& path) {
    return done([&] { return libssh2_sftp_rmdir_ex(sftp_, path.c_str(), size_of(path)); });
}

Result<std::optional<std::uint64_t>> Session::free_bytes(const std::string& path) {
    LIBSSH2_SFTP_STATVFS about{};
    const Result<> asked = done([&] { return libssh2_sftp_statvfs(sftp_, path.c_str(), path.size(), &about); });
    if (asked) return std::optional<std::uint64_t>(about.f_bavail * about.f_frsize);
    if (broken_) return asked.error();
    return std::optional<std::uint64_t>();
}

Handle::~Handle() {
    if (handle_ == nullptr) return;
    // Never waits for long: a connection that is of no use is cut first, and then nothing waits.
    if (session_->broken_) ::shutdown(session_->socket_, SHUT_RDWR);
    if (!close()) session_->broken_ = true;
}

Result<> Handle::close() {
    LIBSSH2_SFTP_HANDLE* handle = std::exchange(handle_, nullptr);
    if (session_->broken_) {
        for (int i = 0; i < kAttemptsToFree && libssh2_sftp_close_handle(handle) == LIBSSH2_ERROR_EAGAIN;) ++i;
        return Error(Errc::unavailable, "the connection is broken").with_reason(reason::kDestinationUnreachable);
    }
    return session_->done([&] { return libssh2_sftp_close_handle(handle); });
}

void Handle::seek(std::uint64_t offset) { libssh2_sftp_seek64(handle_, offset); }

Result<std::size_t> Handle::read(MutableByteSpan buffer) {
    auto* into = reinterpret_cast<char*>(buffer.data());
    const std::int64_t count = TRY(session_->settle([&] { return libssh2_sftp_read(handle_, into, buffer.size()); }));
    return static_cast<std::size_t>(count);
}

Result<std::size_t> Handle::write(ByteSpan bytes) {
    const auto* from = reinterpret_cast<const char*>(bytes.data());
    const std::int64_t count = TRY(session_->settle([&]() -> std::int64_t {
        const ssize_t acknowledged = libssh2_sftp_write(handle_, from, bytes.size());
        // "Nothing yet" comes as 0, too.
        return acknowledged == 0 ? LIBSSH2_ERROR_EAGAIN : acknowledged;
    }));
    return static_cast<std::size_t>(count);
}

Result<Attributes> Handle::inspect() {
    LIBSSH2_SFTP_ATTRIBUTES about{};
    TRY(session_->done([&] { return libssh2_sftp_fstat_ex(handle_, &about, 0); }));
    return read_attributes(about);
}

Result<> Handle::sync() {
    Result<> synced = session_->done([&] { return libssh2_sftp_fsync(handle_); });
    return synced || synced.error().code() == Errc::invalid ? Result<>() : synced;
}

Result<std::optional<Entry>> Handle::next() {
    std::array<char, 4096> name{};
    LIBSSH2_SFTP_ATTRIBUTES about{};
    const std::int64_t size = TRY(session_->settle([&]() -> std::int64_t {
        return libssh2_sftp_readdir_ex(handle_, name.data(), name.size(), nullptr, 0, &about);
    }));
    if (size == 0) return std::optional<Entry>();
    return std::optional<Entry>({std::string(name.data(), static_cast<std::size_t>(size)), read_attributes(about)});
}

}  // namespace backstay::sftp
