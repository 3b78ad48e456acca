#include "control-plane/store/counts.h"
#include "control-plane/store/destination_config.h"
#include "control-plane/store/idempotency.h"
#include "tests/unit/control-plane/store_fixture.h"

namespace backstay::store {
namespace {

class RepositoriesTest : public testing::StoreTest {
protected:
    Result<Environment> make_environment(const std::string& project, const std::string& agent, const std::string& name,
                                         const std::string& database) {
        Environment environment;
        environment.organization_id = acme_;
        environment.project_id = project;
        environment.agent_id = agent;
        environment.name = name;
        environment.type = "production";
        environment.database = database;
        return Environments(*db_).create(environment, kNow);
    }
};

TEST_F(RepositoriesTest, KeepSlugsUnique) {
    const auto again = Organizations(*db_).create("acme", "Again", kNow);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), Errc::conflict);
    EXPECT_EQ(Organizations(*db_).list()->size(), 2U);
}

TEST_F(RepositoriesTest, AnswerOnlyForTheOrganizationAsked) {
    const std::string project = make_project(acme_, "shop");
    const std::string agent = make_agent(acme_, "db1");
    const std::string environment = make_environment(project, agent, "prod", "odoo")->id;
    EXPECT_TRUE(*Projects(*db_).find(acme_, project));
    EXPECT_FALSE(*Projects(*db_).find(other_, project));
    EXPECT_FALSE(*Agents(*db_).find(other_, agent));
    EXPECT_FALSE(*Environments(*db_).find(other_, environment));
    EXPECT_EQ(Projects(*db_).list(other_, "", {})->total, 0);
    EXPECT_EQ(Environments(*db_).of_project(other_, project, {})->total, 0);
}

TEST_F(RepositoriesTest, RefuseAnEnvironmentOnAnotherOrganizationsAgent) {
    const std::string project = make_project(acme_, "shop");
    EXPECT_EQ(make_environment(project, make_agent(other_, "db1"), "prod", "odoo").error().code(), Errc::conflict);
}

TEST_F(RepositoriesTest, GiveADatabaseToOneEnvironment) {
    const std::string project = make_project(acme_, "shop");
    const std::string agent = make_agent(acme_, "db1");
    const auto first = make_environment(project, agent, "prod", "odoo");
    ASSERT_TRUE(first);
    EXPECT_FALSE(make_environment(project, agent, "second", "odoo"));
    EXPECT_FALSE(make_environment(project, agent, "prod", "another"));
    EXPECT_EQ(Environments(*db_).on_agent(agent, "main", "odoo").value()->id, first->id);
    EXPECT_FALSE(Environments(*db_).on_agent(agent, "main", "nothing").value());
    ASSERT_TRUE(Environments(*db_).remove(acme_, first->id, kNow));
    EXPECT_TRUE(make_environment(project, agent, "prod", "odoo"));
    EXPECT_TRUE(*Environments(*db_).find_any(acme_, first->id));
}

TEST_F(RepositoriesTest, KeepWhatIsStillNeeded) {
    const std::string project = make_project(acme_, "shop");
    const std::string agent = make_agent(acme_, "db1");
    ASSERT_TRUE(make_environment(project, agent, "prod", "odoo"));
    EXPECT_EQ(Projects(*db_).remove(acme_, project, kNow).error().code(), Errc::conflict);
    EXPECT_EQ(Agents(*db_).remove(acme_, agent, kNow).error().code(), Errc::conflict);
}

TEST_F(RepositoriesTest, PageThroughLists) {
    for (const char* name : {"c", "a", "d", "b"}) make_project(acme_, name);
    const auto page = Projects(*db_).list(acme_, "", {2, 1});
    ASSERT_TRUE(page);
    EXPECT_EQ(page->total, 4);
    ASSERT_EQ(page->items.size(), 2U);
    EXPECT_EQ(page->items[0].name, "b");
    EXPECT_EQ(page->items[1].name, "c");
}

TEST_F(RepositoriesTest, NumberAgentsOfOneName) {
    make_agent(acme_, "db1", "h1");
    const std::string second = make_agent(acme_, "db1", "h2");
    EXPECT_EQ(Agents(*db_).by_id(second).value()->name, "db1-2");
}

TEST_F(RepositoriesTest, RememberWhatAgentsSayOfThemselves) {
    const std::string agent = make_agent(acme_, "db1");
    AgentSigns signs{"instance", "0.2", 1, kNow + 5, -300, R"({"hostname":"db1"})"};
    ASSERT_TRUE(Agents(*db_).note_signs(agent, signs));
    signs.inventory.reset();
    signs.seen_at = kNow + 9;
    ASSERT_TRUE(Agents(*db_).note_signs(agent, signs));
    const auto found = Agents(*db_).by_id(agent).value();
    EXPECT_EQ(found->seen_at, kNow + 9);
    EXPECT_EQ(found->inventory_at, kNow + 5);
    EXPECT_EQ(Agents(*db_).inventory(agent).value(), R"({"hostname":"db1"})");
    EXPECT_EQ(count_registry(*db_, kNow + 10)->live_agents, 1);
    EXPECT_EQ(count_registry(*db_, kNow + 9 + kAgentAliveMs)->live_agents, 0);
}

TEST_F(RepositoriesTest, HaveOneDefaultDestination) {
    const auto save = [&](const std::string& name, bool is_default) {
        DestinationRow row;
        row.id = "id of " + name;
        row.organization_id = acme_;
        row.name = name;
        row.type = "local";
        row.config_box = "sealed";
        row.is_default = is_default;
        return committed([&](sql::Transaction& tx) { return Destinations(*db_).create(tx, row); });
    };
    ASSERT_TRUE(save("first", false));
    EXPECT_EQ(Destinations(*db_).default_of(acme_).value()->name, "first");
    ASSERT_TRUE(save("second", true));
    EXPECT_EQ(Destinations(*db_).default_of(acme_).value()->name, "second");
    EXPECT_FALSE(save("second", false));
    ASSERT_TRUE(Destinations(*db_).remove(acme_, "id of second", kNow));
    EXPECT_FALSE(Destinations(*db_).default_of(acme_).value());
    EXPECT_EQ(Destinations(*db_).list(acme_, {})->total, 1);
    EXPECT_FALSE(Destinations(*db_).find(other_, "id of first").value());
}

TEST_F(RepositoriesTest, OpenAConfigurationOnlyForItsOwnRow) {
    const auto box = SecretBox::from_key(std::string(32, 'k')).value();
    DestinationRow row;
    row.id = "d1";
    row.type = "s3";
    row.config_box = seal_config(box, "d1", json::Object{{"secretAccessKey", "word"}});
    EXPECT_EQ(row.config_box.find("word"), std::string::npos);
    EXPECT_EQ(open_config(box, row)->config.at("secretAccessKey"), "word");
    row.id = "d2";
    EXPECT_EQ(open_config(box, row).error().code(), Errc::corrupted);
}

TEST_F(RepositoriesTest, ForgetKeptAnswersAfterADay) {
    Idempotency kept(*db_);
    ASSERT_TRUE(kept.keep("u1", "key", {"hash", 201, "body"}, kNow));
    EXPECT_EQ(kept.find("u1", "key", kNow + 1).value()->body, "body");
    EXPECT_FALSE(kept.find("u2", "key", kNow + 1).value());
    EXPECT_FALSE(kept.find("u1", "key", kNow + Idempotency::kKeptMs).value());
    EXPECT_TRUE(kept.keep("u1", "key", {"hash", 201, "body"}, kNow + Idempotency::kKeptMs));
}

TEST_F(RepositoriesTest, LeaveTheKeptAnswersOfOthersAlone) {
    Idempotency kept(*db_);
    ASSERT_TRUE(kept.keep("another", "key", {"hash", 201, "body"}, kNow));
    ASSERT_TRUE(kept.keep("u1", "key", {"hash", 201, "body"}, kNow + Idempotency::kKeptMs));
    EXPECT_TRUE(kept.find("another", "key", kNow + 1).value()) << "the purge forgets it";
}

TEST_F(RepositoriesTest, UseAnEnrolmentTokenOnce) {
    EnrollTokens tokens(*db_);
    EnrollToken token{"t1", acme_, "db1", "me", kNow, kNow + 1000, std::nullopt, std::nullopt};
    ASSERT_TRUE(tokens.create(token, "hash"));
    EXPECT_TRUE(tokens.usable("hash", kNow).value());
    EXPECT_FALSE(tokens.usable("hash", kNow + 1000).value());
    const std::string agent = make_agent(acme_, "db1");
    ASSERT_TRUE(tokens.use("t1", agent, kNow));
    EXPECT_EQ(tokens.use("t1", agent, kNow).error().code(), Errc::conflict);
    EXPECT_FALSE(tokens.usable("hash", kNow).value());
    EXPECT_FALSE(tokens.revoke(acme_, "t1", kNow).value());
    token.id = "t2";
    ASSERT_TRUE(tokens.create(token, "hash2"));
    EXPECT_FALSE(tokens.revoke(other_, "t2", kNow).value());
    EXPECT_TRUE(tokens.revoke(acme_, "t2", kNow).value());
    EXPECT_FALSE(tokens.usable("hash2", kNow).value());
}

}  // namespace
}  // namespace backstay::store
