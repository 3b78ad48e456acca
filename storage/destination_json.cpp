#include "storage/destination_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/describe.hpp>

#include "storage/s3/endpoint.h"
#include "storage/sftp/sftp_storage.h"

namespace backstay {

namespace {

struct LocalFields {
    std::string path;
    std::optional<std::uint64_t> min_free_bytes;
};
BOOST_DESCRIBE_STRUCT(LocalFields, (), (path, min_free_bytes))

struct S3Fields {
    std::string bucket;
    std::optional<std::string> endpoint;
    std::optional<std::string> region;
    std::string access_key_id;
    std::string secret_access_key;
    std::optional<std::string> session_token;
    std::optional<std::string> prefix;
    std::optional<bool> path_style;
    std::optional<bool> verify_tls;
    std::optional<std::string> ca_pem;
    std::optional<std::string> storage_class;
    std::optional<std::string> sse;
    std::optional<std::string> kms_key_id;
    std::optional<std::uint32_t> object_lock_days;
    std::optional<std::string> role_arn;
};
BOOST_DESCRIBE_STRUCT(S3Fields, (),
                      (bucket, endpoint, region, access_key_id, secret_access_key, session_token, prefix, path_style,
                       verify_tls, ca_pem, storage_class, sse, kms_key_id, object_lock_days, role_arn))

struct SftpFields {
    std::string host;
    std::optional<std::uint32_t> port;
    std::string username;
    std::optional<std::string> password;
    std::optional<std::string> private_key;
    std::optional<std::string> private_key_passphrase;
    std::string base_path;
    std::optional<std::string> host_key;
    std::optional<std::string> known_hosts;
};
BOOST_DESCRIBE_STRUCT(SftpFields, (),
                      (host, port, username, password, private_key, private_key_passphrase, base_path, host_key,
                       known_hosts))

constexpr std::array<std::string_view, 9> kSecretMembers = {"secretAccessKey", "sessionToken",         "password",
                                                            "privateKey",      "passphrase",           "refreshToken",
                                                            "clientSecret",    "privateKeyPassphrase", "accessToken"};

bool is_secret(std::string_view member) {
    return std::find(kSecretMembers.begin(), kSecretMembers.end(), member) != kSecretMembers.end();
}

bool only(std::string_view text, std::string_view also) {
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               also.find(c) != std::string_view::npos;
    });
}

bool printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

// Collects faults under "config.".
class Checker {
public:
    explicit Checker(json::Faults& faults) : faults_(faults) {}
    void require(bool good, std::string_view member, std::string_view otherwise) {
        if (!good) faults_.push_back({fmt::format("config.{}", member), std::string(otherwise)});
    }

private:
    json::Faults& faults_;
};

template <class Fields>
bool decode_fields(const json::Object& config, Fields& fields, json::Faults& faults) {
    json::Faults inner;
    const bool good = json::decode_into(json::Value(config), fields, inner);
    for (json::Fault& fault : inner)
        faults.push_back({fmt::format("config.{}", fault.field), std::move(fault.message)});
    return good;
}

std::optional<LocalConfig> decode_local(const json::Object& config, json::Faults& faults) {
    LocalFields fields;
    if (!decode_fields(config, fields, faults)) return std::nullopt;
    Checker check(faults);
    const std::string framed = fields.path + "/";
    check.require(fields.path.starts_with('/'), "path", "must be an absolute path on the agent's host");
    check.require(fields.path.find('\0') == std::string::npos && framed.find("/../") == std::string::npos &&
                      framed.find("/./") == std::string::npos && fields.path.size() < 4096,
                  "path", "must not have '.' or '..' segments");
    LocalConfig local;
    local.path = std::move(fields.path);
    local.min_free_bytes = fields.min_free_bytes.value_or(local.min_free_bytes);
    return local;
}

void check_names(const S3Fields& fields, Checker& check) {
    check.require(fields.bucket.size() >= 3 && fields.bucket.size() <= 255 && only(fields.bucket, "-._") &&
                      fields.bucket.find("..") == std::string::npos,
                  "bucket", "must have 3 to 255 letters, digits, '-', '.' or '_'");
    check.require(!fields.access_key_id.empty() && printable(fields.access_key_id), "accessKeyId",
                  "must be printable and not empty");
    check.require(!fields.secret_access_key.empty() && printable(fields.secret_access_key), "secretAccessKey",
                  "must be printable and not empty");
    check.require(fields.secret_access_key != kRedacted, "secretAccessKey", "is the placeholder, not a secret");
    check.require(printable(fields.session_token.value_or("")), "sessionToken", "must be printable");
    const std::string region = fields.region.value_or("us-east-1");
    check.require(!region.empty() && region.size() <= 64 && only(region, "-_"), "region",
                  "must be letters, digits, '-' or '_'");
    const std::string prefix = fields.prefix.value_or("");
    const std::string_view inner = std::string_view(prefix).substr(0, prefix.size() - (prefix.ends_with('/') ? 1 : 0));
    check.require(prefix.empty() || (prefix.size() <= 512 && check_key(inner)), "prefix",
                  "must be a path without leading '/', empty, '.' or '..' segments, of at most 512 bytes");
}

void check_choices(const S3Fields& fields, Checker& check) {
    const std::string sse = fields.sse.value_or("none");
    check.require(sse == "none" || sse == "AES256" || sse == "aws:kms" || sse.empty(), "sse",
                  "must be one of none, AES256, aws:kms");
    const std::string kms_key_id = fields.kms_key_id.value_or("");
    check.require(kms_key_id.empty() || (sse == "aws:kms" && printable(kms_key_id)), "kmsKeyId",
                  "goes with sse aws:kms only");
    check.require(only(fields.storage_class.value_or(""), "_-"), "storageClass", "must be a storage class's name");
    check.require(fields.object_lock_days.value_or(0) <= 36'500, "objectLockDays", "must be between 0 and 36500");
    const std::string ca_pem = fields.ca_pem.value_or("");
    check.require(ca_pem.empty() || ca_pem.find("-----BEGIN CERTIFICATE-----") != std::string::npos, "caPem",
                  "must be a certificate in PEM form");
    check.require(fields.role_arn.value_or("").empty(), "roleArn", "is not supported; give the keys of a user instead");
}

std::optional<S3Config> decode_s3(const std::string& type, const json::Object& config, json::Faults& faults) {
    S3Fields fields;
    if (!decode_fields(config, fields, faults)) return std::nullopt;
    Checker check(faults);
    check_names(fields, check);
    check_choices(fields, check);
    const std::string endpoint = fields.endpoint.value_or("");
    if (type == "s3") {
        check.require(endpoint.empty(), "endpoint", "belongs to type s3_compatible");
        check.require(fields.region.has_value(), "region", "is required");
    } else if (const auto parsed = s3::parse_endpoint(endpoint); !parsed) {
        check.require(false, "endpoint", endpoint.empty() ? "is required" : parsed.error().message());
    }
    S3Config s3;
    s3.endpoint = endpoint;
    s3.bucket = std::move(fields.bucket);
    s3.region = fields.region.value_or(s3.region);
    s3.access_key_id = std::move(fields.access_key_id);
    s3.secret_access_key = std::move(fields.secret_access_key);
    s3.session_token = fields.session_token.value_or("");
    s3.prefix = fields.prefix.value_or("");
    // AWS wants the bucket in the host name; the others mostly do not.
    s3.path_style = fields.path_style.value_or(type != "s3");
    s3.verify_tls = fields.verify_tls.value_or(true);
    s3.ca_pem = fields.ca_pem.value_or("");
    s3.storage_class = fields.storage_class.value_or("");
    s3.sse = fields.sse.value_or("none") == "none" ? "" : *fields.sse;
    s3.kms_key_id = fields.kms_key_id.value_or("");
    s3.object_lock_days = fields.object_lock_days.value_or(0);
    return s3;
}

json::Object encode_s3(const S3Config& s3) {
    json::Object config;
    const auto add = [&](std::string_view name, const std::string& value) {
        if (!value.empty()) config[name] = value;
    };
    add("endpoint", s3.endpoint);
    add("bucket", s3.bucket);
    add("region", s3.region);
    add("accessKeyId", s3.access_key_id);
    add("secretAccessKey", s3.secret_access_key);
    add("sessionToken", s3.session_token);
    add("prefix", s3.prefix);
    config["pathStyle"] = s3.path_style;
    config["verifyTls"] = s3.verify_tls;
    add("caPem", s3.ca_pem);
    add("storageClass", s3.storage_class);
    config["sse"] = s3.sse.empty() ? "none" : s3.sse;
    add("kmsKeyId", s3.kms_key_id);
    config["objectLockDays"] = s3.object_lock_days;
    return config;
}

std::optional<SftpConfig> decode_sftp(const json::Object& config, json::Faults& faults) {
    SftpFields fields;
    if (!decode_fields(config, fields, faults)) return std::nullopt;
    Checker check(faults);
    const std::uint32_t port = fields.port.value_or(22);
    SftpConfig sftp;
    sftp.host = std::move(fields.host);
    sftp.port = port <= 65'535 ? static_cast<std::uint16_t>(port) : std::uint16_t{0};
    sftp.username = std::move(fields.username);
    sftp.password = fields.password.value_or("");
    sftp.private_key = fields.private_key.value_or("");
    sftp.private_key_passphrase = fields.private_key_passphrase.value_or("");
    sftp.base_path = std::move(fields.base_path);
    sftp.host_key = fields.host_key.value_or("");
    sftp.known_hosts = fields.known_hosts.value_or("");
    check.require(sftp.password != kRedacted, "password", "is the placeholder, not a secret");
    check.require(sftp.private_key_passphrase != kRedacted, "privateKeyPassphrase", "is the placeholder, not a secret");
    if (sftp.private_key == kRedacted) {
        check.require(false, "privateKey", "is the placeholder, not a secret");
        return sftp;
    }
    for (const sftp::ConfigFault& fault : sftp::check_config(sftp)) check.require(false, fault.member, fault.message);
    return sftp;
}

json::Object encode_sftp(const SftpConfig& sftp) {
    json::Object config;
    const auto add = [&](std::string_view name, const std::string& value) {
        if (!value.empty()) config[name] = value;
    };
    add("host", sftp.host);
    config["port"] = std::uint64_t{sftp.port};
    add("username", sftp.username);
    add("password", sftp.password);
    add("privateKey", sftp.private_key);
    add("privateKeyPassphrase", sftp.private_key_passphrase);
    add("basePath", sftp.base_path);
    add("hostKey", sftp.host_key);
    add("knownHosts", sftp.known_hosts);
    return config;
}

}  // namespace

Result<Destination> decode_destination(const DestinationOrder& order, json::Faults* faults) {
    Destination destination{order.id, order.name, order.type, std::nullopt, std::nullopt, std::nullopt};
    json::Faults found;
    if (order.type == "local") {
        destination.local = decode_local(order.config, found);
    } else if (order.type == "s3" || order.type == "s3_compatible") {
        destination.s3 = decode_s3(order.type, order.config, found);
    } else if (order.type == "sftp") {
        destination.sftp = decode_sftp(order.config, found);
    } else {
        return Error(Errc::invalid, fmt::format("destination type '{}' is not supported", order.type))
            .with_reason(kDestinationTypeUnsupported)
            .with_hint("use local, s3, s3_compatible or sftp");
    }
    if (faults != nullptr) *faults = found;
    if (!found.empty()) return json::to_error(found);
    return destination;
}

DestinationOrder encode_destination(const Destination& destination) {
    DestinationOrder order;
    order.id = destination.id;
    order.name = destination.name;
    order.type = destination.type;
    if (destination.local) {
        order.config["path"] = destination.local->path;
        order.config["minFreeBytes"] = destination.local->min_free_bytes;
    }
    if (destination.s3) order.config = encode_s3(*destination.s3);
    if (destination.sftp) order.config = encode_sftp(*destination.sftp);
    return order;
}

json::Object redact_config(const json::Object& config) {
    json::Object redacted = config;
    for (auto& member : redacted) {
        const auto* text = member.value().if_string();
        if (is_secret(member.key()) && !(text != nullptr && text->empty()) && !member.value().is_null()) {
            member.value() = kRedacted;
        }
    }
    return redacted;
}

json::Object keep_redacted(const json::Object& stored, const json::Object& changed) {
    json::Object merged = changed;
    for (auto& member : merged) {
        const auto* text = member.value().if_string();
        if (!is_secret(member.key()) || text == nullptr || *text != kRedacted) continue;
        if (const json::Value* before = stored.if_contains(member.key())) member.value() = *before;
    }
    return merged;
}

}  // namespace backstay
