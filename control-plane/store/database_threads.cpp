#include "control-plane/store/database_threads.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/sql/group.h"
#include "control-plane/store/fair_queue.h"
#include "control-plane/store/store.h"

namespace backstay::store {

struct DatabaseThreads::Pool {
    // One of both.
    struct Item {
        Work work;
        Member member;
    };
    using Queue = FairQueue<Item>;

    enum class Turns {
        any,
        // An organization's works one after the other: the next would wait for its lock, and threads that wait there
        // serve nobody.
        one_writer,
    };

    Pool(Post post_back, std::size_t limit, Turns the_turns = Turns::any, const GroupLimits& limits = {})
        : post(std::move(post_back)), turns(the_turns), group_limits(limits), queue(limit) {}

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
            Done done = turn->item.member ? run_members(database, *turn) : turn->item.work(database);
            turn->item = {};
            finished(turn->tenant);
            if (done) post(std::move(done));
        }
    }

    // The first, and those that wait behind it.
    Done run_members(sql::Database& database, Queue::Turn& first) {
        const std::string_view organization = organization_of(first.tenant);
        std::optional<Item> item = std::move(first.item);
        std::optional<sql::Group> group;
        if (!organization.empty() && member_waits(first.tenant)) {
            auto begun = sql::Group::begin(database, organization);
            // What held it up would hold up each of them as long.
            group.emplace(begun ? std::move(*begun) : sql::Group::lost(database, organization, begun.error()));
        }
        const std::int64_t until_ms = steady_ms() + group_limits.ms;
        std::vector<Told> told;
        for (; item; item = next_member(first.tenant)) {
            told.push_back(item->member(database));
            if (!group || told.size() >= group_limits.members || steady_ms() >= until_ms) break;
        }
        Result<> stored;
        if (group) stored = group->commit();
        return [told = std::move(told), stored = std::move(stored)] {
            for (const Told& one : told) one(stored);
        };
    }

    bool member_waits(std::string_view tenant) const {
        const std::lock_guard lock(mutex);
        const Item* next = queue.first_of(tenant);
        return next != nullptr && next->member;
    }

    std::optional<Item> next_member(std::string_view tenant) {
        const std::lock_guard lock(mutex);
        return queue.pop_more(tenant, [](const Item& next) { return next.member != nullptr; });
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

    bool submit(std::string_view tenant, Item item) {
        {
            const std::lock_guard lock(mutex);
            if (closing || !queue.push(tenant, std::move(item))) return false;
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
    const GroupLimits group_limits;
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
    return start(store, std::move(post), queue_limit, GroupLimits());
}

Result<std::unique_ptr<DatabaseThreads>> DatabaseThreads::start(const std::string& store, Post post,
                                                                std::size_t queue_limit, const GroupLimits& limits) {
    std::unique_ptr<DatabaseThreads> self(new DatabaseThreads());
    self->read_ = std::make_unique<Pool>(post, queue_limit);
    self->write_ = std::make_unique<Pool>(post, queue_limit, Pool::Turns::one_writer, limits);
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
    return const_cast<Pool&>(pool(lane)).submit(tenant, {std::move(work), {}});
}

bool DatabaseThreads::submit_member(Member member, std::string_view tenant) {
    return write_->submit(tenant, {{}, std::move(member)});
}

std::size_t DatabaseThreads::queued(Lane lane) const { return pool(lane).size(); }

std::size_t DatabaseThreads::busy(Lane lane) const { return pool(lane).busy(); }

}  // namespace backstay::store
