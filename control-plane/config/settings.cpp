// toml++'s home in the control plane.
#include "control-plane/config/settings.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <optional>
#include <set>
#include <vector>

#include "common/files/files.h"
#include "common/mail/message.h"
#include "common/sql/database.h"

namespace backstay {
namespace {

// Takes known keys out of one table and collects every problem.
class Reader {
public:
    Reader(const toml::table* table, std::string title, std::vector<std::string>& faults)
        : table_(table), title_(std::move(title)), faults_(faults) {}

    void text(std::string_view key, std::string& into) {
        const toml::node* node = take(key);
        if (node == nullptr) return;
        if (const auto value = node->value_exact<std::string>()) {
            into = *value;
        } else {
            fault(*node, key, "must be text");
        }
    }

    void flag(std::string_view key, bool& into) {
        const toml::node* node = take(key);
        if (node == nullptr) return;
        if (const auto value = node->value_exact<bool>()) {
            into = *value;
        } else {
            fault(*node, key, "must be true or false");
        }
    }

    template <class Number>
    void number(std::string_view key, Number& into, std::int64_t low, std::int64_t high) {
        const toml::node* node = take(key);
        if (node == nullptr) return;
        const auto value = node->value_exact<std::int64_t>();
        if (value && *value >= low && *value <= high) {
            into = static_cast<Number>(*value);
        } else {
            fault(*node, key, fmt::format("must be a whole number from {} to {}", low, high));
        }
    }

    const toml::table* table(std::string_view key) {
        const toml::node* node = take(key);
        if (node == nullptr) return nullptr;
        if (node->as_table() == nullptr) fault(*node, key, "must be a section");
        return node->as_table();
    }

    void refuse_unknown() {
        if (table_ == nullptr) return;
        for (const auto& [key, node] : *table_) {
            if (!known_.contains(std::string(key.str()))) fault(node, key.str(), "is not known here");
        }
    }

private:
    const toml::node* take(std::string_view key) {
        known_.emplace(key);
        return table_ == nullptr ? nullptr : table_->get(key);
    }
    void fault(const toml::node& node, std::string_view key, std::string_view what) {
        faults_.push_back(fmt::format("line {}: {}{} {}", node.source().begin.line, title_, key, what));
    }

    const toml::table* table_;
    std::string title_;
    std::vector<std::string>& faults_;
    std::set<std::string> known_;
};

void read_level(Reader& root, Settings& settings, std::vector<std::string>& faults) {
    std::string level = "info";
    root.text("log_level", level);
    if (level == "debug") {
        settings.log_level = log::Level::debug;
    } else if (level == "warning") {
        settings.log_level = log::Level::warning;
    } else if (level == "error") {
        settings.log_level = log::Level::error;
    } else if (level != "info") {
        faults.push_back("log_level must be one of debug, info, warning, error");
    }
}

void read_metrics(Reader& root, MetricsSettings& metrics, std::vector<std::string>& faults) {
    std::string who = "loopback";
    root.text("metrics", who);
    root.text("metrics_token_file", metrics.token_file);
    metrics.open = who == "open";
    if (who != "open" && who != "loopback") faults.push_back("metrics must be loopback or open");
}

void read_mail(Reader& root, MailSettings& mail, std::vector<std::string>& faults) {
    Reader reader(root.table("mail"), "mail.", faults);
    reader.text("host", mail.host);
    reader.number("port", mail.port, 1, 65'535);
    reader.text("security", mail.security);
    reader.text("from", mail.from);
    reader.text("username", mail.username);
    reader.text("password_file", mail.password_file);
    reader.text("ca_file", mail.ca_file);
    reader.refuse_unknown();
    if (mail.security != "tls" && mail.security != "starttls" && mail.security != "none") {
        faults.push_back("mail.security must be one of tls, starttls, none");
    }
    if (!mail.host.empty() && !mail::is_address(mail.from)) faults.push_back("mail.from must be a mail address");
    if (mail.username.empty() != mail.password_file.empty()) {
        faults.push_back("mail needs both username and password_file, or neither");
    }
    const bool odd = mail.host.find_first_of("/@?# \t\r\n") != std::string::npos;
    if (odd) faults.push_back("mail.host must be a host name or an address");
}

// "01:30" → 90
std::optional<std::int64_t> minute_of_day(std::string_view text) {
    const auto digits = [&](std::size_t at) {
        const bool two = text[at] >= '0' && text[at] <= '9' && text[at + 1] >= '0' && text[at + 1] <= '9';
        return two ? (text[at] - '0') * 10 + (text[at + 1] - '0') : 99;
    };
    if (text.size() != 5 || text[2] != ':' || digits(0) > 23 || digits(3) > 59) return std::nullopt;
    return digits(0) * 60 + digits(3);
}

void read_backup(Reader& root, BackupSettings& backup, std::vector<std::string>& faults) {
    Reader reader(root.table("backup"), "backup.", faults);
    std::string at = "01:30";
    reader.text("folder", backup.folder);
    reader.text("at", at);
    reader.number("keep", backup.keep, 1, 10'000);
    reader.flag("with_keys", backup.with_keys);
    reader.text("encryption_key_file", backup.encryption_key_file);
    reader.refuse_unknown();
    const auto minute = minute_of_day(at);
    if (!minute) faults.push_back("backup.at must be a time of day in UTC, as in 01:30");
    backup.minute_of_day = minute.value_or(0);
}

// A scheme, a host and perhaps a port: paths are added to it.
bool is_origin(std::string_view address) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!address.starts_with(scheme)) continue;
        const std::string_view host = address.substr(scheme.size());
        return !host.empty() && host.find_first_of("/@?# \t\r\n") == std::string_view::npos;
    }
    return false;
}

void read_replicas(Reader& root, ReplicaSettings& replicas, std::vector<std::string>& faults) {
    Reader reader(root.table("replicas"), "replicas.", faults);
    reader.text("address", replicas.address);
    reader.text("ca_file", replicas.ca_file);
    reader.refuse_unknown();
    if (!replicas.address.empty() && !is_origin(replicas.address)) {
        faults.push_back("replicas.address must be as in http://10.0.0.2:8480");
    }
}

void read_all(const toml::table& file, Settings& settings, std::vector<std::string>& faults) {
    Reader root(&file, "", faults);
    root.text("listen", settings.listen);
    root.text("store", settings.store);
    root.text("secrets_key_file", settings.secrets_key_file);
    root.flag("allow_private_destinations", settings.allow_private_destinations);
    root.flag("allow_private_webhooks", settings.allow_private_webhooks);
    read_level(root, settings, faults);
    read_metrics(root, settings.metrics, faults);

    Reader tls(root.table("tls"), "tls.", faults);
    tls.text("certificate_file", settings.tls_certificate_file);
    tls.text("key_file", settings.tls_key_file);
    tls.refuse_unknown();

    Reader tokens(root.table("tokens"), "tokens.", faults);
    tokens.text("algorithm", settings.tokens.algorithm);
    tokens.text("secret_file", settings.tokens.secret_file);
    tokens.text("public_key_file", settings.tokens.public_key_file);
    tokens.text("issuer", settings.tokens.issuer);
    tokens.text("audience", settings.tokens.audience);
    tokens.refuse_unknown();

    constexpr std::int64_t kMany = 1'000'000;
    Reader limits(root.table("limits"), "limits.", faults);
    limits.number("reads_per_minute", settings.limits.reads_per_minute, 0, kMany);
    limits.number("writes_per_minute", settings.limits.writes_per_minute, 0, kMany);
    limits.number("public_reads_per_minute", settings.limits.public_reads_per_minute, 0, kMany);
    limits.number("public_writes_per_minute", settings.limits.public_writes_per_minute, 0, kMany);
    limits.number("refusals_per_minute", settings.limits.refusals_per_minute, 0, kMany);
    limits.number("streams_per_credential", settings.limits.streams_per_credential, 1, kMany);
    limits.number("body_bytes", settings.limits.body_bytes, 4096, 64 << 20);
    limits.number("connections", settings.limits.connections, 1, kMany);
    limits.refuse_unknown();

    constexpr std::int64_t kCentury = 36'500;
    Reader retention(root.table("retention"), "retention.", faults);
    retention.number("audit_days", settings.retention.audit_days, 0, kCentury);
    retention.number("operations_days", settings.retention.operations_days, 0, kCentury);
    retention.number("steps_days", settings.retention.steps_days, 0, kCentury);
    retention.number("tokens_days", settings.retention.tokens_days, 0, kCentury);
    retention.refuse_unknown();
    read_mail(root, settings.mail, faults);
    read_backup(root, settings.backup, faults);
    read_replicas(root, settings.replicas, faults);
    root.refuse_unknown();
}

void check_together(const Settings& settings, std::vector<std::string>& faults) {
    if (settings.tls_certificate_file.empty() != settings.tls_key_file.empty()) {
        faults.push_back("tls needs both certificate_file and key_file");
    }
    const std::string& algorithm = settings.tokens.algorithm;
    if (algorithm != "HS256" && algorithm != "RS256" && algorithm != "EdDSA") {
        faults.push_back("tokens.algorithm must be one of HS256, RS256, EdDSA");
    } else if (algorithm != "HS256" && settings.tokens.public_key_file.empty()) {
        faults.push_back("tokens.algorithm " + algorithm + " needs tokens.public_key_file");
    }
}

void resolve(const std::string& state_dir, std::string& path) {
    if (!path.empty() && !path.starts_with('/')) path = state_dir + "/" + path;
}

Error to_error(const std::string& path, const std::vector<std::string>& faults) {
    std::string message = path;
    for (const std::string& fault : faults) message.append(&fault == &faults.front() ? ": " : "; ").append(fault);
    return Error(Errc::invalid, std::move(message));
}

}  // namespace

Result<Settings> settings_of(const std::string& text, const std::string& state_dir) {
    Settings settings;
    settings.state_dir = state_dir;
    std::vector<std::string> faults;
    try {
        const toml::table file = toml::parse(text);
        read_all(file, settings, faults);
    } catch (const toml::parse_error& error) {
        faults.push_back(fmt::format("line {}: {}", error.source().begin.line, error.description()));
    }
    if (faults.empty()) check_together(settings, faults);
    if (!faults.empty()) return to_error(state_dir + "/" + kSettingsFile, faults);
    for (std::string* file :
         {&settings.secrets_key_file, &settings.tls_certificate_file, &settings.tls_key_file,
          &settings.tokens.secret_file, &settings.tokens.public_key_file, &settings.metrics.token_file,
          &settings.mail.password_file, &settings.mail.ca_file, &settings.backup.folder,
          &settings.backup.encryption_key_file, &settings.replicas.ca_file}) {
        resolve(state_dir, *file);
    }
    if (!sql::is_postgres_url(settings.store)) resolve(state_dir, settings.store);
    return settings;
}

Result<Settings> load_settings(const std::string& state_dir) {
    const std::string path = state_dir + "/" + kSettingsFile;
    const std::string text = TRY(read_file(path, 1 << 20)
                                     .context("read the control plane's settings")
                                     .hint("run `backstay-control init --state " + state_dir + "` first"));
    Settings settings = TRY(settings_of(text, state_dir));
    // A password in it makes it a secret.
    if (sql::without_password(settings.store) != settings.store) TRY(read_secret_file(path, 1 << 20));
    return settings;
}

http::AddressRule address_rule(const Settings& settings) {
    return settings.allow_private_destinations ? http::AddressRule::no_special : http::AddressRule::only_public;
}

http::AddressRule webhook_rule(const Settings& settings) {
    return settings.allow_private_webhooks ? http::AddressRule::no_special : http::AddressRule::only_public;
}

std::string settings_text(const std::string& listen) {
    return "# Backstay's control plane. Relative paths lie in this folder.\n"
           "listen = \"" +
           listen + R"("          # HOST:PORT; port 0: the system chooses, see the file `listen`
store = "control.db"                # or postgresql://… (`backstay-control migrate-store`)
secrets_key_file = "secrets.key"    # seals the credentials of destinations; keep a copy elsewhere
log_level = "info"                  # debug, info, warning, error
allow_private_destinations = false  # connection tests reach loopback and private networks; link-local they never do
allow_private_webhooks = false      # webhooks go to loopback and private networks too, and without TLS
metrics = "loopback"                # who may read /metrics: loopback, open
metrics_token_file = ""             # whoever sends the token in this file (mode 0600) may read it from anywhere

[tls]                               # both or none; without them put a TLS proxy in front
certificate_file = ""
key_file = ""

[tokens]
algorithm = "HS256"                 # or RS256, EdDSA with public_key_file
secret_file = "jwt.key"
public_key_file = ""
issuer = ""                         # empty: any
audience = "backstay"               # empty: any

[limits]                            # a minute and credential; 0: no limit
reads_per_minute = 1200
writes_per_minute = 300
public_reads_per_minute = 120       # /api/public/v1
public_writes_per_minute = 20
refusals_per_minute = 120           # wrong credentials of one peer
streams_per_credential = 10
body_bytes = 1048576
connections = 25000

[retention]                         # days; 0: for ever
audit_days = 400
operations_days = 400               # operations that ended, backups that are deleted
steps_days = 90                     # their steps, while nothing that exists stands on them
tokens_days = 90                    # enrolment tokens and API keys that are over

[mail]                              # alerts by e-mail; without a host none are sent
host = ""
port = 587
security = "starttls"               # tls (from the first byte), starttls, none
from = ""                           # the sender's address
username = ""
password_file = ""                  # mode 0600
ca_file = ""                        # PEM; empty: the system's

[backup]                            # of the control plane itself: database, settings, keys
folder = "backups"                  # better on another disk; empty: none by itself
at = "01:30"                        # UTC, once a day; what was missed is made up for
keep = 7                            # the oldest goes when the next one is whole
with_keys = true                    # false: secrets.key and its kin are not in it, keep them elsewhere
encryption_key_file = ""            # as `backstay key generate` makes it; empty: not encrypted

[replicas]                          # several processes on one PostgreSQL store
address = ""                        # where the others reach this one: http://10.0.0.2:8480, or https://
ca_file = ""                        # PEM, for their certificates; empty: the system's
)";
}

}  // namespace backstay
