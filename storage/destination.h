// A destination's configuration as the contract names its fields (contract/semantics.md 2.2), and the one place that
// turns it into a ready Storage.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/address_rule.h"
#include "common/result.h"
#include "storage/storage.h"

namespace backstay {

// An error of open_storage and of the JSON codec, not of an operation: no driver for this type is built.
inline constexpr std::string_view kDestinationTypeUnsupported = "destination_type_unsupported";

struct LocalConfig {
    std::string path;  // absolute, on the agent's host
    std::uint64_t min_free_bytes = 5ULL << 30;
};

struct S3Config {
    std::string endpoint;  // "https://host[:port]"; empty for AWS itself
    std::string bucket;
    std::string region = "us-east-1";
    std::string access_key_id;
    std::string secret_access_key;
    std::string session_token;
    std::string prefix;
    bool path_style = true;  // false: bucket in the host name
    bool verify_tls = true;
    std::string ca_pem;         // PEM text of a private CA
    std::string storage_class;  // empty: the bucket's default
    std::string sse;            // empty, "AES256" or "aws:kms"
    std::string kms_key_id;
    std::uint32_t object_lock_days = 0;
};

struct SftpConfig {
    std::string host;
    std::uint16_t port = 22;
    std::string username;
    std::string password;     // this, or a key
    std::string private_key;  // OpenSSH's form, Ed25519 or ECDSA
    std::string private_key_passphrase;
    std::string base_path;  // absolute, or below the folder that the login leads to
    // Who the server must be (storage/sftp/keys.h): one of the two.
    std::string host_key;
    std::string known_hosts;
};

// `type` is the contract's: local, s3, s3_compatible, sftp. Exactly the matching config is set.
struct Destination {
    std::string id;
    std::string name;
    std::string type;
    std::optional<LocalConfig> local;
    std::optional<S3Config> s3;
    std::optional<SftpConfig> sftp;
};

// How long a remote store is waited for.
struct Patience {
    std::uint64_t connect_ms = 10'000;
    std::uint64_t stall_ms = 60'000;  // no byte in either direction
    int attempts = 4;                 // of a call that can be repeated as a whole
    // Of one piece of an upload: giving up loses the whole stream, so more is tried; at most piece_ms in all.
    int piece_attempts = 10;
    std::uint64_t piece_ms = 300'000;
    std::uint64_t first_wait_ms = 200;  // doubled each time, each wait drawn between half and all of it
    std::uint64_t longest_wait_ms = 30'000;
};

// For connection tests and preflight checks, where somebody waits for the answer.
inline constexpr Patience kBriefPatience = {5'000, 10'000, 2, 2, 20'000, 200, 1'000};

// What opening may use of its surroundings.
struct StorageContext {
    std::vector<std::string> local_roots;  // allow-list: a local path must lie in one of them; empty: nowhere
    std::stop_token stop;                  // ends waits and transfers
    // Upload and download speed in bytes a second, asked for every piece; 0 or empty: unlimited.
    std::function<std::uint64_t()> rate_limit;
    // Parts of huge uploads that do not fit into memory wait here, in files without a name; empty: /var/tmp.
    std::string scratch_dir;
    // Where remote stores may be: for whoever opens destinations that others configured, in a network of its own.
    http::AddressRule address_rule = http::AddressRule::any;
    Patience patience;
};

// Checks the configuration and composes driver and decorators (retry, rate limit). Connects lazily.
Result<std::unique_ptr<Storage>> open_storage(const Destination& destination, const StorageContext& context);

// Writes, reads back, lists and deletes a small object under a name of its own: "reachable and writable".
Result<> probe_storage(Storage& storage);

}  // namespace backstay
