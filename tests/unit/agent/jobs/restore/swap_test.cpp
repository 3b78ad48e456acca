// Putting a pair back never makes a mixture of it.
#include "agent/jobs/restore/swap.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "common/domain/reasons.h"
#include "tests/support/private_postgres.h"
#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

namespace fs = std::filesystem;
using restore::Standing;
using restore::SwapRecord;

Result<> forget(const std::string&, const std::string&) { return {}; }

class Swap : public ::testing::Test {
protected:
    void SetUp() override {
        record_.cluster = "main";
        record_.database = "shop";
        record_.side_database = "shop_side";
        record_.previous_database = "shop_previous";
        record_.owner = "postgres";
        for (const std::string& database : {record_.database, record_.side_database}) {
            postgres_.exec("postgres", "CREATE DATABASE " + database);
        }
        record_.filestore = folder_.path() + "/filestore";
        record_.side_filestore = folder_.path() + "/side";
        record_.previous_filestore = folder_.path() + "/previous";
        fs::create_directory(record_.filestore);
        fs::create_directory(record_.side_filestore);
        ASSERT_TRUE(restore::identify(record_, cluster_));
        ASSERT_TRUE(restore::swap_in(record_, cluster_, forget));
    }
    Standing stands() { return restore::standing(record_, cluster_).value(); }

    testing::TempDir folder_;
    testing::PrivatePostgres postgres_;
    pq::Connection cluster_ = postgres_.connect("postgres");
    SwapRecord record_;
};

TEST_F(Swap, GoesBackAndForth) {
    EXPECT_EQ(stands(), Standing::restored);
    ASSERT_TRUE(restore::put_back(record_, cluster_, forget));
    EXPECT_EQ(stands(), Standing::previous);
    ASSERT_TRUE(restore::put_back(record_, cluster_, forget));
    EXPECT_EQ(stands(), Standing::previous);
}

TEST_F(Swap, WhosePreviousFolderIsGoneKeepsTheNewPairWhole) {
    fs::remove_all(record_.previous_filestore);
    const auto back = restore::put_back(record_, cluster_, forget);
    ASSERT_FALSE(back);
    EXPECT_EQ(back.error().reason(), reason::kFilestoreMissing);
    EXPECT_EQ(stands(), Standing::restored);
}

TEST_F(Swap, WhoseFoldersAreNoneItKnowsChangesNothing) {
    for (const std::string& path : {record_.filestore, record_.previous_filestore}) {
        fs::remove_all(path);
        fs::create_directory(path);
    }
    EXPECT_FALSE(restore::put_back(record_, cluster_, forget));
    EXPECT_EQ(restore::database_name(cluster_, record_.new_oid).value(), record_.database);
}

}  // namespace
}  // namespace backstay
