// From a name to a session that is logged in at the right server.
#include <fcntl.h>
#include <fmt/format.h>
#include <libssh2.h>
#include <libssh2_sftp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

#include "common/domain/reasons.h"
#include "common/http/client.h"
#include "storage/sftp/session.h"

namespace backstay::sftp {

namespace {

constexpr std::int64_t kPollMs = 250;

void start_libssh2() {
    static std::once_flag once;
    std::call_once(once, [] { libssh2_init(0); });
}

Error unreachable(std::string message) {
    return Error(Errc::unavailable, std::move(message)).with_reason(reason::kDestinationUnreachable);
}

struct FreeAddresses {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

// Until the connection stands, or not.
Result<> finish_connecting(int socket, const StorageContext& context) {
    const std::int64_t until = steady_ms() + static_cast<std::int64_t>(context.patience.connect_ms);
    while (true) {
        if (context.stop.stop_requested()) return Error(Errc::cancelled, "stopped");
        const std::int64_t left = until - steady_ms();
        if (left <= 0) {
            return Error(Errc::timed_out, fmt::format("no connection after {} ms", context.patience.connect_ms))
                .with_reason(reason::kDestinationUnreachable);
        }
        pollfd waiting{socket, POLLOUT, 0};
        if (::poll(&waiting, 1, static_cast<int>(std::min(left, kPollMs))) <= 0) continue;
        int why = 0;
        socklen_t size = sizeof why;
        ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &why, &size);
        if (why == 0) return {};
        return unreachable(Error::from_errno(why, "connect").message());
    }
}

Result<int> connect_to(const addrinfo& address, const StorageContext& context) {
    const int socket = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, address.ai_protocol);
    if (socket < 0) return unreachable(Error::from_errno(errno, "open a socket").message());
    Result<> connected;
    if (::connect(socket, address.ai_addr, address.ai_addrlen) != 0) {
        connected = errno == EINPROGRESS ? finish_connecting(socket, context)
                                         : Result<>(unreachable(Error::from_errno(errno, "connect").message()));
    }
    if (!connected) {
        ::close(socket);
        return std::move(connected).error();
    }
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // A dump may pause for long; what stands between must not forget the connection.
    ::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    const int idle_seconds = 60;
    ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);
    return socket;
}

Result<int> open_socket(const SftpConfig& config, const StorageContext& context) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int why = ::getaddrinfo(config.host.c_str(), fmt::format("{}", config.port).c_str(), &hints, &found);
    if (why != 0) return unreachable(fmt::format("host '{}': {}", config.host, ::gai_strerror(why)));
    const std::unique_ptr<addrinfo, FreeAddresses> addresses(found);
    Error last(Errc::denied, "connections to this address are not allowed");
    last.add_reason(reason::kDestinationUnreachable);
    last.add_fact(http::kAddressRefused, "true");
    for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
        if (!http::may_connect(context.address_rule, *address->ai_addr)) continue;
        Result<int> socket = connect_to(*address, context);
        if (socket || socket.error().code() == Errc::cancelled) return socket;
        last = std::move(socket).error();
    }
    return last;
}

// What to ask the server for, one handshake after the other. A server shows one key only: where a mere fingerprint is
// pinned, each type may be the one that it belongs to.
std::vector<std::string> offers(const std::vector<HostKey>& keys) {
    std::vector<std::string> each;
    std::string pinned;
    const bool unknown = std::any_of(keys.begin(), keys.end(), [](const HostKey& key) { return key.type.empty(); });
    for (const std::string_view type : kHostKeyTypes) {
        each.emplace_back(type);
        const bool named = std::any_of(keys.begin(), keys.end(), [&](const HostKey& key) { return key.type == type; });
        if (named) pinned += fmt::format("{}{}", pinned.empty() ? "" : ",", type);
    }
    return unknown ? each : std::vector<std::string>{pinned};
}

bool is_pinned(const std::vector<HostKey>& keys, const std::string& sha256) {
    return std::any_of(keys.begin(), keys.end(), [&](const HostKey& key) { return key.sha256 == sha256; });
}

Error wrong_server(const std::string& shown) {
    if (shown.empty()) {
        return Error(Errc::denied, "the server has no host key of a type that is pinned and can be used")
            .with_reason(reason::kDestinationUnreachable)
            .with_hint("it needs an Ed25519 or ECDSA host key; RSA alone does not do");
    }
    return Error(Errc::denied, fmt::format("the server shows the host key {}, which is not the pinned one", shown))
        .with_reason(reason::kDestinationUnreachable)
        .with_hint("find out why before you pin another key: somebody may stand between");
}

// Errors of libssh2 that mean: no type of host key in common.
bool is_disagreement(const Error& error) {
    return error.message().find(fmt::format("(libssh2 {})", LIBSSH2_ERROR_KEX_FAILURE)) != std::string::npos;
}

}  // namespace

std::string Session::host_key_sha256() const {
    const char* hash = libssh2_hostkey_hash(session_, LIBSSH2_HOSTKEY_HASH_SHA256);
    return hash != nullptr ? std::string(hash, 32) : std::string();
}

Result<std::unique_ptr<Session>> Session::connect(const SftpConfig& config, const std::vector<HostKey>& host_keys,
                                                  const StorageContext& context) {
    start_libssh2();
    std::string shown;
    for (const std::string& types : offers(host_keys)) {
        const int socket = TRY(open_socket(config, context));
        std::unique_ptr<Session> session(new Session(socket, context));
        Result<> greeted = session->greet(types);
        if (!greeted && is_disagreement(greeted.error())) continue;
        TRY(std::move(greeted));
        const std::string sha256 = session->host_key_sha256();
        if (!is_pinned(host_keys, sha256)) {
            shown += fmt::format("{}{}", shown.empty() ? "" : " or ", fingerprint_text(sha256));
            continue;
        }
        TRY(session->log_in(config));
        return session;
    }
    return wrong_server(shown);
}

Result<> Session::greet(const std::string& types) {
    session_ = libssh2_session_init_ex(nullptr, nullptr, nullptr, nullptr);
    if (session_ == nullptr) return Error(Errc::exhausted, "libssh2 gave no session");
    libssh2_session_set_blocking(session_, 0);
    if (libssh2_session_method_pref(session_, LIBSSH2_METHOD_HOSTKEY, types.c_str()) != 0) return failure(-1);
    return done([&] { return libssh2_session_handshake(session_, socket_); }).context("SSH handshake");
}

Result<> Session::offer_key(const SftpConfig& config) {
    const std::string& key = config.private_key;
    const std::string& passphrase = config.private_key_passphrase;
    // Only at its end does the reader of OpenSSH's form find the last line.
    const std::string text = key.ends_with('\n') ? key : key + "\n";
    return done([&] {
        return libssh2_userauth_publickey_frommemory(session_, config.username.c_str(), config.username.size(), nullptr,
                                                     0, text.c_str(), text.size(), passphrase.c_str());
    });
}

Result<> Session::offer_password(const SftpConfig& config) {
    return done([&] {
        return libssh2_userauth_password_ex(session_, config.username.c_str(),
                                            static_cast<unsigned>(config.username.size()), config.password.c_str(),
                                            static_cast<unsigned>(config.password.size()), nullptr);
    });
}

Result<> Session::log_in(const SftpConfig& config) {
    Result<> accepted = config.private_key.empty() ? offer_password(config) : offer_key(config);
    TRY(std::move(accepted).context(fmt::format("log in as '{}'", config.username)));
    return done([&]() -> std::int64_t {
               sftp_ = libssh2_sftp_init(session_);
               return sftp_ != nullptr ? 0 : libssh2_session_last_errno(session_);
           })
        .context("start SFTP");
}

}  // namespace backstay::sftp
