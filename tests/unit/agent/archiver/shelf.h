// A destination of a test: kept in memory, shared by all who open it, and held up or broken by hand. And an archiver of
// one cluster over some of them.
#pragma once

#include <fcntl.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "agent/archiver/archiver.h"
#include "agent/state/state.h"
#include "common/files/files.h"
#include "tests/support/fake_clock.h"
#include "tests/support/made_wal.h"
#include "tests/support/memory_storage.h"
#include "tests/support/temp_dir.h"

namespace backstay::archiver::testing {

using backstay::testing::MadeWal;
using backstay::testing::MemoryStorage;

inline bool eventually(const std::function<bool()>& true_at_last) {
    const std::int64_t deadline = steady_ms() + 30'000;
    while (!true_at_last()) {
        if (steady_ms() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

class Shelf {
public:
    // Puts wait, or go on again.
    void hold(bool held) {
        const std::lock_guard lock(mutex_);
        held_ = held;
        changed_.notify_all();
    }
    void break_with(std::optional<Error> error) {
        const std::lock_guard lock(mutex_);
        error_ = std::move(error);
    }
    std::size_t waiting() const {
        const std::lock_guard lock(mutex_);
        return waiting_;
    }
    bool has(const std::string& name) const {
        const std::lock_guard lock(mutex_);
        for (const auto& [key, object] : storage_.objects()) {
            if (key.find(name) != std::string::npos) return true;
        }
        return false;
    }
    std::size_t reads() const {
        const std::lock_guard lock(mutex_);
        return reads_;
    }
    std::size_t count() const {
        const std::lock_guard lock(mutex_);
        return storage_.objects().size();
    }
    template <class Act>
    auto with(Act act) {
        const std::lock_guard lock(mutex_);
        return act(storage_);
    }
    OpenStorage opener() {
        return [this](const DestinationOrder&, std::stop_token stop) -> Result<std::unique_ptr<Storage>> {
            return std::unique_ptr<Storage>(std::make_unique<Opened>(*this, std::move(stop)));
        };
    }

private:
    class Opened final : public Storage {
    public:
        Opened(Shelf& shelf, std::stop_token stop) : shelf_(shelf), stop_(std::move(stop)) {}
        std::string_view kind() const override { return "local"; }
        Result<ObjectInfo> put(std::string_view key, Source& content, const PutOptions& options) override {
            std::unique_lock lock(shelf_.mutex_);
            ++shelf_.waiting_;
            shelf_.changed_.wait(lock, stop_, [&] { return !shelf_.held_; });
            --shelf_.waiting_;
            if (stop_.stop_requested()) return Error(Errc::cancelled, "stopped");
            if (shelf_.error_) return *shelf_.error_;
            return shelf_.storage_.put(key, content, options);
        }
        Result<> get(std::string_view key, const ByteRange& range, Sink& into) override {
            const std::lock_guard lock(shelf_.mutex_);
            ++shelf_.reads_;
            if (shelf_.error_) return *shelf_.error_;
            return shelf_.storage_.get(key, range, into);
        }
        Result<ObjectInfo> stat(std::string_view key) override {
            const std::lock_guard lock(shelf_.mutex_);
            return shelf_.storage_.stat(key);
        }
        Result<ListPage> list(const ListQuery& query) override {
            const std::lock_guard lock(shelf_.mutex_);
            if (shelf_.error_) return *shelf_.error_;
            return shelf_.storage_.list(query);
        }
        Result<> remove(std::string_view key) override {
            const std::lock_guard lock(shelf_.mutex_);
            return shelf_.storage_.remove(key);
        }
        Result<std::uint64_t> sweep_leftovers(TimeMs) override { return std::uint64_t{0}; }
        Result<std::optional<std::uint64_t>> free_bytes() override { return std::optional<std::uint64_t>(); }
        Result<std::optional<std::string>> presign_get(std::string_view, std::uint32_t, std::string_view) override {
            return std::optional<std::string>();
        }

    private:
        Shelf& shelf_;
        std::stop_token stop_;
    };

    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    mutable MemoryStorage storage_;
    bool held_ = false;
    std::size_t waiting_ = 0;
    std::size_t reads_ = 0;
    std::optional<Error> error_;
};

// Beside its shelves: the agent's state, and WAL of one cluster.
struct Bench {
    static constexpr std::string_view kSystem = "7000000000000000001";
    static constexpr std::uint64_t kSegmentBytes = 1 << 20;

    explicit Bench(std::size_t count) : shelves(count) {
        config.cluster = "main";
        static_cast<void>(recorder->cluster({std::string(kSystem), "main", archive_folder, kSegmentBytes, 0, 1, 1}));
    }

    std::string state() const { return folder.path() + "/state"; }
    std::string spool() const { return folder.path() + "/spool"; }

    std::unique_ptr<Depot> depot(std::size_t i, std::uint64_t waiting_bytes_max = 96 << 20) {
        DepotParts parts;
        parts.order.id = "d" + std::to_string(i);
        parts.folder = archive_folder;
        parts.open = shelves[i].opener();
        parts.threads = 2;
        parts.waiting_bytes_max = waiting_bytes_max;
        return std::make_unique<Depot>(std::move(parts));
    }
    void start(std::uint64_t waiting_bytes_max = 96 << 20) {
        ArchiverParts parts{
            config, std::string(kSystem), archive_folder, kSegmentBytes, spool(), nullptr, {}, *recorder, clock, 2};
        for (std::size_t i = 0; i < shelves.size(); ++i) parts.depots.push_back(depot(i, waiting_bytes_max));
        archiver = std::make_unique<Archiver>(std::move(parts));
    }

    std::string write(const std::string& name, const std::string& content) const {
        const std::string path = folder.path() + "/" + name;
        static_cast<void>(atomic_write(path, content));
        return path;
    }
    static std::string segment(std::uint64_t number, TimeMs commit = 1'700'000'000'000, std::size_t bytes = 100) {
        MadeWal made;
        made.number = number;
        made.commit(commit);
        made.other(bytes);
        return made.segment();
    }
    static std::string name_of(std::uint64_t number) { return wal::segment_name(1, number, kSegmentBytes); }
    PushedFile file(const std::string& name, const std::string& content) const {
        const std::string path = write(name, content);
        return {*wal::parse_wal_name(name), Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC))};
    }
    Result<> push(const std::string& name, const std::string& content) {
        PushOrder order;
        order.file = file(name, content);
        order.ready = ready;
        return archiver->push(std::move(order));
    }
    Result<> push(std::uint64_t number) { return push(name_of(number), segment(number)); }

    // As a crash would find it: without what waits to be noted.
    std::vector<WalLack> lacks(std::size_t shelf) const {
        auto database = open_state(state());
        std::vector<WalLack> all;
        auto row = database->query(
            "SELECT name, digest, conflict, why FROM wal_lacking WHERE destination_id = $1 ORDER BY name",
            {"d" + std::to_string(shelf)});
        while (row && *row->step()) {
            WalLack lack;
            lack.name = row->text(0);
            lack.digest = row->text(1);
            lack.conflict = row->integer(2) != 0;
            lack.why = row->text(3);
            all.push_back(std::move(lack));
        }
        return all;
    }

    backstay::testing::TempDir folder;
    std::string archive_folder = "v1/local/clusters/7000000000000000001";
    SystemClock clock;
    WalConfig config;
    std::uint64_t ready = 1;
    std::vector<Shelf> shelves;
    std::unique_ptr<Recorder> recorder = std::make_unique<Recorder>(state(), clock, std::function<void()>());
    std::unique_ptr<Archiver> archiver;
};

}  // namespace backstay::archiver::testing
