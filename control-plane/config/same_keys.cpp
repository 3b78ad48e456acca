#include "control-plane/config/same_keys.h"

#include <string>
#include <string_view>

#include "common/crypto/digest.h"
#include "common/files/files.h"
#include "common/sql/transaction.h"
#include "control-plane/store/replicas.h"
#include "control-plane/store/rows.h"

namespace backstay {
namespace {

constexpr std::size_t kKeyMost = 64U << 10;

Result<std::string> fingerprint(std::string_view name, const std::string& file) {
    const std::string key = TRY(read_file(file, kKeyMost));
    return digest_hex(DigestKind::blake2b, as_bytes("fingerprint of " + std::string(name) + "\n" + key));
}

// Empty: nobody left one yet.
Result<std::string> kept(sql::Database& db, std::string_view name) {
    const auto found =
        TRY(store::first_row(db.query("SELECT fingerprint FROM key_fingerprints WHERE name = $1", {name}),
                             [](const sql::Statement& row) { return row.text(0); }));
    return found.value_or("");
}

Result<> keep(sql::Database& db, std::string_view name, const std::string& value) {
    TRY(
        db.run("INSERT INTO key_fingerprints (name, fingerprint) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET "
               "fingerprint = excluded.fingerprint",
               {name, value}));
    return {};
}

Error other_key(const std::string& file) {
    return Error(Errc::conflict, file + " is not the key of the other replicas of this store")
        .with_hint("copy secrets.key and the key of tokens from a replica that works");
}

}  // namespace

Result<> check_same_keys(sql::Database& db, const Settings& settings, TimeMs now) {
    if (db.dialect() == sql::Dialect::sqlite) return {};
    const std::string& token_file =
        settings.tokens.algorithm == "HS256" ? settings.tokens.secret_file : settings.tokens.public_key_file;
    const std::string secrets = TRY(fingerprint("secrets.key", settings.secrets_key_file));
    const std::string tokens = TRY(fingerprint("tokens", token_file));
    auto transaction = TRY(sql::Transaction::begin(db));
    const std::string kept_secrets = TRY(kept(db, "secrets.key"));
    if (!kept_secrets.empty() && kept_secrets != secrets) return other_key(settings.secrets_key_file);
    const std::string kept_tokens = TRY(kept(db, "tokens"));
    const bool alone = TRY(store::Replicas(db).alive(now)).empty();
    if (!kept_tokens.empty() && kept_tokens != tokens && !alone) return other_key(token_file);
    TRY(keep(db, "secrets.key", secrets));
    TRY(keep(db, "tokens", tokens));
    return transaction.commit();
}

}  // namespace backstay
