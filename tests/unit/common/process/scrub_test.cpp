#include "common/process/scrub.h"

#include <gtest/gtest.h>

namespace backstay {
namespace {

TEST(Scrub, RemovesKnownSecretsWhereverTheyStand) {
    EXPECT_EQ(scrub("login hunter22 failed for hunter22", {"hunter22"}), "login *** failed for ***");
    EXPECT_EQ(scrub("a cat", {"a"}), "a cat") << "a secret that short would tear ordinary words apart";
}

TEST(Scrub, RemovesPasswordsOfConnectionStrings) {
    EXPECT_EQ(scrub("host=x password=geheim port=1", {}), "host=x password=*** port=1");
    EXPECT_EQ(scrub("password='two words' port=1", {}), "password='***' port=1");
    EXPECT_EQ(scrub("postgresql://odoo:geheim@db/x and http://host:80/a@b", {}),
              "postgresql://odoo:***@db/x and http://host:80/a@b");
    EXPECT_EQ(scrub("password=", {}), "password=***");
}

}  // namespace
}  // namespace backstay
