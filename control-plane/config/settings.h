// control.toml: what a control plane is told once at its start. Relative paths lie in its state folder. Secrets are
// never in it, only paths of files that hold them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/http/address_rule.h"
#include "common/log.h"
#include "common/result.h"

namespace backstay {

struct TokenSettings {
    std::string algorithm = "HS256";      // HS256, RS256, EdDSA
    std::string secret_file = "jwt.key";  // HS256: at least 32 bytes
    std::string public_key_file;          // RS256, EdDSA: PEM
    std::string issuer;                   // empty: any
    std::string audience = "backstay";    // empty: any
};

struct ApiLimits {
    std::int64_t reads_per_minute = 1200;  // for each credential; 0: no limit
    std::int64_t writes_per_minute = 300;
    std::int64_t public_reads_per_minute = 120;  // /api/public/v1
    std::int64_t public_writes_per_minute = 20;
    std::int64_t refusals_per_minute = 120;  // wrong credentials of one peer
    std::int64_t streams_per_credential = 10;
    std::size_t body_bytes = 1024 * 1024;
    std::size_t connections = 25'000;  // an agent keeps two
};

// How long history is kept; 0: for ever. What a backup that exists, or a restore that can be undone, is judged by
// stays.
struct RetentionSettings {
    std::int64_t audit_days = 400;
    std::int64_t operations_days = 400;  // operations, and backups that are deleted
    std::int64_t steps_days = 90;        // steps, events and orders of operations that ended
    std::int64_t tokens_days = 90;       // enrolment tokens and API keys that are over
};

// The control plane's own backup, once a day.
struct BackupSettings {
    std::string folder = "backups";   // empty: none by itself
    std::int64_t minute_of_day = 90;  // UTC
    std::size_t keep = 7;             // how many stay
    bool with_keys = true;            // holds secrets.key and its kin
    std::string encryption_key_file;  // empty: not encrypted
};

// Who may read /metrics.
struct MetricsSettings {
    bool open = false;       // everybody
    std::string token_file;  // whoever sends this token, from anywhere; empty: nobody but loopback
};

// How mail leaves; without a host none does.
struct MailSettings {
    std::string host;
    std::int64_t port = 587;
    std::string security = "starttls";  // tls, starttls, none
    std::string from;
    std::string username;
    std::string password_file;
    std::string ca_file;
};

// How other processes that serve the same store (PostgreSQL) reach this one.
struct ReplicaSettings {
    std::string address;  // "http://10.0.0.2:8480", "https://…"; empty: nobody does
    std::string ca_file;  // PEM, of the others' certificates; empty: the system's
};

struct Settings {
    std::string state_dir;
    std::string listen = "127.0.0.1:8480";  // HOST:PORT; port 0 lets the system choose
    std::string store = "control.db";       // a file, or postgresql://…
    std::string secrets_key_file = "secrets.key";
    std::string tls_certificate_file;  // both or none
    std::string tls_key_file;
    // Connection tests of destinations reach into loopback and private networks.
    bool allow_private_destinations = false;
    // Webhooks are called in loopback and private networks too, and without TLS.
    bool allow_private_webhooks = false;
    log::Level log_level = log::Level::info;
    MetricsSettings metrics;
    TokenSettings tokens;
    ApiLimits limits;
    RetentionSettings retention;
    MailSettings mail;
    BackupSettings backup;
    ReplicaSettings replicas;
};

// Where connection tests may go.
http::AddressRule address_rule(const Settings& settings);
// Where webhooks may go.
http::AddressRule webhook_rule(const Settings& settings);

inline constexpr const char* kSettingsFile = "control.toml";
inline constexpr const char* kStoreFile = "control.db";  // the default

// Reads <state_dir>/control.toml. Every problem at once, each with line and key; relative paths are resolved.
// denied: a password in it, and others may read it.
Result<Settings> load_settings(const std::string& state_dir);
// The same of a text that is read already.
Result<Settings> settings_of(const std::string& text, const std::string& state_dir);

// The text of a new control.toml, every key with its default.
std::string settings_text(const std::string& listen);

}  // namespace backstay
