#include "control-plane/auth/gate.h"

#include "tests/unit/control-plane/store_fixture.h"

namespace backstay::auth {
namespace {

const std::string kSecret(48, 's');

class GateTest : public testing::StoreTest {
protected:
    GateTest() : gate_(JwtVerifier::with_secret(kSecret, {"", "backstay"}).value()) {}

    Credential token(json::Object claims, bool from_query = false) {
        claims.emplace("aud", "backstay");
        if (!claims.contains("sub")) claims.emplace("sub", "u1");
        if (!claims.contains("exp")) claims.emplace("exp", kNow / 1000 + 3600);
        return {Credential::Kind::token, sign_jwt(kSecret, claims), from_query};
    }
    Result<Admission> member(const Credential& credential, std::string_view slug = "") {
        return gate_.admit_member(credential, slug, *db_, kNow);
    }
    std::string refusal(const Credential& credential, std::string_view slug = "") {
        const auto admitted = member(credential, slug);
        return admitted ? "" : admitted.error().reason();
    }
    registry::MadeKey key(const registry::NewKey& wanted) {
        return committed([&](sql::Transaction& tx) { return registry::create_key(tx, actor(), acme_, wanted); })
            .value();
    }
    static Credential of(const registry::MadeKey& key) { return {Credential::Kind::api_key, key.secret, false}; }

    Gate gate_;
};

TEST_F(GateTest, AdmitsATokenToItsOrganizationWithItsRole) {
    const auto admitted = member(token({{"org", acme_}, {"role", "developer"}, {"email", "a@b.c"}}));
    ASSERT_TRUE(admitted) << admitted.error().message();
    EXPECT_EQ(admitted->organization_id, acme_);
    EXPECT_EQ(admitted->principal.name, "a@b.c");
    EXPECT_EQ(admitted->principal.role, Role::developer);
    EXPECT_FALSE(admitted->principal.may(Permission::manage_storage));
}

TEST_F(GateTest, ShowsNobodyAnOrganizationThatIsNotTheirs) {
    const auto mine = token({{"org", acme_}, {"role", "owner"}});
    EXPECT_EQ(refusal(mine, "other"), "not_found");
    EXPECT_EQ(refusal(mine, "nowhere"), "not_found");
    EXPECT_EQ(refusal(token({{"org", "gone"}, {"role", "owner"}})), "not_found");
    EXPECT_EQ(refusal(mine, "acme"), "");
}

TEST_F(GateTest, ChoosesAmongSeveralOrganizationsByTheHeader) {
    json::Array both;
    both.push_back(json::Object{{"id", acme_}, {"slug", "acme"}, {"role", "viewer"}});
    both.push_back(json::Object{{"id", other_}, {"slug", "other"}, {"role", "owner"}});
    const auto credential = token({{"orgs", both}});
    EXPECT_EQ(refusal(credential), "org_required");
    EXPECT_EQ(member(credential, "acme")->principal.role, Role::viewer);
    EXPECT_EQ(member(credential, "other")->principal.role, Role::owner);
    json::Array one;
    one.push_back(json::Object{{"id", other_}, {"role", "admin"}});
    EXPECT_EQ(member(token({{"orgs", one}}))->organization_id, other_);
}

// For a while without a look at the store; never under a name of another kind.
TEST_F(GateTest, RemembersThatAnOrganizationIsThere) {
    const auto mine = token({{"org", acme_}, {"role", "owner"}});
    ASSERT_EQ(refusal(mine), "");
    ASSERT_TRUE(db_->run("UPDATE organizations SET deleted_at = 1 WHERE id = $1", {acme_}));
    EXPECT_EQ(refusal(mine), "") << "known by its id";
    EXPECT_EQ(refusal(mine, "acme"), "not_found") << "never asked for by its slug";
    EXPECT_EQ(refusal(mine, acme_), "not_found") << "an id is no slug";
    const auto later = gate_.admit_member(mine, "", *db_, kNow + 10'000);
    ASSERT_FALSE(later);
    EXPECT_EQ(later.error().reason(), "not_found");
    ASSERT_TRUE(db_->run("UPDATE organizations SET deleted_at = NULL WHERE id = $1", {acme_}));
    EXPECT_EQ(refusal(mine, "acme"), "") << "what was not found is not remembered";
}

TEST_F(GateTest, KnowsMembersThatTheirTokenDoesNotName) {
    EXPECT_EQ(refusal(token({{"sub", "u9"}}), "acme"), "not_found");
    ASSERT_TRUE(store::Organizations(*db_).add_member(acme_, "u9", "admin", kNow));
    EXPECT_EQ(member(token({{"sub", "u9"}}), "acme")->principal.role, Role::admin);
    EXPECT_EQ(member(token({{"org", other_}}))->principal.role, Role::viewer);
}

TEST_F(GateTest, NarrowsARoleByPermsAndNeverWidensIt) {
    json::Array perms;
    perms.push_back("view:backups");
    perms.push_back("manage:storage");
    const auto admitted = member(token({{"org", acme_}, {"role", "viewer"}, {"perms", perms}}));
    EXPECT_EQ(admitted->principal.permissions.words(), "view:backups view:storage");
}

TEST_F(GateTest, RefusesTokensThatAreNotGenuineOrNotOfNow) {
    EXPECT_EQ(refusal({}), "missing_auth");
    EXPECT_EQ(refusal({Credential::Kind::token, "a.b.c", false}), "invalid_token");
    EXPECT_EQ(refusal(token({{"org", acme_}, {"exp", kNow / 1000 - 61}})), "token_expired");
    json::Object foreign{{"sub", "u"}, {"org", acme_}, {"aud", "backstay"}, {"exp", kNow / 1000 + 60}};
    EXPECT_EQ(refusal({Credential::Kind::token, sign_jwt(std::string(48, 'x'), foreign), false}), "invalid_token");
    foreign["aud"] = "elsewhere";
    EXPECT_EQ(refusal({Credential::Kind::token, sign_jwt(kSecret, foreign), false}), "invalid_token");
    EXPECT_EQ(refusal({Credential::Kind::agent, "bks_agent_x", false}), "invalid_auth");
}

TEST_F(GateTest, TakesOnlyShortLivedTokensFromUrls) {
    const std::int64_t now = kNow / 1000;
    EXPECT_EQ(refusal(token({{"org", acme_}, {"iat", now}, {"exp", now + 300}}, true)), "");
    EXPECT_EQ(refusal(token({{"org", acme_}, {"iat", now}, {"exp", now + 301}}, true)), "token_too_long_lived");
    EXPECT_EQ(refusal(token({{"org", acme_}, {"exp", now + 60}}, true)), "token_too_long_lived");
    auto in_url = of(key({}));
    in_url.from_query = true;
    EXPECT_EQ(refusal(in_url), "invalid_auth");
}

TEST_F(GateTest, AdmitsKeysUntilTheyEnd) {
    registry::NewKey wanted;
    wanted.read_only = false;
    wanted.expires_at = kNow + 1000;
    const auto made = key(wanted);
    const auto admitted = member(of(made));
    ASSERT_TRUE(admitted) << admitted.error().message();
    EXPECT_EQ(admitted->organization_id, acme_);
    EXPECT_EQ(admitted->principal.name, "api-key:" + made.row.prefix);
    EXPECT_FALSE(admitted->principal.read_only);
    EXPECT_FALSE(admitted->principal.may(Permission::manage_keys));
    EXPECT_EQ(refusal(of(made), "acme"), "");
    EXPECT_EQ(refusal(of(made), "other"), "not_found");
    EXPECT_FALSE(gate_.admit_member(of(made), "", *db_, kNow + 1000));
    ASSERT_TRUE(store::ApiKeys(*db_).revoke(acme_, made.row.id, kNow));
    EXPECT_EQ(refusal(of(made)), "invalid_key");
}

TEST_F(GateTest, LimitsAKeyToItsProjectAndItsMode) {
    registry::NewKey wanted;
    wanted.project_id = make_project(acme_, "shop");
    const auto reader = member(of(key(wanted)));
    EXPECT_TRUE(reader->principal.read_only);
    EXPECT_FALSE(reader->principal.may(Permission::manage_backups));
    EXPECT_TRUE(reader->principal.may_see_project(*wanted.project_id));
    EXPECT_FALSE(reader->principal.may_see_project("another"));
    wanted.read_only = false;
    const auto writer = member(of(key(wanted)));
    EXPECT_TRUE(writer->principal.may(Permission::manage_backups));
    EXPECT_FALSE(writer->principal.may(Permission::manage_storage));
    EXPECT_FALSE(writer->principal.may_restore_production()) << "that is beyond a developer";
}

TEST_F(GateTest, AdmitsAgentsByTheirOwnCredentialOnly) {
    const std::string credential = new_secret(kAgentPrefix);
    const std::string id = make_agent(acme_, "db1", hash_secret(credential));
    const auto admitted = gate_.admit_agent({Credential::Kind::agent, credential, false}, *db_);
    ASSERT_TRUE(admitted) << admitted.error().message();
    EXPECT_EQ(admitted->principal.id, id);
    EXPECT_EQ(admitted->organization_id, acme_);
    const auto reason = [&](const Credential& other) { return gate_.admit_agent(other, *db_).error().reason(); };
    EXPECT_EQ(reason({}), "missing_auth");
    EXPECT_EQ(reason({Credential::Kind::agent, new_secret(kAgentPrefix), false}), "unknown_agent");
    EXPECT_EQ(reason(token({{"org", acme_}})), "invalid_auth");
    ASSERT_TRUE(store::Agents(*db_).remove(acme_, id, kNow));
    EXPECT_EQ(reason({Credential::Kind::agent, credential, false}), "unknown_agent");
}

TEST_F(GateTest, AdmitsUsersWithoutAnOrganization) {
    const auto admitted = gate_.admit_user(token({{"role", "owner"}}), *db_, kNow);
    ASSERT_TRUE(admitted);
    EXPECT_EQ(admitted->organization_id, "");
    EXPECT_EQ(gate_.admit_user(of(key({})), *db_, kNow).error().reason(), "user_required");
    EXPECT_EQ(gate_.admit_user({}, *db_, kNow).error().reason(), "missing_auth");
    EXPECT_EQ(gate_.admit_user(token({{"org", other_}}), *db_, kNow)->organization_id, other_);
}

}  // namespace
}  // namespace backstay::auth
