#include "agent/archiver/spool.h"

#include <gtest/gtest.h>

#include "tests/unit/agent/archiver/shelf.h"

namespace backstay::archiver {
namespace {

using testing::Bench;

wal::PackedObject pack(TimeMs commit) {
    wal::Packer packer(1);
    wal::PackOrder order;
    order.name = *wal::parse_wal_name(Bench::name_of(1));
    order.system_id = 7'000'000'000'000'000'001ULL;
    order.segment_bytes = Bench::kSegmentBytes;
    const std::string text = Bench::segment(1, commit);
    StringSource content(text);
    return *packer.pack(content, order);
}

TEST(Spool, TakesTheSameContentTwiceAndOtherContentNever) {
    const backstay::testing::TempDir folder;
    Spool spool(folder.path() + "/a/b", 1 << 20, nullptr);
    const std::string file = Bench::name_of(1) + ".zst";
    const wal::PackedObject first = pack(1'700'000'000'000);
    ASSERT_TRUE(spool.put(file, first));
    EXPECT_TRUE(spool.put(file, first));
    const auto other = spool.put(file, pack(1'600'000'000'000));
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code(), Errc::conflict);
    EXPECT_EQ(as_text(spool.get(file)->bytes()), as_text(first.bytes.bytes()));
}

TEST(Spool, TakesNothingForGrantedThatItCannotRead) {
    const backstay::testing::TempDir folder;
    Spool spool(folder.path(), 1 << 20, nullptr);
    const std::string file = Bench::name_of(1) + ".zst";
    ASSERT_TRUE(atomic_write(folder.path() + "/" + file, "rubbish"));
    EXPECT_FALSE(spool.put(file, pack(1'700'000'000'000)));
}

TEST(Spool, IsFullWhenItSaysSo) {
    const backstay::testing::TempDir folder;
    Spool spool(folder.path(), 10, nullptr);
    const auto put = spool.put(Bench::name_of(1) + ".zst", pack(1'700'000'000'000));
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code(), Errc::exhausted);
    EXPECT_TRUE(spool.files()->empty());
}

}  // namespace
}  // namespace backstay::archiver
