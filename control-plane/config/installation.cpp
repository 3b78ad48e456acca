#include "control-plane/config/installation.h"

#include <sys/stat.h>

#include <filesystem>

#include "common/files/files.h"
#include "common/ids.h"
#include "common/sql/migrations.h"
#include "control-plane/config/store_setting.h"
#include "control-plane/store/organizations.h"
#include "control-plane/store/store.h"

namespace backstay {
namespace {

constexpr std::size_t kTokenSecretBytes = 48;

// Whether a folder that is there already is neither empty nor the beginning of an installation: its mode is changed.
Result<bool> holds_others_things(const std::string& folder) {
    std::error_code fault;
    std::filesystem::directory_iterator entries(folder, fault);
    if (fault == std::errc::no_such_file_or_directory) return false;
    if (fault) return Error::from_errno(fault.value(), "look into " + folder);
    for (const auto end = std::filesystem::directory_iterator(); entries != end; entries.increment(fault)) {
        const std::string name = entries->path().filename().string();
        const bool ours = name == "jwt.key" || name == "secrets.key" || name.starts_with("control.db");
        if (!ours) return true;
    }
    if (fault) return Error::from_errno(fault.value(), "look into " + folder);
    return false;
}

// What another installation keeps there is sealed under keys that lie in its own state folder.
Result<> prepare_new_store(const std::string& store) {
    auto db = TRY(sql::Database::open(store).context("open the control plane's store"));
    const bool is_new = TRY(sql::schema_version(db)) == 0;
    if (is_new || TRY(store::Organizations(db).list()).empty()) return store::prepare_store(store);
    return Error(Errc::conflict, sql::without_password(store) + " holds an installation already")
        .with_hint("a further replica gets a copy of its state folder; name an empty database for a new one");
}

bool exists(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0;
}

}  // namespace

Result<> make_installation(const std::string& state_dir, const std::string& listen, const std::string& store) {
    const std::string settings_file = state_dir + "/" + kSettingsFile;
    if (exists(settings_file)) {
        return Error(Errc::conflict, state_dir + " holds a control plane already")
            .with_hint("start it with `backstay-control serve --state " + state_dir + "`");
    }
    if (TRY(holds_others_things(state_dir))) {
        return Error(Errc::conflict, state_dir + " holds other things").with_hint("name a folder of its own");
    }
    TRY(make_folders(state_dir, 0700).context("make the state folder"));
    if (::chmod(state_dir.c_str(), 0700) != 0) return Error::from_errno(errno, "protect " + state_dir);
    const std::string token_secret = state_dir + "/jwt.key";
    if (!exists(token_secret)) TRY(atomic_write(token_secret, random_token(kTokenSecretBytes) + "\n", 0600));
    const std::string secrets_key = state_dir + "/secrets.key";
    if (!exists(secrets_key)) TRY(SecretBox::create(secrets_key));
    TRY(prepare_new_store(store.empty() ? state_dir + "/control.db" : store));
    std::string text = settings_text(listen);
    if (!store.empty()) text = TRY(with_store(text, store));
    // Last, since its presence says that the rest is there.
    return atomic_write(settings_file, text, 0600);
}

Result<std::string> parse_store(std::string_view named) {
    constexpr std::string_view kSqlite = "sqlite:";
    if (sql::is_postgres_url(named)) return std::string(named);
    if (named.starts_with(kSqlite)) return std::filesystem::absolute(named.substr(kSqlite.size())).string();
    return Error(Errc::invalid, "a store is sqlite:PATH or postgresql://…");
}

Result<std::string> ready_store(const Settings& settings, std::string_view named) {
    std::string store = settings.store;
    if (sql::without_password(named) != named) {
        return Error(Errc::invalid, "--store with a password would be seen by everybody on this host")
            .with_hint("name it in control.toml, or keep the password in a passfile");
    }
    if (!named.empty()) store = TRY(parse_store(named));
    TRY(store::prepare_store(store));
    return store;
}

Result<SecretBox> open_secret_box(const Settings& settings) {
    return SecretBox::load(settings.secrets_key_file).context("open the key of sealed secrets");
}

Result<JwtVerifier> open_verifier(const Settings& settings) {
    const JwtExpectation expectation{settings.tokens.issuer, settings.tokens.audience};
    const JwtAlgorithm algorithm = TRY(parse_jwt_algorithm(settings.tokens.algorithm));
    if (algorithm == JwtAlgorithm::hs256) {
        auto secret = TRY(read_secret_file(settings.tokens.secret_file).context("read the secret of tokens"));
        return JwtVerifier::with_secret(std::move(secret), expectation);
    }
    const auto pem = TRY(read_file(settings.tokens.public_key_file, 64 << 10).context("read the public key of tokens"));
    return JwtVerifier::with_public_key(algorithm, pem, expectation);
}

Result<TokenMaker> TokenMaker::open(const Settings& settings) {
    if (settings.tokens.algorithm != "HS256") {
        return Error(Errc::invalid, "tokens are signed elsewhere: control.toml names " + settings.tokens.algorithm);
    }
    auto secret = TRY(read_secret_file(settings.tokens.secret_file).context("read the secret of tokens"));
    return TokenMaker(std::move(secret), settings.tokens.issuer, settings.tokens.audience);
}

std::string TokenMaker::make(const TokenOrder& order, TimeMs now) const {
    json::Object claims;
    claims.emplace("sub", order.subject);
    if (order.subject.find('@') != std::string::npos) claims.emplace("email", order.subject);
    claims.emplace("typ", "access");
    claims.emplace("jti", new_uuid());
    if (!issuer_.empty()) claims.emplace("iss", issuer_);
    if (!audience_.empty()) claims.emplace("aud", audience_);
    claims.emplace("org", order.organization_id);
    claims.emplace("role", to_string(order.role));
    if (order.permissions) {
        json::Array words;
        const std::string text = order.permissions->words();
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = std::min(text.find(' ', at), text.size());
            words.push_back(boost::json::string(text.substr(at, end - at)));
            at = end + 1;
        }
        claims.emplace("perms", std::move(words));
    }
    if (order.project_id) claims.emplace("project", *order.project_id);
    claims.emplace("iat", now / 1000);
    claims.emplace("exp", now / 1000 + order.lifetime_s);
    return sign_jwt(secret_, claims);
}

}  // namespace backstay
