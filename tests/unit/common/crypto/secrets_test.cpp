#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "common/crypto/base64url.h"
#include "common/crypto/hmac.h"
#include "common/crypto/secret_box.h"
#include "common/files/files.h"
#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

std::string hex(std::string_view bytes) {
    std::string text;
    for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return text;
}

TEST(Base64Url, WritesWhatTheStandardSays) {
    EXPECT_EQ(base64url_encode(as_bytes("")), "");
    EXPECT_EQ(base64url_encode(as_bytes("f")), "Zg");
    EXPECT_EQ(base64url_encode(as_bytes("fo")), "Zm8");
    EXPECT_EQ(base64url_encode(as_bytes("foo")), "Zm9v");
    EXPECT_EQ(base64url_encode(as_bytes("foobar")), "Zm9vYmFy");
    EXPECT_EQ(base64url_encode(as_bytes("\xfb\xff\xfe")), "-__-");
}

TEST(Base64Url, ReadsBackEveryLength) {
    std::string bytes;
    for (int i = 0; i < 300; ++i) {
        const auto text = base64url_encode(as_bytes(bytes));
        const auto back = base64url_decode(text);
        ASSERT_TRUE(back) << text;
        ASSERT_EQ(*back, bytes);
        bytes += static_cast<char>(i * 37);
    }
}

TEST(Base64Url, RefusesWhatTheEncoderNeverWrites) {
    for (const char* text : {"Zg==", "Z", "Zh", "Zm9", "Zm9vY", "Zm9v\n", " Zm9v", "Zm+v", "Zm/v", "Zm9v.", "Zm8="}) {
        EXPECT_FALSE(base64url_decode(text)) << text;
    }
}

TEST(Hmac, AgreesWithRfc4231) {
    EXPECT_EQ(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hmac, WithSha1AgreesWithRfc2202) {
    EXPECT_EQ(hex(hmac_sha1("Jefe", "what do ya want for nothing?")), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

TEST(Hmac, AnEmptyKeyIsNotTheKeyOfTheLastCall) {
    const std::string empty = hmac_sha256("", "");
    hmac_sha256("another", "");
    EXPECT_EQ(hmac_sha256("", ""), empty);
    EXPECT_EQ(hex(empty), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(ConstantTimeEqual, ComparesAllOfBoth) {
    EXPECT_TRUE(constant_time_equal("", ""));
    EXPECT_TRUE(constant_time_equal("secret", "secret"));
    EXPECT_FALSE(constant_time_equal("secret", "secreT"));
    EXPECT_FALSE(constant_time_equal("secret", "secre"));
}

struct SecretBoxTest : ::testing::Test {
    testing::TempDir folder;
    std::string file = folder.path() + "/secrets.key";
    SecretBox box = std::move(SecretBox::create(file)).value();
};

TEST_F(SecretBoxTest, OpensWhatItSealedAlsoAfterLoading) {
    const std::string sealed = box.seal("hunter2", "destination:1");
    EXPECT_EQ(sealed.find("hunter2"), std::string::npos);
    const auto loaded = SecretBox::load(file);
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_EQ(std::move(loaded->open(sealed, "destination:1")).value_or("?"), "hunter2");
    EXPECT_EQ(std::move(box.open(box.seal("", "x"), "x")).value_or("?"), "");
}

TEST_F(SecretBoxTest, NeverSealsTheSameTextTwice) { EXPECT_NE(box.seal("a", "x"), box.seal("a", "x")); }

TEST_F(SecretBoxTest, RefusesAnotherContextAnotherKeyAndEveryChangedByte) {
    const std::string sealed = box.seal("hunter2", "destination:1");
    EXPECT_EQ(box.open(sealed, "destination:2").error().code(), Errc::corrupted);
    const auto other = SecretBox::from_key(std::string(32, 'k'));
    EXPECT_EQ(other->open(sealed, "destination:1").error().code(), Errc::corrupted);
    for (std::size_t at = 0; at < sealed.size(); ++at) {
        std::string changed = sealed;
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(box.open(changed, "destination:1")) << at;
        EXPECT_FALSE(box.open(sealed.substr(0, at), "destination:1")) << at;
    }
}

TEST_F(SecretBoxTest, KeepsItsKeyFileToItsOwner) {
    struct stat status {};
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    EXPECT_EQ(SecretBox::create(file).error().code(), Errc::conflict);
    ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
    EXPECT_EQ(SecretBox::load(file).error().code(), Errc::denied);
}

TEST_F(SecretBoxTest, RefusesAKeyOfAnotherSize) {
    EXPECT_EQ(SecretBox::from_key("short").error().code(), Errc::invalid);
    ASSERT_TRUE(atomic_write(file, "AAAA\n", 0600));
    EXPECT_EQ(SecretBox::load(file).error().code(), Errc::invalid);
    ASSERT_TRUE(atomic_write(file, "not base64!\n", 0600));
    const auto refused = SecretBox::load(file);
    EXPECT_EQ(refused.error().code(), Errc::invalid);
    EXPECT_EQ(refused.error().message().find("not base64!"), std::string::npos);
}

}  // namespace
}  // namespace backstay
