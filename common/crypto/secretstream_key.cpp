#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/crypto/secretstream.h"
#include "common/domain/reasons.h"

namespace backstay {

namespace {

constexpr std::size_t kMostBytes = 512;

Error key_error(Errc code, std::string message) {
    return Error(code, std::move(message)).with_reason(reason::kEncryptionKeyMissing);
}

// Closes and wipes at the end of a scope.
struct KeyFile {
    int fd = -1;
    std::array<char, kMostBytes> text{};
    ~KeyFile() {
        sodium_memzero(text.data(), text.size());
        if (fd >= 0) ::close(fd);
    }
};

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r\n";
    while (!text.empty() && kSpace.find(text.front()) != text.npos) text.remove_prefix(1);
    while (!text.empty() && kSpace.find(text.back()) != text.npos) text.remove_suffix(1);
    return text;
}

Result<> check_owner_only(int fd, const std::string& path) {
    struct stat about {};
    if (::fstat(fd, &about) != 0) return key_error(Errc::io, fmt::format("cannot inspect key file '{}'", path));
    if (!S_ISREG(about.st_mode)) return key_error(Errc::invalid, fmt::format("key file '{}' is no file", path));
    if ((about.st_mode & 0077U) != 0) {
        return key_error(Errc::denied,
                         fmt::format("key file '{}' may be read by others (mode {:04o})", path, about.st_mode & 07777U))
            .with_hint("chmod 0600 it");
    }
    return {};
}

}  // namespace

StreamKey::~StreamKey() { sodium_memzero(bytes_.data(), bytes_.size()); }

Result<StreamKey> StreamKey::parse(std::string_view base64_or_hex) {
    const std::string_view text = trimmed(base64_or_hex);
    StreamKey key;
    std::size_t length = 0;
    const char* end = nullptr;
    const bool hex = text.size() == 64 && sodium_hex2bin(key.bytes_.data(), key.bytes_.size(), text.data(), text.size(),
                                                         nullptr, &length, &end) == 0;
    if (hex && length == key.bytes_.size() && end == text.data() + text.size()) return key;
    for (const int variant : {sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
                              sodium_base64_VARIANT_URLSAFE, sodium_base64_VARIANT_URLSAFE_NO_PADDING}) {
        if (sodium_base642bin(key.bytes_.data(), key.bytes_.size(), text.data(), text.size(), nullptr, &length, &end,
                              variant) == 0 &&
            length == key.bytes_.size() && end == text.data() + text.size()) {
            return key;
        }
    }
    return key_error(Errc::invalid, "an encryption key is 32 bytes in base64 or hex");
}

Result<StreamKey> StreamKey::load(const std::string& path) {
    KeyFile file;
    file.fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file.fd < 0) {
        const Error error = Error::from_errno(errno, fmt::format("open key file '{}'", path));
        return key_error(error.code(), error.message());
    }
    TRY(check_owner_only(file.fd, path));
    const ssize_t count = ::read(file.fd, file.text.data(), file.text.size());
    if (count < 0) return key_error(Errc::io, fmt::format("cannot read key file '{}'", path));
    return parse(std::string_view(file.text.data(), static_cast<std::size_t>(count)))
        .context(fmt::format("key file '{}'", path));
}

Result<StreamKey> StreamKey::create(const std::string& path) {
    StreamKey key;
    randombytes_buf(key.bytes_.data(), key.bytes_.size());
    KeyFile file;
    file.fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file.fd < 0) {
        const Error error = Error::from_errno(errno, fmt::format("create key file '{}'", path));
        return key_error(error.code(), error.message());
    }
    sodium_bin2base64(file.text.data(), file.text.size(), key.bytes_.data(), key.bytes_.size(),
                      sodium_base64_VARIANT_ORIGINAL);
    const std::size_t length = std::strlen(file.text.data());
    file.text[length] = '\n';
    if (::write(file.fd, file.text.data(), length + 1) != static_cast<ssize_t>(length + 1) || ::fsync(file.fd) != 0) {
        return key_error(Errc::io, fmt::format("cannot write key file '{}'", path));
    }
    return key;
}

std::string StreamKey::id() const {
    std::array<unsigned char, 32> digest{};
    crypto_generichash(digest.data(), digest.size(), bytes_.data(), bytes_.size(), nullptr, 0);
    return fmt::format("{:02x}", fmt::join(digest.begin(), digest.begin() + 8, ""));
}

}  // namespace backstay
