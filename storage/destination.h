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

// `type` is the contract's: local, s3, s3_compatible. Exactly the matching config is set.
struct Destination {
    std::string id;
    std::string name;
    std::string type;
    std::optional<LocalConfig> local;
    std::optional<S3Config> s3;
};

// What opening may use of its surroundings.
struct StorageContext {
    std::vector<std::string> local_roots;  // allow-list: a local path must lie in one of them; empty: any
    std::stop_token stop;                  // ends waits and transfers
    // Upload and download speed in bytes a second, asked for every piece; 0 or empty: unlimited.
    std::function<std::uint64_t()> rate_limit;
};

// Checks the configuration and composes driver and decorators (retry, rate limit). Connects lazily.
Result<std::unique_ptr<Storage>> open_storage(const Destination& destination, const StorageContext& context);

// Writes, reads back, lists and deletes a small object under a name of its own: "reachable and writable".
Result<> probe_storage(Storage& storage);

}  // namespace backstay
