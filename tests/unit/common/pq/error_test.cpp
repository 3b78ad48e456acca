#include "common/pq/error.h"

#include <gtest/gtest.h>

#include "common/domain/reasons.h"

namespace backstay::pq {
namespace {

TEST(PqError, TellsByTheStateWhatKindOfFailureItIs) {
    EXPECT_EQ(error_of_state("28P01", "no").reason(), reason::kDbAuthFailed);
    EXPECT_EQ(error_of_state("3D000", "no").reason(), reason::kDbNotFound);
    EXPECT_EQ(error_of_state("57P03", "no").reason(), reason::kDbUnreachable);
    EXPECT_EQ(error_of_state("53100", "no").reason(), reason::kDiskSpaceLow);
    EXPECT_EQ(error_of_state("55P03", "no").code(), Errc::timed_out);
    EXPECT_EQ(error_of_state("42501", "no").code(), Errc::denied);
    EXPECT_EQ(error_of_state("22012", "no").code(), Errc::io);
}

TEST(PqError, KeepsTheStateAsAFact) { EXPECT_EQ(error_of_state("22012", "no").facts().at("sqlstate"), "22012"); }

}  // namespace
}  // namespace backstay::pq
