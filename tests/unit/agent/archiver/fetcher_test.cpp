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
    Result<> fetch(std::uint64_t number, const std::function<bool()>& gone = {}) {
        const Fd into(::open((folder.path() + "/out").c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        return fetcher->fetch(*wal::parse_wal_name(name_of(number)), into, gone);
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
