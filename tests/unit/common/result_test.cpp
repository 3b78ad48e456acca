#include "common/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace backstay {
namespace {

Result<std::unique_ptr<int>> make(bool ok) {
    if (!ok) return Error(Errc::not_found, "no int");
    return std::make_unique<int>(7);
}

Result<int> twice(bool ok) {
    auto value = TRY(make(ok).context("make an int"));
    return *value * TRY(Result<int>(2));
}

TEST(Result, TryHandsOnMoveOnlyValues) { EXPECT_EQ(*twice(true), 14); }

TEST(Result, TryReturnsTheErrorWithItsContext) {
    const auto result = twice(false);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message(), "make an int: no int");
    EXPECT_EQ(result.error().code(), Errc::not_found);
}

TEST(Result, ContextKeepsTheMessage) {
    // A self-move in context() once emptied it.
    auto result = Result<int>(Error(Errc::io, "disk")).context("read").context("copy");
    EXPECT_EQ(result.error().message(), "copy: read: disk");
}

TEST(Result, TheFirstReasonWins) {
    auto result = Result<>(Error(Errc::denied, "no").with_reason("db_auth_failed")).reason("preflight_failed");
    EXPECT_EQ(result.error().reason(), "db_auth_failed");
}

TEST(Result, CleanUpFailuresAreAppended) {
    Error first(Errc::io, "write failed");
    first.followed_by(Error(Errc::denied, "remove failed"));
    EXPECT_EQ(first.message(), "write failed; then remove failed");
}

TEST(Result, ErrnoBecomesACategory) {
    EXPECT_EQ(Error::from_errno(ENOSPC, "write").code(), Errc::exhausted);
    EXPECT_EQ(Error::from_errno(ENOENT, "open").code(), Errc::not_found);
    EXPECT_TRUE(Error::from_errno(ECONNREFUSED, "connect").transient());
}

}  // namespace
}  // namespace backstay
