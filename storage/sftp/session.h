// One connection to one SFTP server: libssh2's home. Blocking, one thread at a time; every wait ends with the stop
// request, or when no byte moved for Patience::stall_ms. Errors tell why by Errc and reason: not_found, denied,
// exhausted, conflict, unavailable and timed_out (the connection is of no use any more, broken()), io where the server
// says no more than "failure".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/bytes.h"
#include "common/clock.h"
#include "storage/destination.h"
#include "storage/sftp/keys.h"

struct _LIBSSH2_SESSION;
struct _LIBSSH2_SFTP;
struct _LIBSSH2_SFTP_HANDLE;

namespace backstay::sftp {

struct Attributes {
    bool file = false;    // a regular one
    bool folder = false;  // neither: a link, a device
    std::uint64_t size_bytes = 0;
    TimeMs modified_at = 0;  // whole seconds
};

struct Entry {
    std::string name;
    Attributes about;
};

class Session;

// An open file or folder. Closes itself, before its session goes.
class Handle {
public:
    Handle(Session& session, _LIBSSH2_SFTP_HANDLE* handle) : session_(&session), handle_(handle) {}
    Handle(Handle&& other) noexcept : session_(other.session_), handle_(std::exchange(other.handle_, nullptr)) {}
    Handle& operator=(Handle&& other) noexcept {
        std::swap(session_, other.session_);
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~Handle();

    // What has been read or acknowledged counts from here.
    void seek(std::uint64_t offset);
    Result<std::size_t> read(MutableByteSpan buffer);  // 0: the end
    // How much of it the server has acknowledged; call again with what follows. libssh2 has sent all of it by then, so
    // that the next call must begin with the same bytes.
    Result<std::size_t> write(ByteSpan bytes);
    Result<Attributes> inspect();
    // On the server's disk; a server that does not know the request is believed to do what it can.
    Result<> sync();
    Result<std::optional<Entry>> next();  // of a folder, in no order; nullopt: the end
    Result<> close();

private:
    Session* session_;
    _LIBSSH2_SFTP_HANDLE* handle_;
};

class Session {
public:
    // Connects, makes sure that it is the right server, and logs in.
    static Result<std::unique_ptr<Session>> connect(const SftpConfig& config, const std::vector<HostKey>& host_keys,
                                                    const StorageContext& context);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    bool broken() const { return broken_; }

    Result<Handle> open_for_reading(const std::string& path);
    Result<Handle> create(const std::string& path);            // conflict or io: it is there
    Result<Handle> open_for_writing(const std::string& path);  // as it is
    Result<Handle> open_folder(const std::string& path);
    Result<Attributes> inspect(const std::string& path, bool follow = false);
    // Never replaces: OpenSSH links and unlinks.
    Result<> rename(const std::string& from, const std::string& to);
    Result<> remove(const std::string& path);
    Result<> make_folder(const std::string& path);
    Result<> remove_folder(const std::string& path);
    Result<std::optional<std::uint64_t>> free_bytes(const std::string& path);

private:
    friend class Handle;
    using Step = std::function<std::int64_t()>;

    Session(int socket, const StorageContext& context);
    Result<> greet(const std::string& types);
    Result<> log_in(const SftpConfig& config);
    Result<> offer_key(const SftpConfig& config);
    Result<> offer_password(const SftpConfig& config);
    std::string host_key_sha256() const;
    // Repeats a step of libssh2 until it no longer asks for patience; what it answered, if that is no error.
    Result<std::int64_t> settle(const Step& step);
    Result<> done(const Step& step);
    Result<Handle> open(const std::string& path, unsigned long flags, long mode, int type);
    Result<> wait(std::int64_t since);
    bool peer_has_gone() const;
    Error failure(std::int64_t code);

    int socket_;
    int wake_ = -1;  // an eventfd that a stop request writes to
    std::uint64_t stall_ms_;
    std::stop_token stop_;
    std::optional<std::stop_callback<std::function<void()>>> waker_;
    _LIBSSH2_SESSION* session_ = nullptr;
    _LIBSSH2_SFTP* sftp_ = nullptr;
    bool broken_ = false;
};

}  // namespace backstay::sftp
