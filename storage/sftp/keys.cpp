#include "storage/sftp/keys.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <optional>

#include "common/crypto/base64url.h"
#include "common/crypto/digest.h"
#include "common/crypto/hmac.h"

namespace backstay::sftp {

namespace {

constexpr std::string_view kFingerprint = "SHA256:";
constexpr std::size_t kDigestBytes = 32;
constexpr std::string_view kNoRsa =
    "RSA keys cannot be used (libssh2 1.10 signs them with SHA-1, which servers refuse)";

bool is_usable(std::string_view type) {
    return std::find(std::begin(kHostKeyTypes), std::end(kHostKeyTypes), type) != std::end(kHostKeyTypes);
}

std::string raw_sha256(std::string_view bytes) {
    const std::string hex = digest_hex(DigestKind::sha256, as_bytes(bytes));
    const auto nibble = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
    std::string raw;
    for (std::size_t i = 0; i < hex.size(); i += 2) raw += static_cast<char>(nibble(hex[i]) << 4U | nibble(hex[i + 1]));
    return raw;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> words;
    while (true) {
        const std::size_t start = text.find_first_not_of(separators);
        if (start == text.npos) return words;
        const std::size_t end = std::min(text.find_first_of(separators, start), text.size());
        words.push_back(text.substr(start, end - start));
        text.remove_prefix(end);
    }
}

// Base64 of RFC 4648 section 4, with its padding or without.
Result<std::string> from_base64(std::string_view text) {
    while (text.ends_with('=')) text.remove_suffix(1);
    std::string safe(text);
    for (char& c : safe) {
        if (c == '-' || c == '_') return Error(Errc::invalid, "is not base64");
        if (c == '+') c = '-';
        if (c == '/') c = '_';
    }
    return base64url_decode(safe);
}

std::string to_base64(std::string_view bytes) {
    std::string text = base64url_encode(as_bytes(bytes));
    std::replace(text.begin(), text.end(), '-', '+');
    std::replace(text.begin(), text.end(), '_', '/');
    return text;
}

// The fields of SSH's wire format (RFC 4251 section 5).
class Fields {
public:
    explicit Fields(std::string_view bytes) : bytes_(bytes) {}

    std::optional<std::uint32_t> number() {
        if (bytes_.size() < 4) return std::nullopt;
        std::uint32_t value = 0;
        for (const char c : bytes_.substr(0, 4)) value = (value << 8U) | static_cast<unsigned char>(c);
        bytes_.remove_prefix(4);
        return value;
    }
    std::optional<std::string_view> text() {
        const auto size = number();
        if (!size || *size > bytes_.size()) return std::nullopt;
        const std::string_view field = bytes_.substr(0, *size);
        bytes_.remove_prefix(*size);
        return field;
    }

private:
    std::string_view bytes_;
};

Result<HostKey> parse_public_key(std::string_view type, std::string_view base64) {
    if (type.starts_with("ssh-rsa") || type.starts_with("rsa-")) {
        return Error(Errc::invalid, std::string(kNoRsa)).with_hint("pin the server's Ed25519 or ECDSA key");
    }
    if (!is_usable(type)) return Error(Errc::invalid, "is neither an Ed25519 nor an ECDSA key");
    const Result<std::string> blob = from_base64(base64);
    if (!blob || Fields(*blob).text().value_or("") != type) return Error(Errc::invalid, "is not a public key");
    return HostKey{std::string(type), raw_sha256(*blob)};
}

Result<> add_host_key(std::string_view line, std::vector<HostKey>& keys) {
    if (line.starts_with("MD5:")) return Error(Errc::invalid, "MD5 is no proof; use the SHA256 fingerprint");
    if (line.starts_with(kFingerprint)) {
        Result<std::string> digest = from_base64(line.substr(kFingerprint.size()));
        if (!digest || digest->size() != kDigestBytes) {
            return Error(Errc::invalid, "is not a fingerprint as `ssh-keygen -l` shows it (SHA256:…)");
        }
        keys.emplace_back().sha256 = std::string_view(*digest);
        return {};
    }
    const std::vector<std::string_view> words = split(line, " \t");
    if (words.size() < 2) return Error(Errc::invalid, "is neither SHA256:… nor a public key (ssh-ed25519 AAAA…)");
    Result<HostKey> key = parse_public_key(words[0], words[1]);
    if (!key) return std::move(key).error();
    keys.push_back(std::move(*key));
    return {};
}

// "|1|salt|hash", the hash being HMAC-SHA1 of the name.
bool is_hash_of(std::string_view pattern, const std::string& name) {
    const std::vector<std::string_view> parts = split(pattern, "|");
    if (parts.size() != 3 || parts[0] != "1") return false;
    const Result<std::string> salt = from_base64(parts[1]);
    const Result<std::string> hash = from_base64(parts[2]);
    return salt && hash && hmac_sha1(*salt, name) == *hash;
}

bool speaks_of(std::string_view patterns, const std::string& name) {
    if (patterns.starts_with('|')) return is_hash_of(patterns, name);
    bool found = false;
    for (const std::string_view one : split(patterns, ",")) {
        const bool negated = one.starts_with('!');
        const std::string pattern(one.substr(negated ? 1 : 0));
        // The brackets around a host with a port are no set of characters.
        std::string escaped;
        for (const char c : pattern)
            escaped += c == '[' || c == ']' || c == '\\' ? std::string{'\\', c} : std::string{c};
        if (::fnmatch(escaped.c_str(), name.c_str(), FNM_CASEFOLD) != 0) continue;
        if (negated) return false;
        found = true;
    }
    return found;
}

// The text between the lines of dashes; nullopt: there are none.
std::optional<std::string> armoured(std::string_view text, std::string_view what) {
    const std::string first = fmt::format("-----BEGIN {}-----", what);
    const std::string last = fmt::format("-----END {}-----", what);
    const std::size_t start = text.find(first);
    const std::size_t end = text.find(last);
    if (start == text.npos || end == text.npos || end < start) return std::nullopt;
    std::string inner(text.substr(start + first.size(), end - start - first.size()));
    std::erase_if(inner, [](char c) { return c == '\n' || c == '\r' || c == ' ' || c == '\t'; });
    return inner;
}

struct PrivateKey {
    std::string cipher;
    std::string type;
};

// The open beginning of an OpenSSH key (PROTOCOL.key of OpenSSH).
std::optional<PrivateKey> read_head(std::string_view blob) {
    constexpr std::string_view kMagic("openssh-key-v1\0", 15);
    if (!blob.starts_with(kMagic)) return std::nullopt;
    Fields fields(blob.substr(kMagic.size()));
    const auto cipher = fields.text();
    const auto kdf = fields.text();
    const auto options = fields.text();
    const auto count = fields.number();
    const auto key = fields.text();
    if (!cipher || !kdf || !options || count != 1U || !key) return std::nullopt;
    return PrivateKey{std::string(*cipher), std::string(Fields(*key).text().value_or(""))};
}

}  // namespace

std::string fingerprint_text(std::string_view sha256) { return std::string(kFingerprint) + to_base64(sha256); }

Result<std::vector<HostKey>> parse_host_keys(std::string_view text) {
    std::vector<HostKey> keys;
    for (std::string_view line : split(text, "\r\n")) {
        while (line.starts_with(' ')) line.remove_prefix(1);
        while (line.ends_with(' ')) line.remove_suffix(1);
        if (line.empty() || line.starts_with('#')) continue;
        TRY(add_host_key(line, keys));
    }
    if (keys.empty()) return Error(Errc::invalid, "is empty: any server would do");
    return keys;
}

Result<std::vector<HostKey>> find_known_hosts(std::string_view text, std::string_view host, std::uint16_t port) {
    const std::string name = port == 22 ? std::string(host) : fmt::format("[{}]:{}", host, port);
    std::vector<HostKey> keys;
    std::vector<std::string> revoked;
    bool others = false;
    for (const std::string_view line : split(text, "\r\n")) {
        std::vector<std::string_view> words = split(line, " \t");
        if (words.empty() || words[0].starts_with('#')) continue;
        const std::string_view marker = words[0].starts_with('@') ? words[0] : "";
        if (!marker.empty()) words.erase(words.begin());
        if (words.size() < 3 || !speaks_of(words[0], name)) continue;
        Result<HostKey> key = parse_public_key(words[1], words[2]);
        others = others || !key || marker == "@cert-authority";
        if (!key) continue;
        if (marker == "@revoked") revoked.push_back(key->sha256);
        if (marker.empty()) keys.push_back(std::move(*key));
    }
    std::erase_if(keys, [&](const HostKey& key) {
        return std::find(revoked.begin(), revoked.end(), key.sha256) != revoked.end();
    });
    if (!keys.empty()) return keys;
    return Error(Errc::invalid, others || !revoked.empty()
                                    ? fmt::format("has no Ed25519 or ECDSA key of {} that is valid", name)
                                    : fmt::format("says nothing of {}", name))
        .with_hint(
            fmt::format("`ssh-keyscan -t ed25519 -p {} {}` shows it; compare it with the server's own", port, host));
}

Result<> check_private_key(std::string_view text, bool has_passphrase) {
    constexpr std::string_view kConvert = "`ssh-keygen -t ed25519` makes a key that can";
    if (text.find("-----BEGIN RSA PRIVATE KEY-----") != text.npos) {
        return Error(Errc::invalid, std::string(kNoRsa)).with_hint(kConvert);
    }
    const std::optional<std::string> inner = armoured(text, "OPENSSH PRIVATE KEY");
    const Result<std::string> blob = from_base64(inner.value_or("-"));
    const std::optional<PrivateKey> key = blob ? read_head(*blob) : std::nullopt;
    if (!key) {
        return Error(Errc::invalid, "is not a private key in OpenSSH's form (-----BEGIN OPENSSH PRIVATE KEY-----)")
            .with_hint("`ssh-keygen -p -f FILE` writes a key anew in that form");
    }
    if (key->type == "ssh-rsa") return Error(Errc::invalid, std::string(kNoRsa)).with_hint(kConvert);
    if (!is_usable(key->type))
        return Error(Errc::invalid, "is neither an Ed25519 nor an ECDSA key").with_hint(kConvert);
    if (key->cipher == "none") return {};
    if (!has_passphrase) return Error(Errc::invalid, "is protected by a passphrase: give privateKeyPassphrase too");
    if (!key->cipher.ends_with("-ctr") && !key->cipher.ends_with("-cbc")) {
        return Error(Errc::invalid, fmt::format("is encrypted with {}, which libssh2 does not know", key->cipher))
            .with_hint("`ssh-keygen -p -Z aes256-ctr -f FILE` encrypts it anew");
    }
    return {};
}

}  // namespace backstay::sftp
