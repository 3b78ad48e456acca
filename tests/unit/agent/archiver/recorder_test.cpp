#include "agent/archiver/recorder.h"

#include <gtest/gtest.h>

#include "tests/unit/agent/archiver/shelf.h"

namespace backstay::archiver {
namespace {

using testing::Bench;

NotedFile noted(std::uint64_t number, std::uint64_t segment_bytes = Bench::kSegmentBytes) {
    NotedFile file;
    file.name = *wal::parse_wal_name(Bench::name_of(number));
    file.head.system_id = Bench::kSystem;
    file.head.segment_bytes = segment_bytes;
    file.head.blake3 = "d";
    return file;
}

TEST(Recorder, WritesTheOthersWhenOneCannotBeWritten) {
    Bench bench(1);
    bench.recorder->stored(noted(1));
    bench.recorder->stored(noted(2, 12345));
    bench.recorder->stored(noted(3));
    ASSERT_TRUE(bench.recorder->flush({}, 30'000));
    auto database = open_state(bench.state());
    EXPECT_EQ(WalRepository(*database).segments(std::string(Bench::kSystem), 1, 0, 10)->size(), 2U);
}

TEST(Recorder, DoesNotWaitForEverForAStateThatRefuses) {
    Bench bench(1);
    auto database = open_state(bench.state());
    // Another process holds it: worth another try, again and again.
    ASSERT_TRUE(database->run("BEGIN IMMEDIATE", {}));
    bench.recorder->stored(noted(1));
    const auto flushed = bench.recorder->flush({}, 300);
    ASSERT_FALSE(flushed);
    EXPECT_EQ(flushed.error().code(), Errc::timed_out);
    std::stop_source stop;
    stop.request_stop();
    const auto stopped = bench.recorder->flush(stop.get_token(), 30'000);
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code(), Errc::cancelled);
    ASSERT_TRUE(database->run("ROLLBACK", {}));
}

TEST(Recorder, AnswersWhenUrgentRowsAreOnDisk) {
    Bench bench(1);
    auto written =
        bench.recorder->lacking_now({{"d0", std::string(Bench::kSystem), Bench::name_of(1), "d", 1, false, ""}});
    ASSERT_EQ(written.wait_for(std::chrono::seconds(30)), std::future_status::ready);
    EXPECT_TRUE(written.get());
    EXPECT_EQ(bench.lacks(0).size(), 1U);
}

}  // namespace
}  // namespace backstay::archiver
