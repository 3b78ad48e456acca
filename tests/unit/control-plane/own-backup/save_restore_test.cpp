#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "common/files/files.h"
#include "common/process/account.h"
#include "control-plane/config/installation.h"
#include "control-plane/own-backup/daily.h"
#include "control-plane/own-backup/folder.h"
#include "control-plane/own-backup/owner.h"
#include "control-plane/own-backup/restore.h"
#include "control-plane/own-backup/save.h"
#include "control-plane/store/audit.h"
#include "control-plane/store/organizations.h"
#include "control-plane/store/store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace backstay::own_backup {
namespace {

constexpr TimeMs kNow = 1'800'000'000'000;

class OwnBackup : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(make_installation(state_, "127.0.0.1:0"));
        add_organization("acme");
        settings_ = load_settings(state_).value();
    }
    void put(const std::string& name, const std::string& text) {
        ASSERT_TRUE(make_folders(std::filesystem::path(at(name)).parent_path().string()));
        ASSERT_TRUE(atomic_write(at(name), text, 0600));
    }
    void change(const std::string& from, const std::string& to) {
        std::string text = read_file(state_ + "/control.toml").value();
        ASSERT_NE(text.find(from), std::string::npos) << from;
        text.replace(text.find(from), from.size(), to);
        ASSERT_TRUE(atomic_write(state_ + "/control.toml", text, 0600));
    }
    void add_organization(const std::string& slug) {
        auto db = store::open_store(state_ + "/control.db").value();
        ASSERT_TRUE(store::Organizations(db).create(slug, slug, kNow));
    }
    static std::size_t organizations(const std::string& state) {
        auto db = store::open_store(state + "/control.db").value();
        return store::Organizations(db).list()->size();
    }
    SaveOrder to(const std::string& name) const {
        SaveOrder order;
        order.output = at(name);
        return order;
    }
    std::string at(const std::string& name) const { return folder_.path() + "/" + name; }
    static std::string secret(const std::string& state) { return read_file(state + "/secrets.key").value(); }
    bool nothing_left(const std::string& state) const {
        return !std::filesystem::exists(state) && !std::filesystem::exists(state_ + "/backup.tmp");
    }

    testing::TempDir folder_;
    const std::string state_ = folder_.path() + "/state";
    Settings settings_;
};

TEST_F(OwnBackup, IsMadeSoonAfterTheStoreAnswersAgain) {
    const std::string away = settings_.store + ".away";
    std::filesystem::rename(settings_.store, away);
    Daily::Pauses pauses;
    pauses.first = pauses.look = std::chrono::milliseconds(50);
    const FakeClock clock(kNow);
    const Daily daily(settings_, clock, pauses);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_EQ(daily.newest(), 0);
    std::filesystem::rename(away, settings_.store);
    const std::int64_t until = steady_ms() + 20'000;
    while (daily.newest() == 0 && steady_ms() < until) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_EQ(daily.newest(), kNow);
}

TEST_F(OwnBackup, PutsDatabaseSettingsAndKeysBack) {
    auto saved = save(settings_, to("b"), kNow);
    ASSERT_TRUE(saved) << saved.error().message();
    add_organization("later");
    auto restored = restore({at("new"), at("b"), ""}, kNow + 1);
    ASSERT_TRUE(restored) << restored.error().message();
    EXPECT_EQ(restored->about.made_at.ms, kNow);
    EXPECT_TRUE(restored->missing.empty());
    EXPECT_EQ(organizations(at("new")), 1U);
    EXPECT_EQ(organizations(state_), 2U);
    EXPECT_EQ(secret(at("new")), secret(state_));
    EXPECT_TRUE(open_verifier(load_settings(at("new")).value()));
    for (const char* name : {"", "/control.toml", "/control.db", "/secrets.key", "/jwt.key"}) {
        struct stat info {};
        ASSERT_EQ(::stat((at("new") + name).c_str(), &info), 0) << name;
        EXPECT_EQ(info.st_mode & 077U, 0U) << name;
    }
    const std::string database = read_file(at("new/control.db"), 64 << 20).value();
    EXPECT_EQ(database.find(secret(state_).substr(0, 40)), std::string::npos)
        << "the key stayed in the database's pages";
    auto db = store::open_store(at("new/control.db")).value();
    store::AuditFilter filter;
    filter.organization_id = store::Organizations(db).list()->front().id;
    EXPECT_EQ(store::Audit(db).list(filter, {})->items.at(0).action, "control_plane.restore");
}

TEST_F(OwnBackup, OfAnEncryptedInstallationNeedsItsKey) {
    SaveOrder order = to("b");
    order.key = StreamKey::create(at("key")).value();
    ASSERT_TRUE(save(settings_, order, kNow));
    EXPECT_EQ(read_file(at("b"), 64 << 20)->find("organizations"), std::string::npos);
    EXPECT_EQ(restore({at("new"), at("b"), ""}, kNow).error().code(), Errc::invalid);
    ASSERT_TRUE(StreamKey::create(at("other")));
    EXPECT_EQ(restore({at("new"), at("b"), at("other")}, kNow).error().code(), Errc::denied);
    EXPECT_TRUE(nothing_left(at("new")));
    EXPECT_TRUE(restore({at("new"), at("b"), at("key")}, kNow));
}

TEST_F(OwnBackup, WithoutKeysSaysWhatIsMissing) {
    SaveOrder order = to("b");
    order.with_keys = false;
    EXPECT_EQ(save(settings_, order, kNow)->left_out.size(), 2U);
    EXPECT_EQ(read_file(at("b"), 64 << 20)->find(secret(state_).substr(0, 40)), std::string::npos);
    const auto restored = restore({at("new"), at("b"), ""}, kNow);
    ASSERT_TRUE(restored) << restored.error().message();
    EXPECT_EQ(restored->missing.size(), 2U);
    EXPECT_FALSE(restored->about.with_keys);
}

TEST_F(OwnBackup, IsTakenForGoodOnlyWhole) {
    ASSERT_TRUE(save(settings_, to("b"), kNow));
    const std::string whole = read_file(at("b"), 64 << 20).value();
    for (const std::size_t place : {std::size_t{40}, whole.size() / 2, whole.size() - 120}) {
        std::string changed = whole;
        changed[place] = static_cast<char>(changed[place] ^ 1);
        ASSERT_TRUE(atomic_write(at("changed"), changed));
        EXPECT_EQ(restore({at("new"), at("changed"), ""}, kNow).error().code(), Errc::corrupted) << place;
    }
    for (const std::size_t length : {std::size_t{0}, std::size_t{50}, whole.size() / 2, whole.size() - 1}) {
        ASSERT_TRUE(atomic_write(at("cut"), whole.substr(0, length)));
        EXPECT_EQ(restore({at("new"), at("cut"), ""}, kNow).error().code(), Errc::invalid) << length;
    }
    EXPECT_FALSE(restore({at("new"), at("absent"), ""}, kNow));
    EXPECT_TRUE(nothing_left(at("new")));
}

TEST_F(OwnBackup, OfANewerVersionIsRefused) {
    {
        auto db = store::open_store(state_ + "/control.db").value();
        ASSERT_TRUE(db.run_script("PRAGMA user_version = 9999"));
    }
    ASSERT_TRUE(save(settings_, to("b"), kNow));
    const auto refused = restore({at("new"), at("b"), ""}, kNow);
    EXPECT_NE(refused.error().message().find("newer version"), std::string::npos) << refused.error().message();
    EXPECT_TRUE(nothing_left(at("new")));
}

TEST_F(OwnBackup, NeverReplacesAnything) {
    ASSERT_TRUE(save(settings_, to("b"), kNow));
    EXPECT_EQ(save(settings_, to("b"), kNow).error().code(), Errc::conflict);
    EXPECT_EQ(restore({state_, at("b"), ""}, kNow).error().code(), Errc::conflict);
    EXPECT_EQ(organizations(state_), 1U);
    EXPECT_NE(save(settings_, to("no/such/b"), kNow).error().hint().find("--output -"), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(state_ + "/backup.tmp"));
}

TEST_F(OwnBackup, GathersWhatLayOutsideOfTheFolder) {
    put("mail.password", "hush\n");
    change("password_file = \"\"", "password_file = \"" + at("mail.password") + "\"");
    change("username = \"\"", "username = \"u\"");
    ASSERT_TRUE(save(load_settings(state_).value(), to("b"), kNow));
    const auto restored = restore({at("new"), at("b"), ""}, kNow);
    ASSERT_TRUE(restored) << restored.error().message();
    ASSERT_EQ(restored->elsewhere.size(), 1U);
    EXPECT_EQ(read_file(at("new/elsewhere") + at("mail.password")).value(), "hush\n");
}

TEST_F(OwnBackup, KeepsFilesFromElsewhereApartThatHaveOneName) {
    put("keys/secret", secret(state_));
    put("mail/secret", "hush\n");
    change("secrets_key_file = \"secrets.key\"", "secrets_key_file = \"" + at("keys/secret") + "\"");
    change("password_file = \"\"", "password_file = \"" + at("mail/secret") + "\"");
    change("username = \"\"", "username = \"u\"");
    ASSERT_TRUE(save(load_settings(state_).value(), to("b"), kNow));
    const auto restored = restore({at("new"), at("b"), ""}, kNow);
    ASSERT_TRUE(restored) << restored.error().message();
    EXPECT_EQ(restored->elsewhere.size(), 2U);
    EXPECT_EQ(read_file(at("new/elsewhere") + at("keys/secret")).value(), secret(state_));
    EXPECT_EQ(read_file(at("new/elsewhere") + at("mail/secret")).value(), "hush\n");
}

TEST_F(OwnBackup, TakesRelativePathsThatLeaveTheFolder) {
    put("keys/secret", secret(state_));
    change("secrets_key_file = \"secrets.key\"", "secrets_key_file = \"../keys/secret\"");
    ASSERT_TRUE(save(load_settings(state_).value(), to("b"), kNow));
    const auto restored = restore({at("new"), at("b"), ""}, kNow);
    ASSERT_TRUE(restored) << restored.error().message();
    EXPECT_EQ(read_file(at("new/elsewhere") + at("keys/secret")).value(), secret(state_));
}

TEST_F(OwnBackup, PutsADatabaseFromElsewhereBackLast) {
    ASSERT_TRUE(make_folders(at("db")));
    std::filesystem::rename(state_ + "/control.db", at("db/control.db"));
    change("store = \"control.db\"", "store = \"../db/control.db\"");
    ASSERT_TRUE(save(load_settings(state_).value(), to("b"), kNow));
    EXPECT_EQ(restore({at("new"), at("b"), ""}, kNow).error().code(), Errc::conflict);
    EXPECT_FALSE(std::filesystem::exists(at("new")));
    std::filesystem::remove_all(at("db"));
    ASSERT_TRUE(restore({at("new"), at("b"), ""}, kNow));
    EXPECT_TRUE(std::filesystem::exists(at("db/control.db")));
}

TEST_F(OwnBackup, LeavesNoDatabaseElsewhereWhenItsSettingsCannotBeRead) {
    ASSERT_TRUE(make_folders(at("db")));
    std::filesystem::rename(state_ + "/control.db", at("db/control.db"));
    change("store = \"control.db\"", "store = \"" + at("db/control.db") + "\"");
    const Settings settings = load_settings(state_).value();
    change("listen", "no_such_setting");
    ASSERT_TRUE(save(settings, to("b"), kNow));
    std::filesystem::remove_all(at("db"));
    EXPECT_FALSE(restore({at("new"), at("b"), ""}, kNow));
    EXPECT_FALSE(std::filesystem::exists(at("db/control.db")));
    EXPECT_FALSE(std::filesystem::exists(at("new")));
}

TEST_F(OwnBackup, EndsWhenItIsToldToAndTakesAwayWhatKilledOnesLeft) {
    ASSERT_TRUE(make_folders(at("folder")));
    const std::string stale = at("folder/") + name_of(kNow - 5000, false) + ".part";
    const std::string foreign = at("folder/letter.part");
    for (const std::string& path : {stale, foreign}) ASSERT_TRUE(atomic_write(path, "x"));
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(save(settings_, to("folder"), kNow, stop.get_token()).error().code(), Errc::cancelled);
    EXPECT_FALSE(std::filesystem::exists(stale));
    EXPECT_TRUE(std::filesystem::exists(foreign));
    EXPECT_TRUE(list(at("folder"))->empty());
    EXPECT_FALSE(std::filesystem::exists(state_ + "/backup.tmp"));
}

TEST_F(OwnBackup, BelongsToTheAccountOfTheOldOnesNameNotOfItsNumber) {
    ASSERT_TRUE(make_folders(at("new")));
    Restored restored;
    restored.about.owner = 4711;
    restored.about.owner_name = "nobody";
    const auto owner = owner_of(at("new"), restored);
    EXPECT_EQ(owner.has_value(), ::geteuid() == 0);
    EXPECT_TRUE(!owner || owner->user == account_named("nobody"));
    EXPECT_FALSE(restored.no_account);
    restored.about.owner = 0;
    EXPECT_FALSE(owner_of(at("new"), restored));
}

TEST_F(OwnBackup, IsMadeBeforeADatabaseIsBroughtUpToDate) {
    ASSERT_TRUE(before_upgrade(settings_, kNow));
    EXPECT_TRUE(list(settings_.backup.folder)->empty()) << "nothing is to be done";
    {
        auto db = store::open_store(state_ + "/control.db").value();
        ASSERT_TRUE(db.run_script("PRAGMA user_version = 3"));
    }
    ASSERT_TRUE(before_upgrade(settings_, kNow));
    EXPECT_EQ(list(settings_.backup.folder)->size(), 1U);
    settings_.backup.folder.clear();
    EXPECT_TRUE(before_upgrade(settings_, kNow));
}

TEST_F(OwnBackup, IsMadeOnceADayAndTheOldestGoAfterIt) {
    settings_.backup.keep = 2;
    constexpr TimeMs kDay = 86'400'000;
    for (int day = 0; day < 4; ++day) {
        ASSERT_EQ(look(settings_, kNow + day * kDay).value(), kNow + day * kDay);
        EXPECT_EQ(look(settings_, kNow + day * kDay + 1000).value(), kNow + day * kDay) << "twice a day";
    }
    const auto kept = list(settings_.backup.folder).value();
    ASSERT_EQ(kept.size(), 2U);
    const TimeMs future = kNow + 100 * kDay;
    ASSERT_TRUE(atomic_write(settings_.backup.folder + "/" + name_of(future, false), "x"));
    ASSERT_EQ(look(settings_, kNow + 5 * kDay).value(), kNow + 5 * kDay) << "one of the future is none of today";
    ASSERT_EQ(list(settings_.backup.folder)->size(), 3U);
    std::filesystem::remove(settings_.backup.folder + "/" + name_of(future, false));
    settings_.secrets_key_file += ".gone";
    EXPECT_FALSE(look(settings_, kNow + 9 * kDay));
    EXPECT_EQ(list(settings_.backup.folder)->size(), 2U) << "a failure costs no older one";
    settings_.backup.folder = at("disk/not/mounted");
    EXPECT_EQ(look(settings_, kNow).error().code(), Errc::not_found);
}

}  // namespace
}  // namespace backstay::own_backup
