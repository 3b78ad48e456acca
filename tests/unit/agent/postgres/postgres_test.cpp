// The dump's helpers against a real server: what very many files must not break.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <iterator>
#include <set>
#include <thread>

#include "agent/postgres/parallel_dump.h"
#include "agent/postgres/snapshot.h"
#include "common/clock.h"
#include "tests/support/private_postgres.h"
#include "tests/support/temp_dir.h"

namespace backstay::postgres {
namespace {

// Large objects, their list, one table, the table of contents.
constexpr std::size_t kFiles = 17'000 + 3;

class AgentPostgres : public ::testing::Test {
protected:
    static void SetUpTestSuite() { server_ = std::make_unique<testing::PrivatePostgres>(); }
    static void TearDownTestSuite() { server_.reset(); }

    static inline std::unique_ptr<testing::PrivatePostgres> server_;
    testing::TempDir folder_;
};

// More large objects than the kernel keeps events for (16384), while the reader is busy with something else.
TEST_F(AgentPostgres, HandsOutEveryFileThoughTheirEventsDidNotAllFit) {
    server_->run(
        "createdb many; psql -qd many -c "
        "\"DO \\$\\$ BEGIN PERFORM lo_from_bytea(0, 'x'), lo_from_bytea(0, 'y') "
        "FROM generate_series(1, 8500); END \\$\\$\" "
        "-c \"CREATE TABLE rows AS SELECT generate_series(1, 10) AS n\" >/dev/null");
    const ClusterConfig cluster = server_->cluster();
    auto snapshot = Snapshot::open(cluster, "many", {});
    ASSERT_TRUE(snapshot) << snapshot.error().message();
    const DumpRequest request{{server_->bin() + "/pg_dump", "15", 15}, cluster, "many", snapshot->id(), {0, false}, {}};
    auto dump = ParallelDump::start(request, folder_.path(), 2);
    ASSERT_TRUE(dump) << dump.error().message();
    // The table of contents is there from the beginning, the data comes after it.
    const auto files = [&] {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_.path()), {}));
    };
    for (const std::int64_t end = steady_ms() + 120'000; files() < kFiles && steady_ms() < end;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    std::set<std::string> names;
    std::string last;
    while (true) {
        auto name = (*dump)->next(1ULL << 40);
        ASSERT_TRUE(name) << name.error().message();
        if (!*name) break;
        last = **name;
        EXPECT_TRUE(names.insert(last).second) << last;
        std::filesystem::remove(folder_.path() + "/" + last);
    }
    EXPECT_EQ(last, "toc.dat");
    EXPECT_EQ(names.size(), kFiles);
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

}  // namespace
}  // namespace backstay::postgres
