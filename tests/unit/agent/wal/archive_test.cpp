#include "agent/wal/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "common/crypto/digest.h"
#include "common/domain/reasons.h"
#include "tests/support/made_wal.h"
#include "tests/support/memory_storage.h"
#include "tests/support/temp_dir.h"

namespace backstay::wal {
namespace {

using backstay::testing::MadeWal;
using backstay::testing::MemoryStorage;
using backstay::testing::TempDir;
using ::testing::HasSubstr;

constexpr TimeMs kNoon = 1'767'355'200'000;
constexpr std::string_view kFolder = "v1/local/clusters/7000000000000000001";

std::string content_of(int seed = 1) {
    MadeWal made;
    std::mt19937 random(static_cast<unsigned>(seed));
    for (int i = 0; i < 200; ++i) {
        made.other(random() % 3000);
        made.commit(kNoon + i * 1000);
    }
    return made.segment();
}

class WalArchive : public ::testing::Test {
protected:
    Result<PackedObject> pack(const std::string& content, const std::string& name, const StreamKey* key = nullptr,
                              int level = 1) {
        Packer packer(level);
        StringSource source(content);
        return packer.pack(source, {parse_wal_name(name).value(), MadeWal().system_id, 1 << 20, key});
    }
    Result<StoredWal> put(const std::string& content, const std::string& name = kName) {
        const auto object = pack(content, name);
        if (!object) return object.error();
        return archive_.put(*object, false);
    }
    std::string get(Archive& archive, const std::string& name = kName) {
        StringSink sink(2 << 20);
        const auto head = archive.get(parse_wal_name(name).value(), sink);
        return head ? sink.text() : "error: " + head.error().message();
    }
    static std::string framed(const std::string& head) {
        std::string frame("\x50\x2A\x4D\x18", 4);
        for (std::size_t i = 0; i < 4; ++i) frame += static_cast<char>(head.size() >> (8 * i) & 255U);
        return frame + head;
    }
    // As agents before format 2 did, with the description of `content` above that of `stored`.
    void store_as_format_1(const std::string& content, std::string stored = {}) {
        storage_.objects().clear();
        ASSERT_TRUE(put(stored.empty() ? content : stored));
        const std::string digest = digest_hex(DigestKind::blake2b, as_bytes(content));
        const std::string now = only_object();
        const auto head_bytes = static_cast<unsigned char>(now[4]) + 256U * static_cast<unsigned char>(now[5]);
        only_object() =
            framed(R"({"format":1,"name":")" + kName +
                   R"(","system_id":"7000000000000000001","segment_bytes":1048576,"bytes":1048576,)" +
                   R"("blake2b":")" + digest + R"(","start_lsn":"0/100000","page_magic":53520,"first_commit":null,)" +
                   R"("last_commit":null,"commits_end":null})") +
            now.substr(8 + head_bytes);
    }
    std::string& only_object() { return storage_.objects().begin()->second.content; }

    inline static const std::string kName = "000000010000000000000001";
    TempDir temp_;
    StreamKey key_ = StreamKey::create(temp_.path() + "/key").value();
    MemoryStorage storage_;
    Archive archive_{storage_, std::string(kFolder), nullptr};
    Archive encrypted_{storage_, std::string(kFolder), &key_};
};

TEST_F(WalArchive, GivesBackWhatWasPut) {
    const std::string content = content_of();
    const auto stored = put(content);
    ASSERT_TRUE(stored) << stored.error().message();
    EXPECT_FALSE(stored->was_there);
    EXPECT_EQ(get(archive_), content);
    const auto head = archive_.head(parse_wal_name(kName).value());
    ASSERT_TRUE(head);
    EXPECT_EQ(head->digest(), digest_hex(DigestKind::blake3, as_bytes(content)));
    EXPECT_EQ(head->start_lsn, "0/100000");
    EXPECT_EQ(head->first_commit->ms, kNoon);
    EXPECT_EQ(head->last_commit->ms, kNoon + 199'000);
    EXPECT_EQ(head->system_id, "7000000000000000001");
}

TEST_F(WalArchive, EncryptsForThoseWhoWantIt) {
    const std::string content = content_of();
    const auto object = pack(content, kName, &key_);
    ASSERT_TRUE(object);
    ASSERT_TRUE(encrypted_.put(*object, true));
    EXPECT_EQ(storage_.objects().count(std::string(kFolder) + "/wal/00000001/0000000100000000/" + kName + ".zst.enc"),
              1U);
    EXPECT_EQ(get(encrypted_), content);
    EXPECT_EQ(encrypted_.head(parse_wal_name(kName).value())->bytes, content.size());
    EXPECT_THAT(get(archive_), HasSubstr("there is no key"));
}

TEST_F(WalArchive, ReadsPlainFilesOfBeforeEncryption) {
    const std::string content = content_of();
    ASSERT_TRUE(put(content));
    EXPECT_EQ(get(encrypted_), content);
    EXPECT_TRUE(encrypted_.head(parse_wal_name(kName).value()));
}

TEST_F(WalArchive, TakesTheSameContentAgainHoweverItIsPacked) {
    const std::string content = content_of();
    ASSERT_TRUE(put(content));
    const auto other_level = pack(content, kName, nullptr, 9);
    const auto again = archive_.put(*other_level, false);
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_TRUE(again->was_there);

    ASSERT_TRUE(encrypted_.put(*pack(content, "000000010000000000000001", &key_), true));
    const auto sealed_again = encrypted_.put(*pack(content, kName, &key_), true);
    ASSERT_TRUE(sealed_again) << sealed_again.error().message();
    EXPECT_TRUE(sealed_again->was_there);
}

TEST_F(WalArchive, ReadsWhatFormat1Stored) {
    const std::string content = content_of();
    store_as_format_1(content);
    EXPECT_EQ(get(archive_), content);
    const auto head = archive_.head(parse_wal_name(kName).value());
    ASSERT_TRUE(head) << head.error().message();
    EXPECT_EQ(head->digest(), digest_hex(DigestKind::blake2b, as_bytes(content)));
    store_as_format_1(content, content_of(2));
    EXPECT_THAT(get(archive_), HasSubstr("its content is not what its description says"));
    // Neither both digests nor the other format's.
    for (const std::string_view head_text : {R"({"format":1,"name":"00000002.history","system_id":"1","blake3":")",
                                             R"({"format":2,"name":"00000002.history","system_id":"1","blake2b":")"}) {
        only_object() = framed(std::string(head_text) + std::string(64, 'a') + "\"}");
        EXPECT_THAT(get(archive_), HasSubstr("of no kind that is known here"));
    }
}

TEST_F(WalArchive, KnowsTheContentThatFormat1Stored) {
    store_as_format_1(content_of(1));
    const std::string before = only_object();
    const auto same = put(content_of(1));
    ASSERT_TRUE(same) << same.error().message();
    EXPECT_TRUE(same->was_there);
    EXPECT_EQ(put(content_of(2)).error().code(), Errc::conflict);
    EXPECT_EQ(only_object(), before);
    const auto sealed = pack(content_of(1), kName, &key_);
    EXPECT_TRUE(encrypted_.is_content(*sealed, digest_hex(DigestKind::blake2b, as_bytes(content_of(1))), true).value());
    EXPECT_TRUE(encrypted_.is_content(*sealed, digest_hex(DigestKind::blake3, as_bytes(content_of(1))), true).value());
    EXPECT_FALSE(encrypted_.is_content(*sealed, digest_hex(DigestKind::blake2b, as_bytes("other")), true).value());
}

TEST_F(WalArchive, RefusesOtherContentUnderAKnownName) {
    ASSERT_TRUE(put(content_of(1)));
    const std::string before = only_object();
    const auto refused = put(content_of(2));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::conflict);
    EXPECT_THAT(refused.error().message(), HasSubstr("was archived before with other content"));
    EXPECT_EQ(only_object(), before);
}

TEST_F(WalArchive, RefusesToReplaceWhatItCannotRead) {
    ASSERT_TRUE(put(content_of(1)));
    only_object()[3] ^= 1;
    const auto refused = put(content_of(1));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::conflict);
}

TEST_F(WalArchive, KeepsBothOfTwoPartialSegments) {
    const std::string name = kName + ".partial";
    ASSERT_TRUE(put(content_of(1), name));
    ASSERT_TRUE(put(content_of(2), name));
    EXPECT_EQ(storage_.objects().size(), 2U);
}

TEST_F(WalArchive, TakesSmallFilesAsTheyAre) {
    ASSERT_TRUE(put("1\t0/3000000\tno recovery target specified\n", "00000002.history"));
    EXPECT_EQ(get(archive_, "00000002.history"), "1\t0/3000000\tno recovery target specified\n");
    EXPECT_EQ(put("1\t0/4000000\tanother\n", "00000002.history").error().code(), Errc::conflict);
    ASSERT_TRUE(put("START WAL LOCATION: 0/2000028\n", kName + ".00000028.backup"));
    ASSERT_TRUE(put("", "00000003.history"));
    EXPECT_EQ(get(archive_, "00000003.history"), "");
}

TEST_F(WalArchive, RefusesSegmentsThatAreNotWhole) {
    const std::string content = content_of();
    EXPECT_EQ(put(content.substr(0, content.size() - 1)).error().code(), Errc::corrupted);
    EXPECT_EQ(put(content + "x").error().code(), Errc::corrupted);
    EXPECT_EQ(put("").error().code(), Errc::corrupted);
    EXPECT_EQ(put(std::string(1 << 20, '\0')).error().code(), Errc::corrupted);
    EXPECT_TRUE(storage_.objects().empty());
}

TEST_F(WalArchive, NeverHandsOverDamagedContent) {
    ASSERT_TRUE(put(content_of()));
    const std::string whole = only_object();
    std::mt19937 random(3);
    for (int round = 0; round < 200; ++round) {
        only_object() = whole;
        only_object()[random() % whole.size()] ^= static_cast<char>(1 + random() % 255);
        StringSink sink(2 << 20);
        const auto head = archive_.get(parse_wal_name(kName).value(), sink);
        EXPECT_TRUE(!head || sink.text() == content_of());
    }
    for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{300}, whole.size() - 1}) {
        only_object() = whole.substr(0, size);
        EXPECT_THAT(get(archive_), HasSubstr("error: ")) << size;
    }
    only_object() = whole + "more";
    EXPECT_THAT(get(archive_), HasSubstr("something follows its end"));
}

TEST_F(WalArchive, TellsAMissingFileFromOtherTrouble) {
    StringSink sink(1);
    EXPECT_EQ(archive_.get(parse_wal_name(kName).value(), sink).error().code(), Errc::not_found);
    EXPECT_EQ(encrypted_.get(parse_wal_name(kName).value(), sink).error().code(), Errc::not_found);
    ASSERT_TRUE(put(content_of()));
    only_object() = "rubbish, and long enough to be read as a frame";
    EXPECT_EQ(archive_.get(parse_wal_name(kName).value(), sink).error().code(), Errc::corrupted);
}

TEST_F(WalArchive, RefusesAnObjectUnderAnothersName) {
    ASSERT_TRUE(put(content_of()));
    auto moved = storage_.objects().extract(storage_.objects().begin());
    moved.key() = std::string(kFolder) + "/wal/00000001/0000000100000000/000000010000000000000002.zst";
    storage_.objects().insert(std::move(moved));
    EXPECT_THAT(get(archive_, "000000010000000000000002"), HasSubstr("000000010000000000000002 holds"));
}

TEST_F(WalArchive, ListsATimelinePageByPage) {
    for (std::uint64_t number = 1; number <= 5; ++number) {
        MadeWal made;
        made.number = number;
        made.commit(kNoon);
        ASSERT_TRUE(put(made.segment(), made.name()));
    }
    ASSERT_TRUE(put("history", "00000002.history"));
    std::vector<std::string> names;
    std::string next;
    do {
        const auto page = archive_.list(1, next, 2);
        ASSERT_TRUE(page);
        for (const ListedWal& listed : page->files) {
            names.push_back(listed.entry.name.text);
            EXPECT_EQ(archive_.head_of(listed)->name, listed.entry.name.text);
        }
        next = page->next;
    } while (!next.empty());
    EXPECT_THAT(names, ::testing::ElementsAre("000000010000000000000001", "000000010000000000000002",
                                              "000000010000000000000003", "000000010000000000000004",
                                              "000000010000000000000005"));
    EXPECT_EQ(archive_.list(0, "")->files.size(), 6U);
}

TEST_F(WalArchive, UsesOnePackerForManyFiles) {
    Packer packer(1);
    for (int seed = 1; seed < 4; ++seed) {
        StringSource broken("rubbish");
        EXPECT_FALSE(packer.pack(broken, {parse_wal_name(kName).value(), MadeWal().system_id, 1 << 20, nullptr}));
        StringSource source(content_of(seed));
        const auto object = packer.pack(source, {parse_wal_name(kName).value(), MadeWal().system_id, 1 << 20, nullptr});
        ASSERT_TRUE(object);
        EXPECT_EQ(object->head.digest(), digest_hex(DigestKind::blake3, as_bytes(content_of(seed))));
        packer.rest();
    }
}

}  // namespace
}  // namespace backstay::wal
