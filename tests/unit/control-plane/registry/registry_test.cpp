#include "control-plane/registry/registry.h"

#include "control-plane/registry/destinations.h"
#include "control-plane/registry/views.h"
#include "control-plane/store/audit.h"
#include "tests/unit/control-plane/store_fixture.h"

namespace backstay::registry {
namespace {

class RegistryTest : public testing::StoreTest {
protected:
    std::string slug_refusal(const std::string& slug) {
        const auto made =
            committed([&](sql::Transaction& tx) { return create_organization(tx, actor(), slug, "Name"); });
        return made ? "" : made.error().reason();
    }
    Result<DestinationDraft> draft(const DestinationChange& change,
                                   const std::optional<store::DestinationRow>& stored = std::nullopt) {
        return draft_destination(*db_, box_, acme_, stored, change, kNow);
    }
    store::DestinationRow saved(const DestinationChange& change) {
        auto made = draft(change);
        EXPECT_TRUE(made) << made.error().message();
        EXPECT_TRUE(committed([&](sql::Transaction& tx) { return save_destination(tx, actor(), box_, *made, true); }));
        return store::Destinations(*db_).find(acme_, made->row.id).value().value();
    }
    static DestinationChange s3() {
        DestinationChange change;
        change.name = "bucket";
        change.type = "s3_compatible";
        change.config = json::Object{{"endpoint", "https://s3.example.com"},
                                     {"bucket", "backups"},
                                     {"accessKeyId", "key"},
                                     {"secretAccessKey", "very-secret"}};
        return change;
    }
    SecretBox box_ = SecretBox::from_key(std::string(32, 'k')).value();
};

TEST_F(RegistryTest, TakesSlugsThatFitInHeadersAndPaths) {
    EXPECT_EQ(slug_refusal("shop-2"), "");
    EXPECT_EQ(slug_refusal("shop-2"), "slug_taken");
    for (const char* bad : {"", "ab", "Shop", "-shop", "shop-", "sh--op", "sh_op", "sh op", "shöp"}) {
        EXPECT_EQ(slug_refusal(bad), "invalid_slug") << bad;
    }
    EXPECT_EQ(slug_refusal(std::string(51, 'a')), "invalid_slug");
}

TEST_F(RegistryTest, TakesNamesOfAnyLettersWithinBounds) {
    EXPECT_TRUE(check_name("name", "Größe 山"));
    EXPECT_TRUE(check_name("name", std::string(100, 'x')));
    EXPECT_FALSE(check_name("name", std::string(101, 'x')));
    EXPECT_FALSE(check_name("name", ""));
    EXPECT_FALSE(check_name("name", " x"));
    EXPECT_FALSE(check_name("name", "x\n"));
}

TEST_F(RegistryTest, NotesWhoDidWhat) {
    ASSERT_TRUE(committed([&](sql::Transaction& tx) { return create_project(tx, actor(), acme_, "Shop", ""); }));
    const auto entries = store::Audit(*db_).list(trail_of(acme_), {});
    ASSERT_EQ(entries->items.size(), 1U);
    EXPECT_EQ(entries->items[0].actor, "tester");
    EXPECT_EQ(entries->items[0].action, "project.create");
    EXPECT_EQ(entries->items[0].request_id, "request-1");
}

TEST_F(RegistryTest, ChecksWhatAnEnvironmentRefersTo) {
    store::Environment wanted;
    wanted.organization_id = acme_;
    wanted.project_id = make_project(acme_, "shop");
    wanted.name = "prod";
    wanted.type = "production";
    wanted.agent_id = make_agent(acme_, "db1");
    wanted.database = "odoo";
    const auto refusal = [&](auto change) {
        store::Environment changed = wanted;
        change(changed);
        const auto made = committed([&](sql::Transaction& tx) { return create_environment(tx, actor(), changed); });
        return made ? "" : made.error().reason();
    };
    EXPECT_EQ(refusal([](auto& e) { e.type = "test"; }), "invalid_type");
    EXPECT_EQ(refusal([&](auto& e) { e.agent_id = make_agent(other_, "db9"); }), "agent_not_found");
    EXPECT_EQ(refusal([](auto& e) { e.database = ""; }), "invalid_name");
    EXPECT_EQ(refusal([](auto& e) { e.filestore = "relative"; }), "invalid_path");
    EXPECT_EQ(refusal([](auto& e) { e.filestore = "/a/../b"; }), "invalid_path");
    EXPECT_EQ(refusal([](auto& e) { e.odoo_conf = "/a/.."; }), "invalid_path");
    EXPECT_EQ(refusal([](auto&) {}), "");
    EXPECT_EQ(refusal([](auto& e) { e.database = "other"; }), "environment_exists");
    EXPECT_EQ(refusal([](auto& e) { e.name = "second"; }), "database_taken");
}

TEST_F(RegistryTest, MakesKeysThatNeverRuleTheOrganization) {
    NewKey wanted;
    wanted.read_only = false;
    const auto made = committed([&](sql::Transaction& tx) { return create_key(tx, actor(), acme_, wanted); });
    ASSERT_TRUE(made);
    EXPECT_EQ(made->row.permissions.find("manage:keys"), std::string::npos);
    EXPECT_EQ(made->row.permissions.find("manage:organization"), std::string::npos);
    EXPECT_NE(made->row.permissions.find("manage:storage"), std::string::npos);
    EXPECT_EQ(json::serialize(json::Value(view(made->row))).find(made->secret), std::string::npos);
    wanted.project_id = make_project(other_, "theirs");
    EXPECT_EQ(committed([&](sql::Transaction& tx) { return create_key(tx, actor(), acme_, wanted); }).error().reason(),
              "project_not_found");
    wanted.project_id.reset();
    wanted.expires_at = kNow;
    EXPECT_EQ(committed([&](sql::Transaction& tx) { return create_key(tx, actor(), acme_, wanted); }).error().reason(),
              "invalid_expiry");
}

TEST_F(RegistryTest, LimitsTheLifeOfEnrolmentTokens) {
    const auto reason = [&](std::int64_t seconds) {
        const auto made =
            committed([&](sql::Transaction& tx) { return create_enroll_token(tx, actor(), acme_, "db1", seconds); });
        return made ? "" : made.error().reason();
    };
    EXPECT_EQ(reason(3600), "");
    EXPECT_EQ(reason(0), "invalid_lifetime");
    EXPECT_EQ(reason(31LL * 86400), "invalid_lifetime");
}

TEST_F(RegistryTest, KeepsSecretsThatComeBackRedacted) {
    const auto row = saved(s3());
    const auto shown = view(row, box_);
    ASSERT_TRUE(shown) << shown.error().message();
    EXPECT_EQ(shown->at("config").at("secretAccessKey"), "********");
    DestinationChange change;
    change.config = shown->at("config").as_object();
    change.config->insert_or_assign("bucket", "renamed");
    const auto changed = draft(change, row);
    ASSERT_TRUE(changed) << changed.error().message();
    EXPECT_EQ(changed->order.config.at("secretAccessKey"), "very-secret");
    EXPECT_EQ(changed->order.config.at("bucket"), "renamed");
    EXPECT_TRUE(changed->config_changed);
    change.config = shown->at("config").as_object();
    EXPECT_FALSE(draft(change, row)->config_changed);
}

TEST_F(RegistryTest, RefusesDestinationsThatCannotWork) {
    const auto reason = [&](auto change) {
        DestinationChange changed = s3();
        change(changed);
        const auto made = draft(changed);
        return made ? "" : made.error().reason();
    };
    EXPECT_EQ(reason([](auto&) {}), "");
    EXPECT_EQ(reason([](auto& c) { c.type = "gdrive"; }), "destination_type_unsupported");
    EXPECT_EQ(reason([](auto& c) { c.type = "floppy"; }), "destination_type_unsupported");
    EXPECT_EQ(reason([](auto& c) { c.config->erase("bucket"); }), "invalid_config");
    EXPECT_EQ(reason([](auto& c) { c.name = ""; }), "invalid_name");
    EXPECT_EQ(reason([&](auto& c) { c.agent_id = make_agent(other_, "x"); }), "agent_not_found");
    DestinationChange retyped;
    retyped.type = "local";
    EXPECT_EQ(draft(retyped, saved(s3())).error().reason(), "immutable_type");
}

TEST_F(RegistryTest, FindsTheAgentThatLooksAtALocalPath) {
    store::DestinationRow row;
    row.organization_id = acme_;
    EXPECT_FALSE(looking_agent(*db_, row).value());
    const std::string agent = make_agent(acme_, "db1");
    EXPECT_EQ(looking_agent(*db_, row).value(), agent);
    const std::string second = make_agent(acme_, "db2");
    EXPECT_FALSE(looking_agent(*db_, row).value());
    row.agent_id = second;
    EXPECT_EQ(looking_agent(*db_, row).value(), second);
}

TEST_F(RegistryTest, SaysWhyADestinationIsNotReachable) {
    DestinationChange change = s3();
    change.config->insert_or_assign("endpoint", "http://127.0.0.1:1");
    auto made = draft(change);
    ASSERT_TRUE(made);
    EXPECT_TRUE(tested_from_here(made->order));
    EXPECT_FALSE(test_from_here(*made, http::AddressRule::no_special, kNow));
    EXPECT_EQ(made->row.test_status, "failed");
    EXPECT_EQ(made->row.test_message, "the destination cannot be reached");
    EXPECT_FALSE(test_from_here(*made, http::AddressRule::only_public, kNow));
    EXPECT_NE(made->row.test_message.find("allow_private_destinations"), std::string::npos);
}

}  // namespace
}  // namespace backstay::registry
