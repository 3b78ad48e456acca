#include "agent/hook/wire.h"

#include <gtest/gtest.h>

namespace backstay::hook {
namespace {

TEST(HookWire, CarriesARequestWhole) {
    Request request;
    request.name = "000000010000000000000001";
    request.system_id = 7'000'000'000'000'000'001ULL;
    request.ready = 300;
    request.free_bytes = 5;
    request.total_bytes = 6;
    for (std::size_t i = 0; i < kAheadMax; ++i) request.ahead.push_back("000000010000000000000002");
    const std::string text = write_request(request);
    EXPECT_LE(text.size(), kMessageMax);
    const auto read = read_request(text);
    ASSERT_TRUE(read);
    EXPECT_FALSE(read->fetch);
    EXPECT_EQ(read->name, request.name);
    EXPECT_EQ(read->system_id, request.system_id);
    EXPECT_EQ(read->ready, 300U);
    EXPECT_EQ(read->ahead, request.ahead);
    EXPECT_EQ(read->descriptors(), 1 + kAheadMax);
    request.fetch = true;
    request.spares = 4;
    const auto fetch = read_request(write_request(request));
    EXPECT_TRUE(fetch->fetch);
    EXPECT_EQ(fetch->descriptors(), 5U);
}

TEST(HookWire, RefusesWhatItDoesNotUnderstand) {
    for (const char* text : {"", "push", "push x", "delete x\n", "\n", "push x\nready many\n", "push x\nready 1x\n",
                             "push x\nspares 1\n", "fetch x\nspares 17\n", "fetch x\nahead y\n"}) {
        EXPECT_FALSE(read_request(text)) << text;
    }
    std::string many = "push x\n";
    for (std::size_t i = 0; i <= kAheadMax; ++i) many += "ahead y\n";
    EXPECT_FALSE(read_request(many));
    EXPECT_TRUE(read_request("push x\nlater word\n")) << "a word of a later version";
}

TEST(HookWire, KeepsAMessageOnOneLine) {
    const Answer answer = read_answer(write_answer({Outcome::failed, "first\nsecond", false}));
    EXPECT_EQ(answer.outcome, Outcome::failed);
    EXPECT_EQ(answer.message, "first second");
    EXPECT_EQ(read_answer(write_answer({Outcome::ok, "", false})).outcome, Outcome::ok);
    EXPECT_FALSE(read_answer(write_answer({Outcome::ok, "", false})).beside);
    EXPECT_TRUE(read_answer(write_answer({Outcome::ok, "", true})).beside);
    EXPECT_EQ(read_answer(write_answer({Outcome::none, "", false})).outcome, Outcome::none);
    EXPECT_EQ(read_answer("rubbish").outcome, Outcome::failed);
    EXPECT_EQ(read_answer("").outcome, Outcome::failed);
    EXPECT_LE(write_answer({Outcome::failed, std::string(9000, 'x'), false}).size(), kMessageMax);
}

}  // namespace
}  // namespace backstay::hook
