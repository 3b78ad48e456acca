#include "control-plane/api/answer.h"

#include <gtest/gtest.h>

namespace backstay::api {
namespace {

std::string text(const http::Response& response) { return std::to_string(response.status) + " " + response.body; }

TEST(Answers, HaveOneErrorBody) {
    EXPECT_EQ(text(error_answer(problem(422, "no_destination", "there is none"))),
              R"(422 {"error":"no_destination","message":"there is none"})");
    EXPECT_EQ(text(error_answer(not_found("backup"))),
              R"(404 {"error":"not_found","message":"there is no such backup"})");
    EXPECT_EQ(text(error_answer(conflict("backup_running", "it runs"))),
              R"(409 {"error":"backup_running","message":"it runs"})");
}

TEST(Answers, NameEveryFieldThatIsWrong) {
    EXPECT_EQ(text(error_answer(problem(json::Faults{{"a", "is required"}, {"b", "must be text"}}))),
              R"(400 {"error":"validation_error","message":"a is required; b must be text",)"
              R"("detail":[{"field":"a","message":"is required"},{"field":"b","message":"must be text"}]})");
    EXPECT_EQ(text(error_answer(rule_broken("invalid_type", "type", "must be db or full"))),
              R"(422 {"error":"invalid_type","message":"must be db or full",)"
              R"("detail":[{"field":"type","message":"must be db or full"}]})");
}

TEST(Answers, KeepTheirStatusWhateverContextIsAdded) {
    Error error = problem(409, "target_busy", "busy");
    error.add_context("order a restore");
    EXPECT_EQ(text(error_answer(error)), R"(409 {"error":"target_busy","message":"order a restore: busy"})");
}

TEST(Answers, GiveOtherErrorsTheStatusOfTheirKind) {
    const auto status = [](Errc code) { return error_answer(Error(code, "m")).status; };
    EXPECT_EQ(status(Errc::invalid), 400);
    EXPECT_EQ(status(Errc::denied), 403);
    EXPECT_EQ(status(Errc::not_found), 404);
    EXPECT_EQ(status(Errc::conflict), 409);
    EXPECT_EQ(status(Errc::cancelled), 409);
    EXPECT_EQ(status(Errc::unavailable), 503);
    EXPECT_EQ(status(Errc::timed_out), 504);
    EXPECT_EQ(status(Errc::exhausted), 507);
    EXPECT_EQ(error_answer(Error(Errc::conflict, "m").with_reason("agent_in_use")).body,
              R"({"error":"agent_in_use","message":"m"})");
}

TEST(Answers, SayNothingOfTheServersOwnTroubles) {
    for (const Errc code : {Errc::io, Errc::corrupted}) {
        const auto answer = error_answer(Error(code, "/var/lib/secret-place").with_reason("odd"));
        EXPECT_EQ(answer.status, 500);
        EXPECT_EQ(answer.body.find("secret-place"), std::string::npos);
        EXPECT_NE(answer.body.find("internal_error"), std::string::npos);
    }
}

}  // namespace
}  // namespace backstay::api
