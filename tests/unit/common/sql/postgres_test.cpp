// What a store on PostgreSQL does when its server goes away and comes back.
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <thread>

#include "common/clock.h"
#include "common/sql/transaction.h"
#include "tests/support/private_postgres.h"

namespace backstay::sql {
namespace {

class PostgresStore : public ::testing::Test {
protected:
    std::string url() const { return "postgresql://postgres@:" + server_.port() + "/postgres?host=" + server_.host(); }
    // Waits until a question is answered again.
    static bool comes_back(Database& db) {
        for (int i = 0; i < 200; ++i) {
            if (db.query("SELECT 1")) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
        return false;
    }
    testing::PrivatePostgres server_;
};

TEST_F(PostgresStore, IsUsedAgainWhenItsServerIsBack) {
    Database db = Database::open(url()).value();
    ASSERT_TRUE(db.run_script("CREATE TABLE kept (name TEXT)"));
    ASSERT_TRUE(db.run("INSERT INTO kept VALUES ($1)", {"a"}));
    server_.stop();
    EXPECT_EQ(db.run("INSERT INTO kept VALUES ($1)", {"b"}).error().code(), Errc::unavailable);
    EXPECT_EQ(Transaction::begin(db).error().code(), Errc::unavailable);
    server_.start();
    ASSERT_TRUE(comes_back(db));
    const auto put = db.run("INSERT INTO kept VALUES ($1)", {"c"});
    EXPECT_TRUE(put) << "what was prepared before is prepared anew: " << put.error().message();
}

TEST_F(PostgresStore, ThatWasRestartedIsNotNoticed) {
    Database db = Database::open(url()).value();
    ASSERT_TRUE(db.query("SELECT 1"));
    server_.stop();
    server_.start();
    const auto asked = db.query("SELECT 1");
    EXPECT_TRUE(asked) << "the farewell is read before the question is sent: " << asked.error().message();
}

TEST_F(PostgresStore, LosesATransactionWithItsConnection) {
    Database db = Database::open(url()).value();
    ASSERT_TRUE(db.run_script("CREATE TABLE kept (name TEXT)"));
    {
        auto transaction = Transaction::begin(db).value();
        ASSERT_TRUE(db.run("INSERT INTO kept VALUES ('a')"));
        server_.stop();
        server_.start();
        EXPECT_FALSE(db.run("INSERT INTO kept VALUES ('b')")) << "it must not go on over another connection";
        EXPECT_FALSE(transaction.commit());
    }
    ASSERT_TRUE(comes_back(db));
    auto rows = db.query("SELECT COUNT(*) FROM kept");
    ASSERT_TRUE(rows && rows->step());
    EXPECT_EQ(rows->integer(0), 0);
}

TEST_F(PostgresStore, LosesItsDutyWithItsConnection) {
    Database db = Database::open(url()).value();
    Database other = Database::open(url()).value();
    ASSERT_TRUE(db.hold("upkeep").value());
    ASSERT_TRUE(
        other.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
                  "backend_type = 'client backend'"));
    bool taken = false;
    for (int i = 0; i < 200 && !taken; ++i) {
        taken = other.hold("upkeep").value();
        if (!taken) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ASSERT_TRUE(taken);
    // Whoever had it must not go on over a new connection.
    EXPECT_EQ(Transaction::begin(db).error().code(), Errc::unavailable);
    EXPECT_EQ(db.run("SELECT 1").error().code(), Errc::unavailable);
    EXPECT_FALSE(db.hold("upkeep").value());
    EXPECT_TRUE(Transaction::begin(db)) << "it knows by now";
}

TEST_F(PostgresStore, LetsOrganizationsWriteSideBySide) {
    Database db = Database::open(url()).value();
    Database other = Database::open(url()).value();
    ASSERT_TRUE(other.run_script("SET lock_timeout = 200"));
    auto transaction = Transaction::begin(db, "acme").value();
    EXPECT_TRUE(Transaction::begin(other, "another"));
    EXPECT_EQ(Transaction::begin(other, "acme").error().code(), Errc::unavailable);
    EXPECT_EQ(Transaction::begin(other).error().code(), Errc::unavailable) << "the whole waits for each of them";
    EXPECT_FALSE(other.in_transaction());
    ASSERT_TRUE(transaction.commit());
    EXPECT_TRUE(Transaction::begin(other));
}

TEST_F(PostgresStore, GivesAServerUpThatStandsStill) {
    Database db = Database::open(url(), {.statement_timeout_ms = 1'000}).value();
    auto rows = db.query("SELECT pg_backend_pid()");
    ASSERT_TRUE(rows && rows->step());
    const auto backend = static_cast<pid_t>(rows->integer(0));
    ASSERT_EQ(::kill(backend, SIGSTOP), 0);
    EXPECT_EQ(db.run("SELECT 1").error().code(), Errc::unavailable);
    EXPECT_TRUE(db.run("SELECT 1")) << "over another connection";
    ::kill(backend, SIGCONT);
}

// Once, however many questions wait for it.
TEST_F(PostgresStore, WaitsOnceForAServerThatStandsStill) {
    Database db = Database::open(url(), {.statement_timeout_ms = 1'000}).value();
    const std::array questions = {Question{"SELECT pg_backend_pid()", {}}, Question{"SELECT 2", {}},
                                  Question{"SELECT 3", {}}, Question{"SELECT 4", {}}};
    auto answers = db.query_all(questions);
    ASSERT_TRUE(answers && (*answers)[0].step());
    const auto backend = static_cast<pid_t>((*answers)[0].integer(0));
    ASSERT_EQ(::kill(backend, SIGSTOP), 0);
    const std::int64_t begun = steady_ms();
    EXPECT_EQ(db.query_all(questions).error().code(), Errc::unavailable);
    EXPECT_LT(steady_ms() - begun, 20'000) << "6 s for each of five waits";
    EXPECT_TRUE(db.query_all(questions)) << "over another connection";
    ::kill(backend, SIGCONT);
}

// So many that the prepared ones are dropped on the way: never between two questions.
TEST_F(PostgresStore, KeepsWhatItPreparedForQuestionsThatAreAskedTogether) {
    Database db = Database::open(url()).value();
    for (int i = 0; i < 1300; ++i) {
        const std::string fresh = "SELECT " + std::to_string(i);
        const std::array questions = {Question{"SELECT 'known'", {}}, Question{fresh, {}}};
        auto answers = db.query_all(questions);
        ASSERT_TRUE(answers) << i << ": " << answers.error().message();
        ASSERT_TRUE((*answers)[0].step() && (*answers)[1].step());
        EXPECT_EQ((*answers)[0].text(0), "known");
        EXPECT_EQ((*answers)[1].integer(0), i);
    }
}

TEST_F(PostgresStore, TellsNothingOfAUrlThatItDoesNotUnderstand) {
    for (const char* wrong : {"postgresql://u:s3cr%et@127.0.0.1/x", "postgresql://u:s3cr@et@127.0.0.1/x",
                              "postgresql://u:s3cr/et@127.0.0.1/x", "postgresql://u:s3cret@[::1]x/y"}) {
        const auto opened = Database::open(wrong);
        ASSERT_FALSE(opened) << wrong;
        EXPECT_EQ(opened.error().code(), Errc::invalid) << wrong;
        EXPECT_EQ(opened.error().message().find("s3cr"), std::string::npos) << opened.error().message();
    }
}

TEST_F(PostgresStore, ReadsBytesWhateverItsServerWasToldOfThem) {
    Database db = Database::open(url()).value();
    ASSERT_TRUE(db.run_script("ALTER ROLE postgres SET bytea_output = escape"));
    Database other = Database::open(url()).value();
    const Blob bytes{std::byte{1}, std::byte{0x41}, std::byte{0xff}};
    auto rows = other.query("SELECT $1", {bytes});
    ASSERT_TRUE(rows && rows->step());
    EXPECT_EQ(rows->blob(0), bytes);
}

TEST_F(PostgresStore, RefusesATextThatItWouldCut) {
    Database db = Database::open(url()).value();
    EXPECT_EQ(db.query("SELECT $1", {std::string_view("a\0b", 3)}).error().code(), Errc::invalid);
}

}  // namespace
}  // namespace backstay::sql
