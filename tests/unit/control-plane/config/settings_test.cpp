#include "control-plane/config/settings.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/files/files.h"
#include "control-plane/config/installation.h"
#include "control-plane/store/store.h"
#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

class SettingsTest : public ::testing::Test {
protected:
    Result<Settings> load(const std::string& text) {
        EXPECT_TRUE(atomic_write(folder_.path() + "/control.toml", text));
        return load_settings(folder_.path());
    }
    std::string fault(const std::string& text) {
        const auto settings = load(text);
        return settings ? "" : settings.error().message();
    }
    testing::TempDir folder_;
};

unsigned mode_of(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777U : 0;
}

TEST_F(SettingsTest, HaveDefaultsAndFolderPaths) {
    const auto settings = load("");
    ASSERT_TRUE(settings) << settings.error().message();
    EXPECT_EQ(settings->listen, "127.0.0.1:8480");
    EXPECT_EQ(settings->store, folder_.path() + "/control.db");
    EXPECT_EQ(settings->tls_certificate_file, "");
    EXPECT_EQ(settings->limits.reads_per_minute, 1200);
    EXPECT_EQ(address_rule(*settings), http::AddressRule::only_public);
    EXPECT_FALSE(settings->metrics.open);
    EXPECT_EQ(settings->retention.audit_days, 400);
    EXPECT_EQ(settings->backup.folder, folder_.path() + "/backups");
    EXPECT_EQ(settings->backup.minute_of_day, 90);
}

TEST_F(SettingsTest, OfANewInstallationAreTheDefaults) {
    const auto fresh = load(settings_text("0.0.0.0:1"));
    const auto defaults = load("");
    ASSERT_TRUE(fresh) << fresh.error().message();
    EXPECT_EQ(fresh->listen, "0.0.0.0:1");
    EXPECT_EQ(fresh->tokens.audience, defaults->tokens.audience);
    EXPECT_EQ(fresh->limits.body_bytes, defaults->limits.body_bytes);
    EXPECT_EQ(fresh->limits.public_writes_per_minute, defaults->limits.public_writes_per_minute);
    EXPECT_EQ(fresh->limits.streams_per_credential, defaults->limits.streams_per_credential);
}

TEST_F(SettingsTest, InTheExampleAreThoseOfANewInstallation) {
    EXPECT_EQ(read_file(BACKSTAY_SOURCE_DIR "/conf/control.toml").value(), settings_text("127.0.0.1:8480"));
}

TEST_F(SettingsTest, AreRefusedWithEveryFaultAtOnce) {
    const std::string text =
        fault("listen = 5\ncolour = \"red\"\n[limits]\nbody_bytes = 1\nreads = 3\n[tls]\nkey_file = 1\n");
    for (const char* part : {"line 1: listen must be text", "line 2: colour is not known here",
                             "line 4: limits.body_bytes must be a whole number",
                             "line 5: limits.reads is not known here", "line 7: tls.key_file must be text"}) {
        EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
    }
    EXPECT_NE(fault("[backup]\nat = \"25:00\"").find("backup.at must be a time of day"), std::string::npos);
    EXPECT_NE(fault("[backup]\nat = \"1:30\"").find("backup.at must be a time of day"), std::string::npos);
    EXPECT_NE(fault("[backup]\nkeep = 0").find("backup.keep must be"), std::string::npos);
    for (const char* address : {"10.0.0.2:8480", "http://", "http://10.0.0.2/api"}) {
        const std::string wrong = fault("[replicas]\naddress = \"" + std::string(address) + "\"");
        EXPECT_NE(wrong.find("replicas.address must be as in"), std::string::npos) << address;
    }
    EXPECT_NE(fault("listen = ").find("line 1"), std::string::npos);
    EXPECT_NE(fault("limits = 3").find("limits must be a section"), std::string::npos);
    EXPECT_NE(fault("log_level = \"loud\"").find("log_level"), std::string::npos);
}

TEST_F(SettingsTest, SayWhoMayGoWhere) {
    const auto settings = load(
        "allow_private_destinations = true\nmetrics = \"open\"\nmetrics_token_file = \"m.key\"\n"
        "[retention]\naudit_days = 0\nsteps_days = 7\n");
    ASSERT_TRUE(settings) << settings.error().message();
    EXPECT_EQ(address_rule(*settings), http::AddressRule::no_special);
    EXPECT_TRUE(settings->metrics.open);
    EXPECT_EQ(settings->metrics.token_file, folder_.path() + "/m.key");
    EXPECT_EQ(settings->retention.audit_days, 0);
    EXPECT_EQ(settings->retention.steps_days, 7);
    EXPECT_NE(fault("metrics = \"nobody\"").find("metrics must be loopback or open"), std::string::npos);
    EXPECT_NE(fault("allow_private_destinations = 1").find("must be true or false"), std::string::npos);
    EXPECT_NE(fault("[retention]\nsteps_days = -1").find("retention.steps_days"), std::string::npos);
}

TEST_F(SettingsTest, MustFitTogether) {
    EXPECT_NE(fault("[tls]\ncertificate_file = \"a\"").find("tls needs both"), std::string::npos);
    EXPECT_NE(fault("[tokens]\nalgorithm = \"none\"").find("must be one of HS256"), std::string::npos);
    EXPECT_NE(fault("[tokens]\nalgorithm = \"RS256\"").find("needs tokens.public_key_file"), std::string::npos);
}

TEST(Installation, IsMadeOnceAndPrivate) {
    testing::TempDir folder;
    const std::string state = folder.path() + "/new/state";
    ASSERT_TRUE(make_installation(state, "127.0.0.1:0"));
    EXPECT_EQ(mode_of(state), 0700U);
    for (const char* file : {"/control.toml", "/jwt.key", "/secrets.key", "/control.db"}) {
        EXPECT_EQ(mode_of(state + file), 0600U) << file;
    }
    const auto again = make_installation(state, "127.0.0.1:0");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), Errc::conflict);
}

TEST(Installation, IsCompletedButNeverMadeAmongOtherThings) {
    testing::TempDir folder;
    ASSERT_TRUE(atomic_write(folder.path() + "/jwt.key", std::string(64, 'k'), 0600));
    EXPECT_TRUE(make_installation(folder.path(), "127.0.0.1:0"));
    EXPECT_EQ(read_file(folder.path() + "/jwt.key").value(), std::string(64, 'k'));
    testing::TempDir other;
    ASSERT_TRUE(atomic_write(other.path() + "/letter.txt", "dear"));
    EXPECT_EQ(make_installation(other.path(), "127.0.0.1:0").error().code(), Errc::conflict);
    EXPECT_FALSE(make_installation(other.path() + "/letter.txt/x", "127.0.0.1:0"));
}

TEST(Installation, OpensItsKeysAndMakesTokensThatItAccepts) {
    testing::TempDir folder;
    ASSERT_TRUE(make_installation(folder.path() + "/s", "127.0.0.1:0"));
    const auto settings = load_settings(folder.path() + "/s");
    ASSERT_TRUE(settings);
    EXPECT_TRUE(open_secret_box(*settings));
    const auto maker = TokenMaker::open(*settings);
    const auto verifier = open_verifier(*settings);
    ASSERT_TRUE(maker);
    ASSERT_TRUE(verifier) << verifier.error().message();
    TokenOrder order;
    order.subject = "a@b.c";
    order.organization_id = "o1";
    order.role = auth::Role::viewer;
    order.permissions = auth::Permissions::parse("view:backups view:storage");
    const TimeMs now = 1'800'000'000'000;
    const auto claims = verifier->verify(maker->make(order, now), now);
    ASSERT_TRUE(claims) << claims.error().message();
    EXPECT_EQ(claims->at("org"), "o1");
    EXPECT_EQ(claims->at("role"), "viewer");
    EXPECT_EQ(claims->at("perms").as_array().size(), 2U);
    EXPECT_FALSE(verifier->verify(maker->make(order, now), now + 2 * 3600 * 1000));
}

TEST(Installation, ThatIsAbsentSaysWhatToDo) {
    testing::TempDir folder;
    const auto settings = load_settings(folder.path());
    ASSERT_FALSE(settings);
    EXPECT_NE(settings.error().hint().find("backstay-control init"), std::string::npos);
}

TEST(Store, IsTheOneThatWasNamed) {
    testing::TempDir folder;
    Settings settings;
    settings.store = folder.path() + "/a.db";
    EXPECT_EQ(ready_store(settings, "").value(), settings.store);
    EXPECT_EQ(ready_store(settings, "sqlite:" + folder.path() + "/b.db").value(), folder.path() + "/b.db");
    EXPECT_EQ(ready_store(settings, "mysql://localhost/x").error().code(), Errc::invalid);
}

}  // namespace
}  // namespace backstay
