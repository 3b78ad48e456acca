#include "common/pq/quote.h"

#include <gtest/gtest.h>

namespace backstay::pq {
namespace {

TEST(Quote, DoublesTheQuotesInsideAnIdentifier) {
    EXPECT_EQ(quote_identifier("plain"), "\"plain\"");
    EXPECT_EQ(quote_identifier("a\"; DROP DATABASE b; --"), "\"a\"\"; DROP DATABASE b; --\"");
}

TEST(Quote, MakesALiteralThatMeansTheSameUnderEverySetting) {
    EXPECT_EQ(quote_literal("it's"), "'it''s'");
    EXPECT_EQ(quote_literal("a\\b"), "E'a\\\\b'");
    EXPECT_EQ(quote_literal("\\'"), "E'\\\\'''");
}

}  // namespace
}  // namespace backstay::pq
