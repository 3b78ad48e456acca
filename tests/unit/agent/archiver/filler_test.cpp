#include "agent/archiver/filler.h"

#include <gtest/gtest.h>

#include "tests/unit/agent/archiver/shelf.h"

namespace backstay::archiver {
namespace {

using testing::Bench;
using testing::eventually;
using testing::MemoryStorage;

// A bench whose archiver has stored segments, and the filler of a later life.
struct Filling : Bench {
    explicit Filling(std::size_t count) : Bench(count) {
        for (std::size_t i = 0; i < count; ++i) owned.push_back(depot(i));
    }
    void archive(std::uint64_t from, std::uint64_t to) {
        start();
        for (std::uint64_t number = from; number <= to; ++number) {
            const auto pushed = push(number);
            EXPECT_TRUE(pushed) << pushed.error().message();
        }
        archiver.reset();
        EXPECT_TRUE(recorder->flush({}, 30'000));
    }
    void fill(std::optional<WalSegment> newest) {
        std::vector<Depot*> depots;
        for (const auto& one : owned) depots.push_back(one.get());
        filler = std::make_unique<Filler>(FillerParts{state(), std::string(kSystem), std::move(depots), *recorder,
                                                      std::move(newest), std::chrono::milliseconds(20)});
    }
    std::vector<WalSegment> rows() {
        auto database = open_state(state());
        return *WalRepository(*database).segments(std::string(kSystem), 1, 0, 10'000);
    }
    void forget(std::uint64_t number) {
        auto database = open_state(state());
        static_cast<void>(database->run("DELETE FROM wal_segments WHERE number = $1", {number}));
    }
    std::optional<WalSegment> newest() {
        auto database = open_state(state());
        return WalRepository(*database).totals(std::string(kSystem))->newest;
    }
    std::vector<std::unique_ptr<Depot>> owned;
    std::unique_ptr<Filler> filler;
};

TEST(Filler, ReadsBackWhatACrashLeftUnnotedThoughMoreWasPushedSince) {
    Filling bench(1);
    bench.archive(1, 5);
    bench.forget(4);
    bench.forget(5);
    const auto newest = bench.newest();
    bench.archive(6, 6);
    bench.fill(newest);
    EXPECT_TRUE(eventually([&] { return bench.rows().size() == 6; }));
}

TEST(Filler, ReadsBackAHoleInTheLastStretch) {
    Filling bench(1);
    bench.archive(1, 6);
    bench.forget(3);
    bench.fill(bench.newest());
    EXPECT_TRUE(eventually([&] { return bench.rows().size() == 6; }));
}

TEST(Filler, ReadsBackFromEveryDestination) {
    Filling bench(2);
    bench.archive(1, 2);
    const auto newest = bench.newest();
    bench.shelves[0].break_with(Error(Errc::unavailable, "unplugged"));
    bench.archive(3, 4);
    bench.shelves[0].break_with(std::nullopt);
    bench.forget(3);
    bench.forget(4);
    bench.fill(newest);
    EXPECT_TRUE(eventually([&] { return bench.rows().size() == 4; }));
}

TEST(Filler, NotesNothingBehindAHole) {
    Filling bench(1);
    bench.archive(1, 5);
    bench.forget(4);
    bench.forget(5);
    const auto newest = bench.newest();
    bench.shelves[0].with([](MemoryStorage& storage) {
        std::erase_if(storage.objects(),
                      [](const auto& one) { return one.first.find(Bench::name_of(4)) != std::string::npos; });
    });
    bench.forget(2);
    bench.fill(newest);
    EXPECT_TRUE(eventually([&] { return bench.rows().size() == 3; }));
    EXPECT_EQ(bench.rows().back().number, 3U);
}

TEST(Filler, BringsWhatADestinationLacksPastWhatCannotBeHad) {
    Filling bench(2);
    bench.shelves[1].break_with(Error(Errc::unavailable, "unplugged"));
    bench.archive(1, 3);
    ASSERT_EQ(bench.lacks(1).size(), 3U);
    {
        // More than are looked at together, none of which is anywhere; and as many of another cluster.
        auto database = open_state(bench.state());
        for (int i = 0; i < 100; ++i) {
            const std::string name = fmt::format("{:024X}", (1ULL << 32) + static_cast<std::uint64_t>(i));
            for (const char* system : {"6", "7000000000000000001"}) {
                ASSERT_TRUE(
                    WalRepository(*database).put_lack({"d1", system, "00000001" + name.substr(8), "d", 1, false, ""}));
            }
        }
    }
    bench.shelves[1].break_with(std::nullopt);
    bench.fill(bench.newest());
    EXPECT_TRUE(eventually([&] { return bench.shelves[1].count() == 3; }));
}

}  // namespace
}  // namespace backstay::archiver
