// What both drivers promise of statements and rows: this file runs on SQLite and on PostgreSQL.
#include "common/sql/database.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "common/sql/transaction.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_store.h"

namespace backstay::sql {
namespace {

class DatabaseTest : public ::testing::Test {
protected:
    void SetUp() override {
        const std::string blob = testing::on_postgres() ? "BYTEA" : "BLOB";
        const auto made = db_.run_script(
            "CREATE TABLE things (id TEXT PRIMARY KEY, number BIGINT CHECK (number <> 13), "
            "share DOUBLE PRECISION, bytes " +
            blob + ", name TEXT NOT NULL DEFAULT '')");
        ASSERT_TRUE(made) << made.error().message();
    }
    testing::TempDir folder_;
    Database db_ = Database::open(testing::test_store(folder_.path())).value();
};

TEST_F(DatabaseTest, GivesBackWhatWasPut) {
    const Blob bytes{std::byte{0}, std::byte{0xff}, std::byte{'\\'}};
    constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
    const auto put = db_.run("INSERT INTO things (id, number, share, bytes, name) VALUES ($1, $2, $3, $4, $5)",
                             {"a", kLeast, 0.1, bytes, "Zürich 'and' \\x"});
    ASSERT_TRUE(put) << put.error().message();
    EXPECT_EQ(*put, 1);
    auto rows = db_.query("SELECT number, share, bytes, name FROM things WHERE id = $1", {"a"});
    ASSERT_TRUE(rows && rows->step());
    EXPECT_EQ(rows->columns(), 4);
    EXPECT_EQ(rows->column_name(0), "number");
    EXPECT_EQ(rows->integer(0), kLeast);
    EXPECT_EQ(rows->real(1), 0.1);
    EXPECT_EQ(rows->blob(2), bytes);
    EXPECT_EQ(rows->text(3), "Zürich 'and' \\x");
    EXPECT_EQ(rows->type(0), Type::integer);
    EXPECT_EQ(rows->type(1), Type::real);
    EXPECT_EQ(rows->type(2), Type::blob);
    EXPECT_EQ(rows->type(3), Type::text);
    EXPECT_FALSE(*rows->step());
}

TEST_F(DatabaseTest, ReadsNullAsNothing) {
    ASSERT_TRUE(db_.run("INSERT INTO things (id, number) VALUES ($1, $2)", {"a", std::optional<std::int64_t>()}));
    auto rows = db_.query("SELECT number, bytes FROM things");
    ASSERT_TRUE(rows && rows->step());
    EXPECT_TRUE(rows->is_null(0));
    EXPECT_EQ(rows->optional_integer(0), std::nullopt);
    EXPECT_EQ(rows->optional_text(0), std::nullopt);
    EXPECT_EQ(rows->integer(0), 0);
    EXPECT_TRUE(rows->blob(1).empty());
}

TEST_F(DatabaseTest, AnswersSeveralQuestionsInTheirOrder) {
    ASSERT_TRUE(db_.run("INSERT INTO things (id, number) VALUES ($1, $2), ($3, $4)", {"a", 1, "b", 2}));
    const std::string second = "b";
    for (int round = 0; round < 2; ++round) {  // the second time they are prepared
        const std::array questions = {Question{"SELECT number FROM things WHERE id = $1", {"a"}},
                                      Question{"SELECT id FROM things WHERE id = $1 AND number > $2", {second, 7}},
                                      Question{"SELECT id, number FROM things ORDER BY id", {}}};
        auto answers = db_.query_all(questions);
        ASSERT_TRUE(answers) << answers.error().message();
        ASSERT_EQ(answers->size(), 3U);
        ASSERT_TRUE(*(*answers)[0].step());
        EXPECT_EQ((*answers)[0].integer(0), 1);
        EXPECT_FALSE(*(*answers)[1].step());
        ASSERT_TRUE(*(*answers)[2].step());
        ASSERT_TRUE(*(*answers)[2].step());
        EXPECT_EQ((*answers)[2].text(0), "b");
        EXPECT_FALSE(*(*answers)[2].step());
    }
    EXPECT_TRUE(db_.query_all({})->empty());
}

// Steps through all, as SQLite finds out only then.
Result<> ask(Database& db, std::span<const Question> questions) {
    for (Statement& answer : TRY(db.query_all(questions))) {
        while (TRY(answer.step())) {
        }
    }
    return {};
}

TEST_F(DatabaseTest, AQuestionThatFailsAmongOthersLeavesTheConnectionInOrder) {
    ASSERT_TRUE(db_.run("INSERT INTO things (id, number) VALUES ($1, $2)", {"a", 1}));
    const std::array questions = {Question{"SELECT number FROM things", {}},
                                  Question{"INSERT INTO things (id) VALUES ($1) RETURNING id", {"a"}},
                                  Question{"SELECT id FROM things", {}}};
    const auto failed = ask(db_, questions);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code(), Errc::conflict) << failed.error().message();
    auto rows = db_.query("SELECT number FROM things");
    ASSERT_TRUE(rows) << rows.error().message();
    ASSERT_TRUE(*rows->step());
    EXPECT_EQ(rows->integer(0), 1);
}

TEST_F(DatabaseTest, AsksSeveralQuestionsInsideATransaction) {
    auto transaction = Transaction::begin(db_);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(db_.run("INSERT INTO things (id) VALUES ($1)", {"a"}));
    const std::array questions = {Question{"SELECT count(*) FROM things", {}}, Question{"SELECT id FROM things", {}}};
    {
        auto answers = db_.query_all(questions);
        ASSERT_TRUE(answers) << answers.error().message();
        ASSERT_TRUE(*(*answers)[0].step());
        EXPECT_EQ((*answers)[0].integer(0), 1);
    }
    ASSERT_TRUE(transaction->commit());
    EXPECT_TRUE(ask(db_, questions));
}

// The same statement with NULL and with a value: prepared by text and types.
TEST_F(DatabaseTest, TakesNullAndValueInOnePlace) {
    for (const std::optional<std::int64_t> number : {std::optional<std::int64_t>(), std::optional<std::int64_t>(7)}) {
        const auto put = db_.run(
            "INSERT INTO things (id, number) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET number "
            "= excluded.number",
            {"a", number});
        ASSERT_TRUE(put) << put.error().message();
    }
    auto rows =
        db_.query("SELECT number = 7, COUNT(*) FILTER (WHERE number = 8), SUM(number) FROM things GROUP BY number");
    ASSERT_TRUE(rows && rows->step());
    EXPECT_TRUE(rows->boolean(0)) << "a condition is a number";
    EXPECT_EQ(rows->integer(1), 0);
    EXPECT_EQ(rows->integer(2), 7) << "and so is a sum";
}

TEST_F(DatabaseTest, TellsHowARowWasRefused) {
    ASSERT_TRUE(db_.run("INSERT INTO things (id) VALUES ('a')"));
    const auto twice = db_.run("INSERT INTO things (id) VALUES ($1)", {"a"});
    EXPECT_EQ(twice.error().code(), Errc::conflict);
    EXPECT_TRUE(twice.error().facts().contains("constraint"));
    EXPECT_EQ(db_.run("INSERT INTO things (id, number) VALUES ('b', 13)").error().code(), Errc::invalid);
    EXPECT_EQ(db_.run("INSERT INTO things (id, name) VALUES ('b', NULL)").error().code(), Errc::invalid);
    EXPECT_FALSE(db_.run("INSERT INTO thing (id) VALUES ('b')"));
    EXPECT_EQ(db_.run("INSERT INTO things (id) VALUES ($1)", {"b", 1}).error().code(), Errc::invalid)
        << "too many values";
    auto rows = db_.query("SELECT COUNT(*) FROM things");
    ASSERT_TRUE(rows && rows->step());
    EXPECT_EQ(rows->integer(0), 1);
}

TEST_F(DatabaseTest, CountsWhatChanged) {
    for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(db_.run("INSERT INTO things (id) VALUES ($1)", {id}));
    EXPECT_EQ(db_.run("UPDATE things SET number = 1 WHERE id <> $1", {"a"}).value(), 2);
    EXPECT_EQ(db_.run("DELETE FROM things WHERE id = 'z'").value(), 0);
}

TEST_F(DatabaseTest, ReadsOneStatementWhileItRunsAnother) {
    for (const char* id : {"a", "b"}) ASSERT_TRUE(db_.run("INSERT INTO things (id) VALUES ($1)", {id}));
    auto rows = db_.query("SELECT id FROM things ORDER BY id");
    std::string seen;
    while (rows->step().value()) {
        seen += rows->text(0);
        auto inner = db_.query("SELECT id FROM things ORDER BY id DESC");
        ASSERT_TRUE(inner && inner->step());
        seen += inner->text(0);
    }
    EXPECT_EQ(seen, "abbb");
}

}  // namespace
}  // namespace backstay::sql
