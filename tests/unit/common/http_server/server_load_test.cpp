// Many idle event streams at once: what each costs, and that none is forgotten.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fstream>
#include <thread>
#include <vector>

#include "tests/support/raw_client.h"
#include "tests/support/test_server.h"

namespace backstay::http {
namespace {

using testing::RawClient;
using testing::TestServer;

constexpr std::size_t kStreams = 2000;

std::size_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::size_t whole = 0;
    std::size_t resident = 0;
    file >> whole >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void allow_many_files() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ASSERT_GT(limit.rlim_cur, 2 * kStreams + 100) << "the hard limit of open files is too low for this test";
}

TEST(ServerLoad, HoldsTwoThousandIdleStreamsInLittleMemory) {
    allow_many_files();
    std::vector<std::unique_ptr<ResponseStream>> streams;
    TestServer server([&](std::unique_ptr<Exchange> exchange) {
        Response head;
        head.headers.set("Content-Type", "text/event-stream");
        streams.push_back(exchange->open_stream(std::move(head)));
        streams.back()->write(": welcome\n\n");
    });
    const std::string request = "GET /events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + std::string(420, 't') +
                                "\r\nAccept: text/event-stream\r\n\r\n";
    std::vector<RawClient> clients;
    clients.reserve(kStreams);
    const std::size_t before = resident_bytes();
    for (std::size_t i = 0; i < kStreams; ++i) {
        clients.emplace_back(server.port());
        clients.back().send(request);
        ASSERT_TRUE(clients.back().take_until(": welcome\n\n\r\n")) << i;
    }
    EXPECT_EQ(server.connections(), kStreams);
    const std::size_t each = (std::max(resident_bytes(), before) - before) / kStreams;
    EXPECT_LT(each, 12U * 1024U) << "bytes a stream, the client's side included";

    server.run([&] {
        for (auto& stream : streams) EXPECT_TRUE(stream->write("data: tick\n\n"));
    });
    for (auto& client : clients) ASSERT_TRUE(client.take_until("data: tick\n\n\r\n"));
    clients.clear();
    for (const std::int64_t until = steady_ms() + 10'000; server.connections() > 0 && steady_ms() < until;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_EQ(server.connections(), 0U);
    server.run([&] {
        for (auto& stream : streams) EXPECT_FALSE(stream->write("data: nobody\n\n"));
        streams.clear();
    });
    RecordProperty("bytes_per_stream", std::to_string(each));
}

}  // namespace
}  // namespace backstay::http
