// Requests to look into folders of this host, taken and broken off.
#include "agent/storage-desk/storage_desk.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.h"
#include "tests/support/test_server.h"

namespace backstay {
namespace {

using control_plane::StorageRequest;

// A control plane that has bytes to bring and never sends one, and that may be away when it is told something.
struct Reluctant {
    std::vector<std::unique_ptr<http::ResponseStream>> streams;
    std::atomic<int> asked = 0;
    std::atomic<int> gone = 0;
    std::atomic<int> away = 0;  // so many POSTs are not taken
    std::atomic<int> told = 0;  // POSTs, taken or not

    void operator()(std::unique_ptr<http::Exchange> exchange) {
        if (exchange->request().method != "GET") {
            ++told;
            if (away > 0) {
                --away;
                return exchange->respond({503, {}, ""});
            }
            return exchange->respond({200, {}, "{}"});
        }
        auto stream = exchange->open_stream({});
        stream->on_closed([this] { ++gone; });
        streams.push_back(std::move(stream));
        ++asked;
    }
};

bool in_time(const std::function<bool()>& so) {
    const std::int64_t until = steady_ms() + 60'000;
    while (!so() && steady_ms() < until) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return so();
}

class StorageDeskTest : public ::testing::Test {
protected:
    StorageDeskTest()
        : server_([this](std::unique_ptr<http::Exchange> exchange) { plane_(std::move(exchange)); }), desk_([this] {
              AgentConfig config;
              config.local_roots = {folder_.path()};
              return config;
          }) {
        desk_.start();
    }
    ~StorageDeskTest() override {
        desk_.stop();
        server_.run([this] { plane_.streams.clear(); });
    }

    void take(const std::string& action, const std::string& id) {
        StorageRequest request;
        request.action = action;
        request.request_id = id;
        request.key = "file";
        request.destination = {"d", "d", "local", {{"path", folder_.path()}, {"minFreeBytes", 0}}};
        control_plane::ClientConfig contact;
        contact.url = server_.url("");
        contact.credential = "c";
        desk_.take(std::move(request), std::move(contact));
    }

    testing::TempDir folder_;
    Reluctant plane_;
    testing::TestServer server_;
    StorageDesk desk_;
};

TEST_F(StorageDeskTest, BreaksOffWhatNobodyWaitsForAnyMore) {
    take("write", "1");
    take("write", "2");
    ASSERT_TRUE(in_time([&] { return plane_.asked == 2; }));
    take("cancel", "1");
    EXPECT_TRUE(in_time([&] { return plane_.gone == 1; })) << "it would have waited a minute for a byte";
    take("cancel", "unknown");
    EXPECT_EQ(plane_.gone, 1) << "the other goes on";
    take("write", "3");
    EXPECT_TRUE(in_time([&] { return plane_.asked == 3; }));
}

TEST_F(StorageDeskTest, TellsAgainWhileTheControlPlaneIsAway) {
    plane_.away = 2;
    take("stat", "1");
    ASSERT_TRUE(in_time([&] { return plane_.told == 3; })) << "who asked would have waited a minute";
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    EXPECT_EQ(plane_.told, 3) << "once is enough";
}

TEST_F(StorageDeskTest, TellsOfContentThatCouldNotBeSent) {
    std::ofstream(folder_.path() + "/file") << "content";
    plane_.away = 1;
    take("read", "1");
    EXPECT_TRUE(in_time([&] { return plane_.told == 2; })) << "the content, and its failure";
}

TEST_F(StorageDeskTest, BreaksOffEverythingAtItsEnd) {
    for (int i = 0; i < 12; ++i) take("write", std::to_string(i));
    ASSERT_TRUE(in_time([&] { return plane_.asked == 8; })) << "all threads, and some that wait";
    take("cancel", "11");
    desk_.stop();
    EXPECT_TRUE(in_time([&] { return plane_.gone == 8; }));
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path()))
        EXPECT_FALSE(entry.is_regular_file()) << entry.path();
}

}  // namespace
}  // namespace backstay
