#include "common/event/byte_pipe.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace backstay {
namespace {

TEST(BytePipe, CarriesBytesInOrderBetweenThreadsWithinItsBuffer) {
    BytePipe pipe({1000, 5000});
    std::string sent;
    for (int i = 0; i < 20'000; ++i) sent += std::to_string(i);
    std::thread writer([&] {
        PipeSink sink(pipe);
        EXPECT_TRUE(sink.write(as_bytes(sent)).has_value());
        EXPECT_TRUE(sink.finish().has_value());
    });
    PipeSource source(pipe);
    const auto got = read_all(source, 1 << 20);
    writer.join();
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(*got, sent);
}

TEST(BytePipe, GivesWhatIsThereBeforeTheErrorThatBrokeItOff) {
    BytePipe pipe;
    EXPECT_TRUE(pipe.offer("abc"));
    pipe.fail(Error(Errc::unavailable, "gone"));
    pipe.finish();
    const auto first = pipe.take(100);
    EXPECT_EQ(first.bytes, "abc");
    EXPECT_FALSE(first.failed);
    const auto last = pipe.take(100);
    EXPECT_FALSE(last.ended);
    ASSERT_TRUE(last.failed);
    EXPECT_EQ(last.failed->message(), "gone");
    std::byte buffer[4];
    EXPECT_EQ(pipe.read(buffer).error().message(), "gone");
}

TEST(BytePipe, TellsTheWriterWhyNobodyReadsAnyMore) {
    BytePipe pipe({10, 5000});
    std::thread reader([&] { pipe.close(Error(Errc::cancelled, "left")); });
    const auto written = pipe.write(as_bytes(std::string(100, 'x')));
    reader.join();
    ASSERT_FALSE(written.has_value());
    EXPECT_EQ(written.error().message(), "left");
    EXPECT_FALSE(pipe.offer("x"));
    EXPECT_FALSE(pipe.full());
}

TEST(BytePipe, WaitsOnlySoLong) {
    BytePipe pipe({10, 30});
    std::byte buffer[4];
    EXPECT_EQ(pipe.read(buffer).error().code(), Errc::timed_out);
    EXPECT_EQ(pipe.write(as_bytes(std::string(100, 'x'))).error().code(), Errc::timed_out);
}

TEST(BytePipe, CallsTheSideThatMustNotWait) {
    BytePipe pipe({10, 5000});
    std::atomic<int> told = 0;
    pipe.on_change([&] { ++told; });
    EXPECT_TRUE(pipe.write(as_bytes(std::string_view("abc"))).has_value());
    EXPECT_EQ(told, 1);
    EXPECT_TRUE(pipe.offer(std::string(20, 'x')));
    EXPECT_TRUE(pipe.full());
    std::byte buffer[16];
    EXPECT_EQ(*pipe.read(buffer), 16U);
    EXPECT_EQ(told, 2);
    EXPECT_FALSE(pipe.full());
}

}  // namespace
}  // namespace backstay
