// Every file of tests/corpus/http, sent to the real server.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/raw_client.h"
#include "tests/support/test_server.h"

namespace backstay::http {
namespace {

using testing::RawAnswer;
using testing::RawClient;
using testing::TestServer;

struct Sample {
    std::string name;
    int status = 0;
    int answers = 1;
    std::string bytes;
};

std::vector<Sample> samples() {
    std::vector<Sample> all;
    for (const auto& entry : std::filesystem::directory_iterator(BACKSTAY_HTTP_CORPUS)) {
        if (entry.path().extension() != ".http") continue;
        std::ifstream file(entry.path(), std::ios::binary);
        Sample sample;
        sample.name = entry.path().stem().string();
        sample.status = std::stoi(sample.name.substr(0, 3));
        sample.answers = sample.name.starts_with("200x2") ? 2 : 1;
        sample.bytes.assign(std::istreambuf_iterator<char>(file), {});
        all.push_back(std::move(sample));
    }
    return all;
}

struct ServerCorpus : ::testing::Test {
    int handed = 0;
    TestServer server{[this](std::unique_ptr<Exchange> exchange) {
        ++handed;
        EXPECT_NE(exchange->request().path, "/smuggled");
        exchange->respond({200, {}, "ok"});
    }};

    void expect(const Sample& sample, std::size_t piece) {
        SCOPED_TRACE(sample.name + " in pieces of " + std::to_string(piece));
        server.run([&] { handed = 0; });
        RawClient client(server.port());
        for (std::size_t at = 0; at < sample.bytes.size(); at += piece) {
            if (!client.send(std::string_view(sample.bytes).substr(at, piece))) break;
        }
        for (int i = 0; i < sample.answers; ++i) {
            EXPECT_EQ(client.read_answer().value_or(RawAnswer{}).status, sample.status);
        }
        if (sample.status == 200) client.half_close();
        EXPECT_TRUE(client.closed());
        server.run([&] { EXPECT_EQ(handed, sample.status == 200 ? sample.answers : 0); });
    }
};

TEST_F(ServerCorpus, AnswersEachSampleAsItsNameSays) {
    const std::vector<Sample> all = samples();
    ASSERT_GE(all.size(), 100U);
    for (const Sample& sample : all) {
        expect(sample, sample.bytes.size());
        expect(sample, sample.bytes.size() > 2000 ? 97 : 1);
    }
}

}  // namespace
}  // namespace backstay::http
