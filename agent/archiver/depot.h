// One destination as an archive of WAL: threads that store, each with a connection of its own, and how the destination
// has been doing. What to store is told by the archiver; depots know nothing of each other, so that a slow or dead
// destination holds up none but itself.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "agent/wal/archive.h"
#include "common/clock.h"
#include "common/domain/orders.h"
#include "storage/storage.h"

namespace backstay::archiver {

// How each thread opens the destination; called again after trouble.
using OpenStorage = std::function<Result<std::unique_ptr<Storage>>(const DestinationOrder&, std::stop_token)>;

struct DepotParts {
    DestinationOrder order;
    std::string folder;  // layout::cluster_folder
    const StreamKey* key = nullptr;
    bool encrypted = false;
    OpenStorage open;
    std::size_t threads = 4;
    // Of what waits here; the one object that goes over it is still taken.
    std::uint64_t waiting_bytes_max = 96ULL << 20;
};

struct DepotHealth {
    bool down = false;
    std::string why;  // of the last failure, while it is down
    TimeMs down_since = 0;
};

class Depot {
public:
    using Done = std::function<void(Result<wal::StoredWal>)>;

    explicit Depot(DepotParts parts);
    ~Depot();
    Depot(const Depot&) = delete;
    Depot& operator=(const Depot&) = delete;

    // Ends transfers; what waits is answered `cancelled`, and nothing afterwards. Not on a thread of the depot.
    void end();

    const DestinationOrder& order() const { return parts_.order; }
    bool encrypted() const { return parts_.encrypted; }

    enum class Offer { taken, resting, full };
    // Taken: `object` stays until `done` was called, on a thread of the depot, exactly once. What waits while the depot
    // comes to rest is answered at once. `insist`: neither rest nor fullness counts.
    Offer offer(const wal::PackedObject& object, Done done, bool insist = false);
    bool has_room() const;
    // Whether it failed so lately that asking it again would only cost time.
    bool resting() const;
    DepotHealth health() const;
    // For reading and for filling gaps: an archive of the caller's own thread.
    struct Opened {
        std::unique_ptr<Storage> storage;
        std::unique_ptr<wal::Archive> archive;
    };
    Result<Opened> open(std::stop_token stop) const;
    void note(const Result<>& result);

private:
    struct Task {
        const wal::PackedObject* object = nullptr;
        Done done;
        bool insist = false;
    };
    bool rests() const { return steady_ms() < rest_until_; }
    bool is_full() const;
    Result<wal::StoredWal> answer(std::optional<Opened>& opened, const Task& task, bool ending, bool resting);
    Result<wal::StoredWal> store(std::optional<Opened>& opened, const Task& task);
    void work();

    DepotParts parts_;
    SystemClock clock_;
    std::stop_source stop_;
    mutable std::mutex mutex_;
    std::condition_variable work_;
    std::deque<Task> tasks_;
    bool ending_ = false;
    DepotHealth health_;
    std::uint64_t waiting_bytes_ = 0;  // of tasks, and of what is being stored
    std::int64_t rest_until_ = 0;      // steady_ms()
    std::int64_t rest_ms_ = 0;
    std::vector<std::thread> threads_;
};

}  // namespace backstay::archiver
