#include "common/crypto/secret_box.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "common/crypto/base64url.h"
#include "common/crypto/hmac.h"
#include "common/files/files.h"

namespace backstay {

namespace {

constexpr std::string_view kVersion = "v1.";
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

unsigned char* octets(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* octets(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
int length(std::string_view text) { return static_cast<int>(text.size()); }

std::string random_bytes(std::size_t count) {
    std::string bytes(count, '\0');
    if (RAND_bytes(octets(bytes), length(bytes)) != 1) std::abort();
    return bytes;
}

Error wrong() { return Error(Errc::corrupted, "a stored secret cannot be opened with this key"); }

}  // namespace

SecretBox::SecretBox(std::string_view key) { std::copy(key.begin(), key.end(), key_.begin()); }

Result<SecretBox> SecretBox::from_key(std::string_view key) {
    if (key.size() != kKeyBytes) return Error(Errc::invalid, "a key for secrets has 32 bytes");
    return SecretBox(key);
}

Result<SecretBox> SecretBox::load(const std::string& key_file) {
    const std::string text = TRY(read_secret_file(key_file));
    const std::string key = TRY(base64url_decode(text).context("read key file " + key_file));
    return from_key(key).context("read key file " + key_file);
}

Result<SecretBox> SecretBox::create(const std::string& key_file) {
    const std::string key = random_bytes(kKeyBytes);
    const std::string text = base64url_encode(as_bytes(key)) + "\n";
    const int file = ::open(key_file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0 && errno == EEXIST) return Error(Errc::conflict, "key file " + key_file + " exists already");
    if (file < 0) return Error::from_errno(errno, "make key file " + key_file);
    const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    const bool kept = written && ::fsync(file) == 0;
    const int reason = errno;
    ::close(file);
    if (!kept) return Error::from_errno(reason, "write key file " + key_file);
    return SecretBox(key);
}

std::string SecretBox::seal(std::string_view secret, std::string_view context) const {
    std::string box = random_bytes(kNonceBytes);
    std::string hidden(secret.size(), '\0');
    std::string tag(kTagBytes, '\0');
    const Cipher cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    int size = 0;
    const bool sealed = cipher != nullptr &&
                        EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key_.data(), octets(box)) == 1 &&
                        EVP_EncryptUpdate(cipher.get(), nullptr, &size, octets(context), length(context)) == 1 &&
                        EVP_EncryptUpdate(cipher.get(), octets(hidden), &size, octets(secret), length(secret)) == 1 &&
                        EVP_EncryptFinal_ex(cipher.get(), octets(tag), &size) == 1 &&
                        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag.data()) == 1;
    if (!sealed) std::abort();  // only a broken crypto library fails here
    box += hidden;
    box += tag;
    return std::string(kVersion) + base64url_encode(as_bytes(box));
}

Result<std::string> SecretBox::open(std::string_view sealed, std::string_view context) const {
    if (!sealed.starts_with(kVersion)) return wrong();
    const Result<std::string> decoded = base64url_decode(sealed.substr(kVersion.size()));
    if (!decoded || decoded->size() < kNonceBytes + kTagBytes) return wrong();
    const std::string_view box = *decoded;
    const std::string_view hidden = box.substr(kNonceBytes, box.size() - kNonceBytes - kTagBytes);
    std::string tag(box.substr(box.size() - kTagBytes));
    std::string secret(hidden.size(), '\0');
    std::string rest(kTagBytes, '\0');
    const Cipher cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    int size = 0;
    const bool genuine = cipher != nullptr &&
                         EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key_.data(), octets(box)) == 1 &&
                         EVP_DecryptUpdate(cipher.get(), nullptr, &size, octets(context), length(context)) == 1 &&
                         EVP_DecryptUpdate(cipher.get(), octets(secret), &size, octets(hidden), length(hidden)) == 1 &&
                         EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
                         EVP_DecryptFinal_ex(cipher.get(), octets(rest), &size) == 1;
    if (!genuine) return wrong();
    return secret;
}

std::string SecretBox::derive(std::string_view purpose) const {
    const std::string_view key(reinterpret_cast<const char*>(key_.data()), key_.size());
    return hmac_sha256(key, "backstay derived key: " + std::string(purpose));
}

}  // namespace backstay
