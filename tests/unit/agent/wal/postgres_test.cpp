// The reader of records against WAL that PostgreSQL wrote, and pg_waldump's word on it.
#include <gtest/gtest.h>

#include "agent/wal/record_reader.h"
#include "common/files/files.h"
#include "tests/support/private_postgres.h"

namespace backstay::wal {
namespace {

TEST(RecordReader, CountsWhatPgWaldumpCounts) {
    backstay::testing::PrivatePostgres postgres;
    postgres.exec("postgres", "CREATE TABLE t (id serial, body text)");
    const std::string first = postgres.ask("postgres", "SELECT pg_walfile_name(pg_switch_wal())");
    const std::string name = postgres.ask("postgres", "SELECT pg_walfile_name(pg_current_wal_insert_lsn())");
    for (int i = 0; i < 200; ++i) {
        postgres.exec("postgres", "INSERT INTO t (body) SELECT repeat(md5(g::text), 20) FROM generate_series(1, 40) g");
    }
    postgres.exec("postgres", "BEGIN; INSERT INTO t DEFAULT VALUES; ROLLBACK; SELECT pg_switch_wal()");
    const std::string folder = postgres.ask("postgres", "SELECT current_setting('data_directory') || '/pg_wal'");
    const auto content = read_file(folder + "/" + name, 64 << 20);
    ASSERT_TRUE(content) << content.error().message();
    RecordReader reader;
    reader.feed(as_bytes(*content));
    const std::string dump = postgres.run("cd " + folder + "; pg_waldump -r Transaction " + name +
                                          " 2>/dev/null | grep -c 'desc: COMMIT' || true");
    EXPECT_GE(reader.commits().count, 100U);
    // pg_waldump finds the commit that the next segment ends, too.
    EXPECT_NEAR(static_cast<double>(reader.commits().count), std::stod(dump), 1.0);
    const TimeMs now = SystemClock().now_ms();
    EXPECT_LE(*reader.commits().last, now);
    EXPECT_GE(*reader.commits().first, now - 120'000);
    EXPECT_LE(*reader.commits().first, *reader.commits().last);
    static_cast<void>(first);
}

}  // namespace
}  // namespace backstay::wal
