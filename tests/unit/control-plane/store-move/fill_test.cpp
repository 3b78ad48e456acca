#include "control-plane/store-move/fill.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "common/sql/snapshot.h"
#include "control-plane/store-move/move.h"
#include "control-plane/store-move/table_rows.h"
#include "control-plane/store-move/targets.h"
#include "control-plane/store/store.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_store.h"

namespace backstay::store_move {
namespace {

using testing::test_store;

constexpr const char* kAudit =
    "INSERT INTO audit (id, organization_id, at, actor, action, object_id, detail, status) "
    "VALUES ($1, 'o', $2, $3, 'a', 'b', $4, $5)";

Result<> ignore(const std::string& /*doing*/, std::int64_t /*rows*/) { return {}; }

class Fill : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(store::prepare_store(source_path_));
        source_.emplace(store::open_store(source_path_).value());
        add(1, std::numeric_limits<std::int64_t>::min(), "", "\t\n\r\\N \\. \xF0\x9F\xA7\xA8", nullptr);
        add(7, std::numeric_limits<std::int64_t>::max(), "Ünï", "x", 0);
        ASSERT_TRUE(source_->run("UPDATE audit_forgetting SET before = 42"));
        ASSERT_TRUE(
            source_->run("INSERT INTO organizations VALUES ('b', 'b', 'B', 1, 1, NULL), ('B', 'a', '', 1, 1, 2)"));
        ASSERT_TRUE(source_->run("INSERT INTO projects VALUES ('p', 'b', 'P', '', 1, 1, NULL)"));
    }
    void add(std::int64_t id, std::int64_t at, const std::string& actor, const std::string& detail,
             const sql::Value& status) {
        const auto added = source_->run(kAudit, {id, at, actor, detail, status});
        ASSERT_TRUE(added) << added.error().message();
    }
    // Of an empty store, committed when nothing differs.
    Result<Filled> fill_into(const std::string& to) {
        auto target = TRY(sql::Database::open(to));
        auto transaction = TRY(sql::Transaction::begin(target));
        const auto snapshot = TRY(sql::Snapshot::begin(*source_));
        Filled filled = TRY(fill(*source_, transaction, ignore));
        TRY(transaction.commit());
        return filled;
    }

    testing::TempDir folder_;
    std::string source_path_ = folder_.path() + "/source.db";
    std::string target_path_ = test_store(folder_.path(), "target.db");
    std::optional<sql::Database> source_;
};

TEST_F(Fill, BringsEveryKindOfValueAndBack) {
    const auto filled = fill_into(target_path_);
    ASSERT_TRUE(filled) << filled.error().message();
    EXPECT_EQ(filled->different(), std::vector<std::string>());
    EXPECT_GT(filled->from.size(), 20U);

    auto target = store::open_store(target_path_).value();
    const auto snapshot = sql::Snapshot::begin(target).value();
    const auto back = fill_file(target, folder_.path() + "/back.db", ignore);
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(back->to, filled->from);
}

TEST_F(Fill, FindsARowThatDiffers) {
    ASSERT_TRUE(fill_into(target_path_));
    auto target = store::open_store(target_path_).value();
    ASSERT_TRUE(target.run("UPDATE organizations SET name = 'b' WHERE id = 'b'"));
    Filled both;
    const Schema schema = common_schema(*source_, target).value();
    const auto snapshot = sql::Snapshot::begin(target).value();
    both.from = sums_of(*source_, schema, ignore).value();
    both.to = sums_of(target, schema, ignore).value();
    EXPECT_EQ(both.different(), std::vector<std::string>{"organizations"});
}

TEST_F(Fill, LeavesIndexesForeignKeysTriggersAndCountersAsAMadeStoreHasThem) {
    ASSERT_TRUE(fill_into(target_path_));
    auto target = store::open_store(target_path_).value();
    EXPECT_FALSE(target.run("UPDATE audit SET actor = 'x'"));
    EXPECT_FALSE(target.run("INSERT INTO projects VALUES ('q', 'nobody', 'Q', '', 1, 1, NULL)"));
    EXPECT_FALSE(target.run("INSERT INTO projects VALUES ('q', 'b', 'P', '', 1, 1, NULL)"));
    ASSERT_TRUE(target.run(
        "INSERT INTO audit (organization_id, at, actor, action, object_id) VALUES ('o', 50, 'x', 'a', 'b')"));
    auto newest = target.query("SELECT MAX(id) FROM audit").value();
    ASSERT_TRUE(newest.step().value());
    EXPECT_EQ(newest.integer(0), 8);
}

TEST_F(Fill, NeitherDoublesNorMissesWhatTriggersCount) {
    const auto number = [](sql::Database& db) {
        auto sum = db.query("SELECT CAST(SUM(number) AS BIGINT) FROM audit_counts").value();
        EXPECT_TRUE(sum.step().value());
        return sum.integer(0);
    };
    EXPECT_EQ(number(*source_), 2);
    ASSERT_TRUE(fill_into(target_path_));
    auto target = store::open_store(target_path_).value();
    EXPECT_EQ(number(target), 2);
    ASSERT_TRUE(target.run(
        "INSERT INTO audit (organization_id, at, actor, action, object_id) VALUES ('o', 50, 'x', 'a', 'b')"));
    EXPECT_EQ(number(target), 3);
}

TEST_F(Fill, NamesTheRowThatTheTargetCannotHoldAndStoresNothing) {
    add(9, 1, "x", std::string("a\0b", 3), nullptr);
    const auto filled = fill_into(target_path_);
    if (!testing::on_postgres()) {
        EXPECT_TRUE(filled && filled->different().empty());
        return;
    }
    ASSERT_FALSE(filled);
    EXPECT_EQ(filled.error().code(), Errc::invalid);
    EXPECT_NE(filled.error().message().find("audit, id 9"), std::string::npos) << filled.error().message();
    EXPECT_FALSE(store::open_store(target_path_)->query("SELECT 1 FROM audit"));
}

TEST_F(Fill, ReadsTablesThatAreLongerThanOnePiece) {
    ASSERT_TRUE(source_->run(
        "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 6099) INSERT INTO audit "
        "(id, organization_id, at, actor, action, object_id) SELECT i, 'o', i, 'x', 'a', 'b' FROM n"));
    const auto filled = fill_into(target_path_);
    ASSERT_TRUE(filled) << filled.error().message();
    const auto audit = std::ranges::find(filled->to, "audit", &TableSum::table);
    ASSERT_NE(audit, filled->to.end());
    EXPECT_EQ(audit->rows, 6002);
    EXPECT_EQ(filled->different(), std::vector<std::string>());
}

TEST_F(Fill, RefusesAPostgresThatHoldsSomethingOfThatName) {
    if (!testing::on_postgres()) {
        EXPECT_EQ(NewStoreFile::begin(source_path_).error().code(), Errc::conflict);
        return;
    }
    ASSERT_TRUE(sql::Database::open(target_path_)->run_script("CREATE TABLE alerts (x int)"));
    const auto filled = fill_empty_postgres(*source_, target_path_, ignore);
    ASSERT_FALSE(filled);
    EXPECT_EQ(filled.error().code(), Errc::conflict);
}

TEST(RowDigest, TellsValuesApartByTypeAndLength) {
    const auto digest = [](std::vector<Cell> row) {
        RowDigest sums;
        sums.add(row);
        return sums.hex();
    };
    const auto text = [](std::string words) {
        Cell cell;
        cell.type = sql::Type::text;
        cell.text = std::move(words);
        return cell;
    };
    Cell one;
    one.type = sql::Type::integer;
    one.integer = 1;
    EXPECT_NE(digest({text("ab"), text("c")}), digest({text("a"), text("bc")}));
    EXPECT_NE(digest({text("")}), digest({Cell()}));
    EXPECT_NE(digest({text("1")}), digest({one}));
}

}  // namespace
}  // namespace backstay::store_move
