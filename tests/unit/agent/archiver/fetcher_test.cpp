#include "agent/archiver/fetcher.h"

#include <gtest/gtest.h>

#include "tests/unit/agent/archiver/shelf.h"

namespace backstay::archiver {
namespace {

using testing::Bench;
using testing::eventually;
using testing::MemoryStorage;

struct Fetching : Bench {
    Fetching() : Bench(2) {
        start();
        EXPECT_TRUE(push(1));
        EXPECT_TRUE(push(2));
        EXPECT_TRUE(eventually([&] { return shelves[0].count() == 2 && shelves[1].count() == 2; }));
        for (std::size_t i = 0; i < 2; ++i) owned.push_back(depot(i));
    }
    void open() {
        FetcherParts parts{{owned[0].get(), owned[1].get()}, kSegmentBytes, folder.path(), 2, 4, {}};
        parts.ought_to_be = [this](const wal::WalName& name) -> Result<bool> { return expected.contains(name.text); };
        fetcher = std::make_unique<Fetcher>(std::move(parts));
    }
    std::string out() const { return folder.path() + "/out"; }
    Result<Fd> fetch(std::uint64_t number, std::vector<Fd> spares = {}) {
        FetchOrder order;
        order.name = *wal::parse_wal_name(name_of(number));
        order.user = ::geteuid();
        order.into = Fd(::open(out().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        order.spares = std::move(spares);
        return fetcher->fetch(std::move(order));
    }
    // Until what follows the first was fetched ahead.
    Result<> fetch_first(std::vector<Fd> spares) {
        TRY(fetch(1, std::move(spares)));
        const auto read = [this](std::size_t shelf) { return shelves[shelf].reads(); };
        if (!eventually([&] { return read(0) + read(1) >= 2; })) return Error(Errc::timed_out, "not fetched ahead");
        return {};
    }
    static std::vector<Fd> one(const std::string& path, int flags) {
        std::vector<Fd> one;
        one.emplace_back(::open(path.c_str(), flags | O_CLOEXEC, 0600));
        return one;
    }
    void empty(std::size_t shelf) {
        shelves[shelf].with([](MemoryStorage& storage) { storage.objects().clear(); });
    }
    std::set<std::string> expected;
    std::vector<std::unique_ptr<Depot>> owned;
    std::unique_ptr<Fetcher> fetcher;
};

TEST(Fetcher, GivesBackWhatWasArchived) {
    Fetching bench;
    bench.open();
    ASSERT_TRUE(bench.fetch(1));
    EXPECT_EQ(*read_file(bench.folder.path() + "/out"), Bench::segment(1));
    ASSERT_TRUE(bench.fetch(2));
    const auto none = bench.fetch(3);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code(), Errc::not_found);
}

TEST(Fetcher, HandsOverSparesWithoutCopyingThem) {
    Fetching bench;
    bench.open();
    std::vector<Fd> spares = bench.one(bench.folder.path(), O_TMPFILE | O_RDWR);
    const auto spare = identify(spares.front());
    ASSERT_TRUE(bench.fetch_first(std::move(spares)));
    const auto second = bench.fetch(2);
    ASSERT_TRUE(second) << second.error().message();
    ASSERT_GE(second->get(), 0);
    EXPECT_EQ(identify(*second)->inode, spare->inode);
    DescriptorSource content(*second);
    EXPECT_EQ(*read_all(content, 2 << 20), Bench::segment(2));
    EXPECT_EQ(*read_file(bench.out()), "") << "nothing was copied";
}

TEST(Fetcher, TrustsNothingInTheSpareOfAnother) {
    Fetching bench;
    bench.open();
    // Of another file system; he can still write to it.
    FetchOrder other;
    other.name = *wal::parse_wal_name(Bench::name_of(1));
    other.user = ::geteuid();
    other.into = Fd(::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    other.spares = bench.one("/dev/shm", O_TMPFILE | O_RDWR);
    const Fd same(::dup(other.spares.front().get()));
    ASSERT_TRUE(bench.fetcher->fetch(std::move(other)));
    struct stat about {};
    const auto whole = static_cast<off_t>(Bench::segment(2).size());
    const auto is_there = [&] { return ::fstat(same.get(), &about) == 0 && about.st_size == whole; };
    ASSERT_TRUE(eventually(is_there)) << "fetched ahead";
    ASSERT_EQ(::pwrite(same.get(), "false", 5, 100), 5);
    const auto second = bench.fetch(2);
    ASSERT_TRUE(second) << second.error().message();
    EXPECT_LT(second->get(), 0);
    EXPECT_EQ(*read_file(bench.out()), Bench::segment(2));
}

TEST(Fetcher, TakesNoSparesBesideTheFileOfAnotherUser) {
    Fetching bench;
    bench.open();
    FetchOrder order;
    order.name = *wal::parse_wal_name(Bench::name_of(1));
    order.user = ::geteuid() + 1;
    order.into = Fd(::open(bench.out().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    order.spares = bench.one(bench.folder.path(), O_TMPFILE | O_RDWR);
    ASSERT_TRUE(bench.fetcher->fetch(std::move(order)));
    const auto second = bench.fetch(2);
    ASSERT_TRUE(second) << second.error().message();
    EXPECT_LT(second->get(), 0) << "not handed what may be another's";
}

TEST(Fetcher, TakesNoSparesThatHaveANameOrAContent) {
    Fetching bench;
    bench.open();
    const std::string named = bench.write("named", "");
    std::vector<Fd> spares = bench.one(named, O_RDWR);
    spares.push_back(std::move(bench.one(bench.folder.path(), O_TMPFILE | O_RDWR).front()));
    ASSERT_EQ(::pwrite(spares.back().get(), "x", 1, 0), 1);
    spares.push_back(std::move(bench.one(bench.folder.path(), O_TMPFILE | O_WRONLY).front()));
    ASSERT_TRUE(bench.fetch_first(std::move(spares)));
    const auto second = bench.fetch(2);
    ASSERT_TRUE(second) << second.error().message();
    EXPECT_LT(second->get(), 0);
    EXPECT_EQ(*read_file(bench.out()), Bench::segment(2));
    EXPECT_EQ(*read_file(named), "");
}

TEST(Fetcher, DoesNotTakeADiskThatIsNotMountedForTheEnd) {
    Fetching bench;
    // The one that has it is not mounted; the other lacks it.
    bench.empty(0);
    bench.shelves[1].with([](MemoryStorage& storage) { storage.objects().erase(std::prev(storage.objects().end())); });
    bench.expected.insert(Bench::name_of(2));
    bench.open();
    ASSERT_TRUE(bench.fetch(1));
    const auto none = bench.fetch(2);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code(), Errc::unavailable) << none.error().message();
    const auto end = bench.fetch(3);
    ASSERT_FALSE(end);
    EXPECT_EQ(end.error().code(), Errc::not_found) << "a destination that is new holds nothing yet";
}

TEST(Fetcher, EndsNoRecoveryWhenNoArchiveIsThere) {
    Fetching bench;
    bench.empty(0);
    bench.empty(1);
    bench.open();
    const auto none = bench.fetch(1);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code(), Errc::unavailable);
}

}  // namespace
}  // namespace backstay::archiver
