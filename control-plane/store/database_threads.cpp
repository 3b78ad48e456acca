#include "control-plane/store/database_threads.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "control-plane/store/fair_queue.h"
#include "control-plane/store/store.h"

namespace backstay::store {

struct DatabaseThreads::Pool {
    using Queue = FairQueue<Work>;

    enum class Turns {
        any,
        // An organization's works one after the other: the next would wait for its lock, and threads that wait there
        // serve nobody.
        one_writer,
    };

    Pool(Post post_back, std::size_t limit, Turns the_turns = Turns::any)
        : post(std::move(post_back)), turns(the_turns), queue(limit) {}

    ~Pool() { stop(); }

    void stop() {
        {
            const std::lock_guard lock(mutex);
            closing = true;
        }
        wake.notify_all();
        for (std::thread& thread : threads) thread.join();
        threads.clear();
    }

    Result<> add_threads(const std::string& store, std::size_t count, std::int64_t silence_most_ms = 0) {
        sql::OpenOptions options;
        options.connect_later = true;
        options.silence_most_ms = silence_most_ms;
        for (std::size_t i = 0; i < count; ++i) {
            auto database = TRY(open_store(store, options));
            threads.emplace_back([this, db = std::move(database)]() mutable noexcept { serve(db); });
        }
        return {};
    }

    void serve(sql::Database& database) noexcept {
        while (auto turn = next()) {
            Done done = turn->item(database);
            turn->item = nullptr;
            finished(turn->tenant);
            if (done) post(std::move(done));
        }
    }

    // None: the end. What may not begin yet is left to the thread that keeps it waiting.
    std::optional<Queue::Turn> next() {
        std::unique_lock lock(mutex);
        std::optional<Queue::Turn> turn;
        wake.wait(lock, [&] {
            turn = queue.pop([this](std::string_view tenant) { return !writing.contains(writer_for(tenant)); });
            return turn || closing;
        });
        if (!turn) return turn;
        ++at_work;
        if (const auto writer = writer_for(turn->tenant); !writer.empty()) writing.emplace(writer);
        return turn;
    }

    void finished(std::string_view tenant) {
        const std::lock_guard lock(mutex);
        --at_work;
        if (const auto one = writing.find(writer_for(tenant)); one != writing.end()) writing.erase(one);
    }

    // The organization that no other work may write for while this tenant's runs; empty: none.
    std::string_view writer_for(std::string_view tenant) const {
        return turns == Turns::one_writer ? organization_of(tenant) : std::string_view();
    }

    bool submit(std::string_view tenant, Work work) {
        {
            const std::lock_guard lock(mutex);
            if (closing || !queue.push(tenant, std::move(work))) return false;
        }
        wake.notify_one();
        return true;
    }

    std::size_t size() const {
        const std::lock_guard lock(mutex);
        return queue.size();
    }

    std::size_t busy() const {
        const std::lock_guard lock(mutex);
        return at_work;
    }

    const Post post;
    const Turns turns;
    mutable std::mutex mutex;
    std::condition_variable wake;
    Queue queue;
    std::set<std::string, std::less<>> writing;
    std::size_t at_work = 0;
    bool closing = false;
    std::vector<std::thread> threads;
};

DatabaseThreads::DatabaseThreads() = default;
DatabaseThreads::~DatabaseThreads() = default;

Result<std::unique_ptr<DatabaseThreads>> DatabaseThreads::start(const std::string& store, Post post,
                                                                std::size_t queue_limit) {
    std::unique_ptr<DatabaseThreads> self(new DatabaseThreads());
    self->read_ = std::make_unique<Pool>(post, queue_limit);
    self->write_ = std::make_unique<Pool>(post, queue_limit, Pool::Turns::one_writer);
    self->slow_ = std::make_unique<Pool>(post, queue_limit);
    const bool side_by_side = sql::is_postgres_url(store);
    TRY(self->read_->add_threads(store, side_by_side ? 4 : 2));
    TRY(self->write_->add_threads(store, side_by_side ? 4 : 1));
    TRY(self->slow_->add_threads(store, 2));
    const std::size_t waiting = std::min<std::size_t>(queue_limit, 100);
    self->storage_ = std::make_unique<Pool>(post, waiting);
    self->transfer_ = std::make_unique<Pool>(post, waiting);
    self->scan_ = std::make_unique<Pool>(post, queue_limit);
    TRY(self->storage_->add_threads(store, 4));
    TRY(self->transfer_->add_threads(store, 16));
    TRY(self->scan_->add_threads(store, 2));
    if (!side_by_side) return self;
    self->upkeep_ = std::make_unique<Pool>(post, queue_limit);
    self->exchange_ = std::make_unique<Pool>(post, queue_limit);
    TRY(self->upkeep_->add_threads(store, 1, kUpkeepSilenceMs));
    TRY(self->exchange_->add_threads(store, 1));
    return self;
}

const DatabaseThreads::Pool& DatabaseThreads::pool(Lane lane) const {
    switch (lane) {
        case Lane::read:
            return *read_;
        case Lane::write:
            return *write_;
        case Lane::slow:
            return *slow_;
        case Lane::storage:
            return *storage_;
        case Lane::transfer:
            return *transfer_;
        case Lane::scan:
            return *scan_;
        case Lane::upkeep:
            return upkeep_ ? *upkeep_ : *write_;
        case Lane::exchange:
            return exchange_ ? *exchange_ : *write_;
    }
    return *read_;
}

void DatabaseThreads::stop() {
    for (const auto* pool : {&exchange_, &upkeep_, &scan_, &transfer_, &storage_, &slow_, &write_, &read_}) {
        if (*pool) (*pool)->stop();
    }
}

bool DatabaseThreads::submit(Lane lane, Work work, std::string_view tenant) {
    return const_cast<Pool&>(pool(lane)).submit(tenant, std::move(work));
}

std::size_t DatabaseThreads::queued(Lane lane) const { return pool(lane).size(); }

std::size_t DatabaseThreads::busy(Lane lane) const { return pool(lane).busy(); }

}  // namespace backstay::store
