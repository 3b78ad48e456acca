// Keys of SSH as people write them down: which server is the right one, and with what we show who we are. Pure
// functions; errors never quote a secret.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace backstay::sftp {

// A host key that is accepted, whatever else the server shows.
struct HostKey {
    std::string type;    // "ssh-ed25519", …; empty: only the fingerprint is known
    std::string sha256;  // 32 raw bytes
};

// The types that libssh2 1.10 can talk to, the best first. RSA it signs with SHA-1 only, which servers refuse by now.
inline constexpr std::string_view kHostKeyTypes[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
                                                     "ecdsa-sha2-nistp521"};

// One a line: "SHA256:…" as ssh-keygen -l shows it, or a public key ("ssh-ed25519 AAAA…"). `invalid` says what is
// wrong.
Result<std::vector<HostKey>> parse_host_keys(std::string_view text);

// The lines of a known_hosts file (sshd(8)) that speak of this server: plain, with wildcards or hashed. Revoked keys
// are left out. `invalid` when none is left.
Result<std::vector<HostKey>> find_known_hosts(std::string_view text, std::string_view host, std::uint16_t port);

// An Ed25519 or ECDSA key in OpenSSH's own form, that can be opened with a passphrase or without one.
Result<> check_private_key(std::string_view text, bool has_passphrase);

// "SHA256:…"
std::string fingerprint_text(std::string_view sha256);

}  // namespace backstay::sftp
