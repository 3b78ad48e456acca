#include "agent/artifact/reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include "agent/artifact/tar_reader.h"
#include "common/crypto/digest.h"
#include "common/domain/reasons.h"
#include "tests/support/memory_storage.h"
#include "tests/support/streams.h"

namespace backstay {
namespace {

std::string compress(std::string_view text) {
    std::string out(ZSTD_compressBound(text.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
    return out;
}

std::string sample(std::size_t size) {
    testing::PatternSource source(size, 5);
    return *read_all(source, size + 1);
}

ManifestArtifact describe(const std::string& stored) {
    ManifestArtifact artifact;
    artifact.name = "db";
    artifact.path = "database.dump.zst";
    artifact.bytes = stored.size();
    artifact.sha256 = digest_hex(DigestKind::sha256, as_bytes(stored));
    return artifact;
}

struct Stored {
    testing::MemoryStorage storage;
    ManifestArtifact artifact;

    explicit Stored(const std::string& bytes) : artifact(describe(bytes)) { set(bytes); }
    void set(const std::string& bytes) { storage.objects()["f/database.dump.zst"] = {bytes, 0, ""}; }
    Result<std::string> read(const std::optional<StreamKey>& key = std::nullopt) {
        auto reader = TRY(ArtifactReader::open({{"d1", &storage}}, "f", artifact, key));
        return read_all(*reader, 64 << 20);
    }
};

// Gives the first `good` bytes and then breaks off as a lost connection does.
class BreakingStorage final : public Storage {
public:
    BreakingStorage(Storage& whole, std::size_t good) : whole_(whole), good_(good) {}
    std::string_view kind() const override { return "local"; }
    Result<ObjectInfo> put(std::string_view key, Source& content, const PutOptions& options) override {
        return whole_.put(key, content, options);
    }
    Result<> get(std::string_view key, const ByteRange& range, Sink& into) override {
        TRY(whole_.get(key, {range.first, good_}, into));
        return Error(Errc::unavailable, "connection lost").with_reason(reason::kDestinationUnreachable);
    }
    Result<ObjectInfo> stat(std::string_view key) override { return whole_.stat(key); }
    Result<ListPage> list(const ListQuery& query) override { return whole_.list(query); }
    Result<> remove(std::string_view key) override { return whole_.remove(key); }
    Result<std::uint64_t> sweep_leftovers(TimeMs older) override { return whole_.sweep_leftovers(older); }
    Result<std::optional<std::uint64_t>> free_bytes() override { return whole_.free_bytes(); }
    Result<std::optional<std::string>> presign_get(std::string_view key, std::uint32_t seconds,
                                                   std::string_view name) override {
        return whole_.presign_get(key, seconds, name);
    }

private:
    Storage& whole_;
    std::size_t good_;
};

TEST(ArtifactReader, GivesThePlainContent) {
    const std::string text = sample(3'000'000);
    Stored stored(compress(text));
    auto read = stored.read();
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, text);
}

TEST(ArtifactReader, NamesDamageWhateverStageMeetsItFirst) {
    const std::string good = compress(sample(3'000'000));
    for (const std::size_t at : {std::size_t{0}, std::size_t{3}, good.size() / 2, good.size() - 1}) {
        Stored stored(good);
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 1);
        stored.set(bad);
        auto read = stored.read();
        ASSERT_FALSE(read);
        EXPECT_EQ(read.error().code(), Errc::corrupted);
        EXPECT_EQ(read.error().reason(), reason::kChecksumMismatch) << at << " " << read.error().message();
    }
}

TEST(ArtifactReader, RefusesWhatIsShorterOrLonger) {
    const std::string good = compress(sample(500'000));
    for (const std::string& bad : {good.substr(0, good.size() - 1), good.substr(0, 10), good + "x", good + good}) {
        Stored stored(good);
        stored.set(bad);
        auto read = stored.read();
        ASSERT_FALSE(read) << bad.size();
        EXPECT_EQ(read.error().reason(), reason::kChecksumMismatch) << read.error().message();
    }
}

TEST(ArtifactReader, CallsAStreamThatWasStoredBrokenAStructureFault) {
    const std::string good = compress(sample(500'000));
    for (const std::string& bad : {good.substr(0, good.size() / 2), std::string("no zstd at all")}) {
        auto read = Stored(bad).read();
        ASSERT_FALSE(read);
        EXPECT_EQ(read.error().reason(), reason::kStructureInvalid) << read.error().message();
    }
}

TEST(ArtifactReader, GoesOnAtTheNextDestinationWhereOneBreaksOff) {
    const std::string text = sample(3'000'000);
    Stored stored(compress(text));
    BreakingStorage breaking(stored.storage, stored.artifact.bytes / 3);
    auto reader = ArtifactReader::open({{"bad", &breaking}, {"good", &stored.storage}}, "f", stored.artifact, {});
    ASSERT_TRUE(reader);
    auto read = read_all(**reader, 64 << 20);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, text);
    auto alone = ArtifactReader::open({{"bad", &breaking}}, "f", stored.artifact, {});
    EXPECT_EQ(read_all(**alone, 64 << 20).error().reason(), reason::kDestinationUnreachable);
}

TEST(ArtifactReader, MayBeLeftBeforeItsEnd) {
    Stored stored(compress(sample(40'000'000)));
    auto reader = ArtifactReader::open({{"d1", &stored.storage}}, "f", stored.artifact, {});
    std::array<std::byte, 10> few{};
    EXPECT_TRUE((*reader)->read(few));
}

TEST(ArtifactReader, DecryptsUnderTheRightKeyOnly) {
    const auto key = StreamKey::parse(std::string(64, 'a'));
    const auto other = StreamKey::parse(std::string(64, 'b'));
    const std::string text = sample(200'000);
    StringSink sink(1 << 20);
    EncryptingSink encrypting(*key, sink);
    ASSERT_TRUE(encrypting.write(as_bytes(compress(text))));
    ASSERT_TRUE(encrypting.finish());
    Stored stored(sink.take());
    stored.artifact.encryption = "secretstream-xchacha20poly1305:" + key->id();
    auto read = stored.read(*key);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, text);
    EXPECT_EQ(stored.read().error().reason(), reason::kEncryptionKeyMissing);
    EXPECT_EQ(stored.read(*other).error().reason(), reason::kEncryptionKeyMissing);
}

std::string make_tar(const std::vector<std::pair<std::string, std::string>>& files) {
    std::string out(1 << 20, '\0');
    std::size_t used = 0;
    archive* writer = archive_write_new();
    archive_write_set_format_pax_restricted(writer);
    archive_write_open_memory(writer, out.data(), out.size(), &used);
    for (const auto& [path, text] : files) {
        archive_entry* entry = archive_entry_new();
        archive_entry_set_pathname(entry, path.c_str());
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_size(entry, static_cast<la_int64_t>(text.size()));
        archive_write_header(writer, entry);
        archive_write_data(writer, text.data(), text.size());
        archive_entry_free(entry);
    }
    archive_write_close(writer);
    archive_write_free(writer);
    out.resize(used);
    return out;
}

TEST(TarReader, GivesEachMemberWithItsContent) {
    StringSource source(make_tar({{"ab/one", "first"}, {"cd/two", ""}, {"cd/three", sample(100'000)}}));
    std::map<std::string, std::string> found;
    const auto read = read_tar(source, [&](const TarMember& member, Source& content) -> Result<> {
        found[member.path] = TRY(read_all(content, 1 << 20));
        return {};
    });
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(found.size(), 3U);
    EXPECT_EQ(found["ab/one"], "first");
    EXPECT_EQ(found["cd/three"], sample(100'000));
}

TEST(TarReader, RefusesACutArchive) {
    const std::string whole = make_tar({{"ab/one", sample(100'000)}});
    StringSource source(whole.substr(0, 50'000));
    const auto read = read_tar(source, [](const TarMember&, Source& content) -> Result<> {
        TRY(read_all(content, 1 << 20));
        return {};
    });
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().reason(), reason::kStructureInvalid);
}

TEST(TarReader, HandsOnTheErrorOfItsSource) {
    testing::FailingSource source(0);
    const auto read = read_tar(source, [](const TarMember&, Source&) -> Result<> { return {}; });
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().message(), "the producer died");
}

}  // namespace
}  // namespace backstay
