#include "common/crypto/secretstream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "common/domain/reasons.h"
#include "tests/support/streams.h"
#include "tests/support/temp_dir.h"

namespace backstay {

using ::testing::HasSubstr;
using testing::PatternSource;
using testing::TempDir;

namespace {

constexpr std::size_t kChunk = 65'536 + 17;
constexpr std::string_view kKeyText = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

StreamKey key() { return StreamKey::parse(kKeyText).value(); }

std::string pattern(std::uint64_t size) {
    PatternSource source(size, 1);
    return read_all(source, size + 1).value();
}

std::string encrypted(const std::string& plain, const StreamKey& with = key()) {
    StringSink sink(plain.size() + 1'000'000);
    EncryptingSink encrypting(with, sink);
    EXPECT_TRUE(encrypting.write(as_bytes(plain)));
    EXPECT_TRUE(encrypting.finish());
    return sink.take();
}

// Both ways to decrypt must agree.
Result<std::string> decrypted(const std::string& sealed, const StreamKey& with = key()) {
    StringSource source(sealed);
    DecryptingSource decrypting(with, source);
    Result<std::string> pulled = read_all(decrypting, sealed.size());
    StringSink sink(sealed.size());
    DecryptingSink pushing(with, sink);
    const auto push = [&]() -> Result<std::string> {
        for (std::size_t at = 0; at < sealed.size(); at += 10'007) {
            TRY(pushing.write(as_bytes(std::string_view(sealed).substr(at, 10'007))));
        }
        TRY(pushing.finish());
        return sink.take();
    };
    const Result<std::string> pushed = push();
    EXPECT_EQ(pulled.has_value(), pushed.has_value());
    if (pulled && pushed) {
        EXPECT_EQ(*pulled, *pushed);
    } else if (!pulled && !pushed) {
        EXPECT_EQ(pulled.error().code(), pushed.error().code());
    }
    return pulled;
}

void expect_damaged(const std::string& sealed, std::string_view how) {
    const auto text = decrypted(sealed);
    ASSERT_FALSE(text) << how;
    EXPECT_EQ(text.error().code(), Errc::corrupted) << how;
    EXPECT_EQ(text.error().reason(), reason::kDecryptFailed) << how;
}

void write_file(const std::string& path, std::string_view text, mode_t mode) {
    std::ofstream(path) << text;
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
}

}  // namespace

TEST(SecretStream, GivesBackEverySize) {
    for (const std::uint64_t size : {0U, 1U, 65'535U, 65'536U, 65'537U, 131'072U, 300'000U}) {
        const std::string plain = pattern(size);
        const std::string sealed = encrypted(plain);
        EXPECT_EQ(sealed.size(), encrypted_size(size));
        EXPECT_EQ(encrypted_key_id(as_bytes(sealed)), key().id());
        const auto text = decrypted(sealed);
        ASSERT_TRUE(text) << text.error().message();
        EXPECT_TRUE(*text == plain) << size;
    }
}

TEST(SecretStream, IsTheSameForAnyWritePattern) {
    const std::string plain = pattern(200'000);
    StringSink sink(1 << 20);
    EncryptingSink encrypting(key(), sink);
    for (std::size_t at = 0; at < plain.size(); at += 777) {
        ASSERT_TRUE(encrypting.write(as_bytes(std::string_view(plain).substr(at, 777))));
    }
    ASSERT_TRUE(encrypting.finish());
    EXPECT_TRUE(decrypted(sink.text()).value_or("") == plain);
}

TEST(SecretStream, NoticesEveryCut) {
    const std::string sealed = encrypted(pattern(150'000));
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{40}, std::size_t{41}, std::size_t{42},
                                   41 + kChunk, 41 + kChunk - 1, 41 + 2 * kChunk, sealed.size() - 1}) {
        expect_damaged(sealed.substr(0, size), fmt::format("cut to {}", size));
    }
}

TEST(SecretStream, NoticesReorderedRepeatedChangedAndAppendedBytes) {
    const std::string sealed = encrypted(pattern(250'000));
    const std::string head = sealed.substr(0, 41);
    const std::string one = sealed.substr(41, kChunk);
    const std::string two = sealed.substr(41 + kChunk, kChunk);
    const std::string rest = sealed.substr(41 + 2 * kChunk);
    expect_damaged(head + two + one + rest, "reordered");
    expect_damaged(head + one + one + two + rest, "repeated");
    expect_damaged(head + two + rest, "first chunk missing");
    expect_damaged(sealed + "x", "appended");
    expect_damaged(sealed + one, "appended chunk");
    expect_damaged(encrypted("") + "x", "appended to nothing");
    for (const std::size_t at : {std::size_t{0}, std::size_t{8}, std::size_t{20}, std::size_t{41}, sealed.size() - 1}) {
        std::string changed = sealed;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        expect_damaged(changed, fmt::format("changed at {}", at));
    }
}

TEST(SecretStream, NamesTheKeyThatIsNeeded) {
    const auto other = StreamKey::parse(std::string(64, 'a')).value();
    const auto text = decrypted(encrypted("secret"), other);
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code(), Errc::denied);
    EXPECT_EQ(text.error().reason(), reason::kEncryptionKeyMissing);
    EXPECT_THAT(text.error().message(), HasSubstr(key().id()));
    EXPECT_EQ(text.error().message().find(kKeyText), std::string::npos);
}

TEST(SecretStream, IsNoticedInPlainObjects) {
    EXPECT_EQ(encrypted_key_id(as_bytes("(\xB5/\xFD plain zstd or anything else")), "");
    EXPECT_EQ(encrypted_key_id(as_bytes("BACKSTAY")), "");
}

TEST(StreamKey, HasAnIdThatFollowsFromBlake2b) {
    // b2sum -l 256 of the 32 bytes 00 … 1f begins so.
    EXPECT_EQ(key().id(), "cb2f5160fc1f7e05");
}

TEST(StreamKey, IsReadFromHexAndBase64) {
    TempDir folder;
    const std::string path = folder.path() + "/key";
    const std::vector<std::string> spellings = {std::string(kKeyText), fmt::format("{}\n", kKeyText),
                                                "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
                                                "  AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 "};
    for (const std::string& text : spellings) {
        write_file(path, text, 0600);
        const auto loaded = StreamKey::load(path);
        ASSERT_TRUE(loaded) << text << loaded.error().message();
        EXPECT_EQ(loaded->id(), key().id());
    }
}

TEST(StreamKey, IsRefusedWhenOthersMayReadItOrItIsNone) {
    TempDir folder;
    const std::string path = folder.path() + "/key";
    EXPECT_EQ(StreamKey::load(path).error().code(), Errc::not_found);
    EXPECT_EQ(StreamKey::load(path).error().reason(), reason::kEncryptionKeyMissing);
    EXPECT_EQ(StreamKey::load(folder.path()).error().code(), Errc::invalid);
    for (const mode_t mode : {0640U, 0604U, 0660U}) {
        write_file(path, kKeyText, mode);
        EXPECT_EQ(StreamKey::load(path).error().code(), Errc::denied);
    }
    for (const char* text : {"", "abc", "not base64 !", "00", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= x"}) {
        write_file(path, text, 0600);
        const auto loaded = StreamKey::load(path);
        ASSERT_FALSE(loaded) << text;
        EXPECT_EQ(loaded.error().code(), Errc::invalid);
    }
}

TEST(StreamKey, IsCreatedOnceWithASafeMode) {
    TempDir folder;
    const std::string path = folder.path() + "/new";
    const auto made = StreamKey::create(path);
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_EQ(StreamKey::load(path).value().id(), made->id());
    struct stat about {};
    ASSERT_EQ(::stat(path.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777U, 0600U);
    EXPECT_EQ(StreamKey::create(path).error().code(), Errc::conflict);
}

}  // namespace backstay
