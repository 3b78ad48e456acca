#include "control-plane/serve/run_call.h"

#include "common/sql/group.h"
#include "control-plane/api/scope.h"
#include "tests/unit/control-plane/store_fixture.h"

namespace backstay::serve {
namespace {

const std::string kSecret(48, 's');

class RunCallTest : public testing::StoreTest {
protected:
    RunCallTest()
        : gate_(JwtVerifier::with_secret(kSecret, {}).value()),
          box_(SecretBox::from_key(std::string(32, 'k')).value()) {
        routes_.add_write(
            {"POST", "/projects", auth::Permission::manage_projects},
            [this](api::Call& call, sql::Transaction& tx) -> Result<http::Response> {
                ++runs_;
                const auto made =
                    TRY(store::Projects(tx.database()).create(call.organization_id, call.request.body, "", call.now));
                call.after_commit.emplace_back([] {});
                if (call.request.body == "tells") TRY(api::note_audit(call, tx.database(), "shop.open", made.id));
                if (call.request.body == "fails") return api::problem(422, "no", "refused after writing");
                if (call.request.body == "answers") return api::error_answer(409, "late", "refused");
                return api::message_answer(201, made.id);
            });
        routes_.add_write(
            {.method = "POST", .pattern = "/guests", .access = api::Access::open},
            [this](api::Call& call, sql::Transaction& tx) -> Result<http::Response> {
                TRY(store::Projects(tx.database()).create(acme_, call.request.body, "", call.now));
                return api::message_answer(201, "welcome");
            },
            [this](const api::Call& call, sql::Database&) -> Result<std::string> {
                if (call.request.body == "stranger") return api::problem(401, "invalid_token", "nobody knows you");
                return acme_;
            });
        routes_.add_write({.method = "POST", .pattern = "/signs", .access = api::Access::agent},
                          [](api::Call& call, sql::Transaction& tx) -> Result<http::Response> {
                              TRY(store::Agents(tx.database()).note_seen(call.agent->id, kNow + 1));
                              return api::message_answer(200, call.agent->name);
                          });
        routes_.add({"GET", "/projects", auth::Permission::view_backups},
                    [](api::Call& call, sql::Database& db) -> Result<http::Response> {
                        const auto all = TRY(store::Projects(db).list(call.organization_id, "", {}));
                        return api::message_answer(200, std::to_string(all.total));
                    });
    }

    http::Response run(const std::string& method, const std::string& body, const std::string& role = "owner",
                       const std::string& key = "") {
        json::Object claims{{"sub", "u1"}, {"org", acme_}, {"role", role}, {"exp", kNow / 1000 + 60}};
        return run_as({auth::Credential::Kind::token, sign_jwt(kSecret, claims), false}, method, body, key);
    }
    http::Response run_as(const auth::Credential& credential, const std::string& method, const std::string& body,
                          const std::string& key = "") {
        return run_at("/projects", credential, method, body, key);
    }
    http::Response run_at(const std::string& path, const auth::Credential& credential, const std::string& method,
                          const std::string& body, const std::string& key = "", const std::string& organization = "") {
        api::Call call;
        call.organization_id = organization;
        call.request.method = method;
        call.request.target = path;
        call.request.body = body;
        call.request_id = std::to_string(++requests_);
        call.now = kNow;
        const auto match = routes_.find(method, path);
        auto answer = run_call({gate_, box_}, *match.route, credential, key, call, *db_);
        tasks_ = call.after_commit.size();
        organization_ = call.organization_id;
        return answer ? std::move(*answer) : api::error_answer(answer.error());
    }
    std::string projects() { return run("GET", "").body; }

    auth::Gate gate_;
    SecretBox box_;
    api::RouteTable routes_;
    int runs_ = 0;
    int requests_ = 0;
    std::size_t tasks_ = 0;
    std::string organization_;
};

TEST_F(RunCallTest, RefusesAStrangerThoughOthersWrite) {
    auto db = store::open_store(path_).value();
    const auto writer = sql::Transaction::begin(db).value();
    EXPECT_EQ(run_at("/guests", {}, "POST", "stranger").status, 401);
}

TEST_F(RunCallTest, WritesForTheOrganizationThatTheRouteNames) {
    auto db = store::open_store(path_).value();
    std::optional<sql::Transaction> writer;
    if (testing::on_postgres()) writer.emplace(sql::Transaction::begin(db, other_).value());
    EXPECT_EQ(run_at("/guests", {}, "POST", "guest").status, 201);
}

TEST_F(RunCallTest, AdmitsAnAgentInTheTransactionOfItsOrganization) {
    const std::string secret = auth::new_secret(auth::kAgentPrefix);
    make_agent(acme_, "db1", auth::hash_secret(secret));
    const auth::Credential credential{auth::Credential::Kind::agent, secret, false};
    const auto sign = [&](const std::string& organization) {
        return run_at("/signs", credential, "POST", "", "", organization);
    };
    const auto seen_at = [&] { return store::Agents(*db_).by_credential(credential.hash).value()->seen_at; };
    EXPECT_EQ(sign("").body, R"({"message":"db1"})") << "which is not known yet";
    auto group = sql::Group::begin(*db_, acme_).value();
    EXPECT_EQ(sign(acme_).status, 200);
    ASSERT_TRUE(group.commit());
    EXPECT_EQ(seen_at(), kNow + 1);
    ASSERT_TRUE(store::Agents(*db_).note_seen(store::Agents(*db_).by_credential(credential.hash).value()->id, kNow));
    EXPECT_EQ(sign(other_).status, 503);
    EXPECT_EQ(seen_at(), kNow) << "nothing for another organization than it was begun for";
}

TEST_F(RunCallTest, KnowsWhoseCallItCouldNotBegin) {
    if (!testing::on_postgres()) return;  // there nothing is asked before
    const auto open = sql::Transaction::begin(*db_).value();
    EXPECT_GE(run("POST", "shop").status, 400);
    EXPECT_EQ(organization_, acme_);
}

TEST_F(RunCallTest, CommitsWhatSucceeds) {
    EXPECT_EQ(run("POST", "shop").status, 201);
    EXPECT_EQ(tasks_, 1U);
    EXPECT_EQ(projects(), R"({"message":"1"})");
}

TEST_F(RunCallTest, UndoesWhatIsRefusedLate) {
    EXPECT_EQ(run("POST", "fails").status, 422);
    EXPECT_EQ(run("POST", "answers").status, 409);
    EXPECT_EQ(tasks_, 0U);
    EXPECT_EQ(projects(), R"({"message":"0"})");
}

TEST_F(RunCallTest, AsksForThePermissionOfTheRoute) {
    const auto refused = run("POST", "shop", "viewer");
    EXPECT_EQ(refused.status, 403);
    EXPECT_NE(refused.body.find("manage:projects"), std::string::npos);
    EXPECT_EQ(run("GET", "", "viewer").status, 200);
    EXPECT_EQ(run_as({}, "GET", "").status, 401);
    EXPECT_EQ(runs_, 0);
}

TEST_F(RunCallTest, LetsReadOnlyKeysOnlyRead) {
    const auto key =
        committed([&](sql::Transaction& tx) { return registry::create_key(tx, actor(), acme_, {}); }).value();
    const auth::Credential credential{auth::Credential::Kind::api_key, key.secret, false};
    EXPECT_EQ(run_as(credential, "GET", "").status, 200);
    const auto refused = run_as(credential, "POST", "shop");
    EXPECT_EQ(refused.status, 403);
    EXPECT_NE(refused.body.find("read_only_key"), std::string::npos);
}

TEST_F(RunCallTest, AnswersARepeatedRequestAsTheFirst) {
    const auto first = run("POST", "shop", "owner", "k1");
    const auto again = run("POST", "shop", "owner", "k1");
    EXPECT_EQ(again.status, 201);
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(again.headers.get("Idempotency-Replayed"), "true");
    EXPECT_EQ(runs_, 1);
    EXPECT_EQ(run("POST", "other", "owner", "k1").status, 422);
    EXPECT_EQ(run("POST", "other", "owner", "k2").status, 201);
}

TEST_F(RunCallTest, TriesARefusedRequestAnew) {
    EXPECT_EQ(run("POST", "fails", "owner", "k1").status, 422);
    EXPECT_EQ(run("POST", "fails", "owner", "k1").status, 422);
    EXPECT_EQ(runs_, 2);
}

TEST_F(RunCallTest, LeavesARowForEachChange) {
    const auto rows = [&] { return store::Audit(*db_).list(trail_of(acme_), {}).value(); };
    EXPECT_EQ(run("POST", "fails").status, 422);
    EXPECT_EQ(run("POST", "answers").status, 409);
    EXPECT_EQ(run("GET", "").status, 200);
    EXPECT_EQ(rows().total, 0) << "refusals are told by the pipeline";
    EXPECT_EQ(run("POST", "shop", "owner", "k1").status, 201);
    ASSERT_EQ(rows().total, 1);
    EXPECT_EQ(rows().items[0].action, "request") << "the handler tells nothing of its own";
    EXPECT_EQ(rows().items[0].actor_id, "u1");
    EXPECT_FALSE(rows().items[0].status);
    EXPECT_EQ(run("POST", "shop", "owner", "k1").status, 201);
    EXPECT_EQ(rows().total, 1) << "the same request again changes nothing";
    EXPECT_EQ(run("POST", "tells").status, 201);
    ASSERT_EQ(rows().total, 2);
    EXPECT_EQ(rows().items[0].action, "shop.open");
}

TEST_F(RunCallTest, SealsTheAnswersThatItKeeps) {
    const auto first = run("POST", "shop", "owner", "k1");
    auto kept = db_->query("SELECT body FROM idempotency");
    ASSERT_TRUE(kept);
    ASSERT_TRUE(kept->step().value());
    EXPECT_EQ(kept->text(0).find("message"), std::string::npos);
}

}  // namespace
}  // namespace backstay::serve
