#include "agent/archiver/archiver.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "common/log.h"

namespace backstay::archiver {
namespace {

constexpr std::size_t kItemsMax = 96;  // under way, and done lately
constexpr std::uint64_t kPackedBytesMax = 96ULL << 20;
constexpr auto kTick = std::chrono::milliseconds(250);
constexpr auto kIdle = std::chrono::seconds(30);
constexpr TimeMs kRetrySpoolMs = 5'000;
// After a failure, for so long nothing more than what is asked for is tried.
constexpr TimeMs kTroubleMs = 60'000;
constexpr std::int64_t kSoonFullS = 600;
constexpr TimeMs kLaggingMs = 300'000;

Error stopping() { return Error(Errc::cancelled, "the agent is stopping"); }

}  // namespace

Archiver::Archiver(ArchiverParts parts)
    : parts_(std::move(parts)), spool_(parts_.spool_folder, parts_.config.spool_max_bytes) {
    for (std::size_t i = 0; i < std::max<std::size_t>(parts_.packers, 1); ++i) {
        packers_.emplace_back([this] { pack_all(); });
    }
}

void Archiver::end() {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    work_.notify_all();
    changed_.notify_all();
}

Archiver::~Archiver() {
    end();
    for (std::thread& packer : packers_) packer.join();
    parts_.depots.clear();
}

Result<> Archiver::push(PushOrder order) {
    Lock lock(mutex_);
    if (ending_) return stopping();
    const TimeMs now = parts_.clock.now_ms();
    backlog_.add({now, order.ready * parts_.segment_bytes, order.free_bytes, order.total_bytes});
    const auto identity = identify(order.file.file);
    const TimeMs written_at = identity ? identity->modified_ns / 1'000'000 : now;
    oldest_waiting_ = written_at;
    const wal::WalName name = order.file.name;
    const bool more_wait = order.ready > 1;
    Result<> archived = must_drop() ? drop(lock, name) : archive(lock, order);
    if (!archived && must_drop()) archived = drop(lock, name);
    if (archived) {
        if (!more_wait) oldest_waiting_.reset();
        if (conflict_name_ == name.text) conflict_ = false;
        failing_ = false;
        if (!conflict_ && !dropping_) why_.clear();
        last_at_ = parts_.clock.now_ms();
        last_name_ = name.text;
        return archived;
    }
    if (archived.error().code() == Errc::cancelled) return archived;
    ++failed_count_;
    failing_ = true;
    failed_at_ = parts_.clock.now_ms();
    why_ = archived.error().message();
    if (archived.error().code() == Errc::conflict) {
        conflict_ = true;
        conflict_name_ = name.text;
        log::error("WAL refused", {{"name", name.text}, {"error", archived.error().message()}});
    }
    return archived;
}

Result<> Archiver::archive(Lock& lock, PushOrder& order) {
    Item* item = admit(std::move(order.file), true);
    if (item == nullptr) return Error(Errc::unavailable, "too much WAL is being archived at once");
    const bool troubled = failing_ && parts_.clock.now_ms() - failed_at_ < kTroubleMs;
    for (PushedFile& next : order.ahead) {
        // A failing archive is asked for one file at a time: nothing is gained by more, and much memory kept.
        if (!troubled && next.name.kind == wal::NameKind::segment) admit(std::move(next), false);
    }
    work_.notify_all();
    ++item->watched;
    const std::int64_t deadline = steady_ms() + kPatienceMs;
    const auto decided = [&] { return item->state == State::safe || item->state == State::failed; };
    while (!decided() && !ending_ && steady_ms() < deadline && !(order.gone && order.gone())) {
        changed_.wait_for(lock, kTick);
    }
    --item->watched;
    item->touched = steady_ms();
    if (item->state == State::safe) {
        item->acknowledged = true;
        note_if_due(*item);
        return {};
    }
    if (item->state == State::failed) return *item->error;
    if (ending_) return stopping();
    return Error(Errc::timed_out, fmt::format("{} is still on its way to the archive", item->name.text));
}

// The file as it is under way or done already, or a new one; nullptr: no room.
Archiver::Item* Archiver::admit(PushedFile file, bool asked_for) {
    const auto identity = identify(file.file);
    if (!identity) return nullptr;
    auto found = items_.find(file.name.text);
    if (found != items_.end()) {
        Item& item = *found->second;
        const bool done = item.state == State::safe || item.state == State::failed;
        const bool idle = done && item.pending == 0 && item.watched == 0;
        // Another file of that name, or one that failed and is asked for again, begins anew.
        const bool again = item.identity != *identity || (item.state == State::failed && asked_for);
        if (!again) {
            if (asked_for && item.state == State::waiting) {
                std::erase(queue_, &item);
                queue_.push_front(&item);
            }
            return &item;
        }
        if (!idle) return item.identity == *identity ? &item : nullptr;
        items_.erase(found);
    }
    forget_old();
    if (items_.size() >= kItemsMax) return nullptr;
    auto item = std::make_unique<Item>();
    item->name = std::move(file.name);
    item->file = std::move(file.file);
    item->identity = *identity;
    item->touched = steady_ms();
    Item* admitted = item.get();
    items_.emplace(admitted->name.text, std::move(item));
    if (asked_for) {
        queue_.push_front(admitted);
    } else {
        queue_.push_back(admitted);
    }
    return admitted;
}

// Keeps what was done lately, so that asking for it again costs nothing.
void Archiver::forget_old() {
    while (items_.size() >= kItemsMax) {
        auto oldest = items_.end();
        for (auto item = items_.begin(); item != items_.end(); ++item) {
            const Item& one = *item->second;
            const bool done = one.state == State::safe || one.state == State::failed;
            if (!done || one.pending > 0 || one.watched > 0) continue;
            if (oldest == items_.end() || one.touched < oldest->second->touched) oldest = item;
        }
        if (oldest == items_.end()) return;
        items_.erase(oldest);
    }
}

void Archiver::pack_all() {
    wal::Packer packer(parts_.config.zstd_level);
    Lock lock(mutex_);
    const auto ready = [this] { return ending_ || (!queue_.empty() && packed_bytes_ < kPackedBytesMax); };
    while (true) {
        if (!ready() && parts_.config.ack == "spool") take_up_spool(lock);
        if (!work_.wait_for(lock, parts_.config.ack == "spool" ? std::chrono::seconds(5) : kIdle, ready)) {
            packer.rest();
            continue;
        }
        if (ending_) return;
        Item* item = queue_.front();
        queue_.pop_front();
        pack(lock, *item, packer);
    }
}

void Archiver::pack(Lock& lock, Item& item, wal::Packer& packer) {
    item.state = State::packing;
    lock.unlock();
    Result<> loaded = load(item, packer);
    lock.lock();
    if (!loaded) return fail(item, std::move(loaded).error());
    item.head = item.object->head;
    packed_bytes_ += item.object->bytes.size();
    item.state = State::storing;
    if (parts_.config.ack == "spool" && !item.from_spool) spool(lock, item);
    distribute(lock, item);
}

// Outside of the lock: the item is this packer's alone while it is being packed.
Result<> Archiver::load(Item& item, wal::Packer& packer) {
    if (item.from_spool) {
        wal::PackedObject object;
        object.name = item.name;
        object.head = item.head;
        object.bytes = TRY(spool_.get(item.spooled_as));
        item.object = std::move(object);
        return {};
    }
    wal::PackOrder order;
    order.name = item.name;
    order.system_id = std::stoull(parts_.system_id);
    order.segment_bytes = parts_.segment_bytes;
    order.key = !parts_.depots.empty() && parts_.depots.front()->encrypted() ? parts_.key : nullptr;
    DescriptorSource file(item.file);
    if (item.name.kind == wal::NameKind::history) {
        item.content = TRY(read_all(file, 1 << 20));
        StringSource content(item.content);
        item.object = TRY(packer.pack(content, order));
    } else {
        item.object = TRY(packer.pack(file, order));
    }
    item.file.close();
    return {};
}

void Archiver::spool(Lock& lock, Item& item) {
    const std::string key = wal::archive_key("", item.name, item.head.blake2b, parts_.depots.front()->encrypted());
    const std::string file = key.substr(key.rfind('/') + 1);
    lock.unlock();
    const Result<> put = spool_.put(file, item.object->bytes.bytes());
    lock.lock();
    if (!put) {
        // As slow as without a spool then, and as safe.
        log::warning("WAL spool", {{"error", put.error().message()}});
        return;
    }
    item.spooled_as = file;
    item.state = State::safe;
    changed_.notify_all();
}

void Archiver::distribute(Lock& lock, Item& item) {
    const TimeMs now = parts_.clock.now_ms();
    const bool all_rest =
        std::all_of(parts_.depots.begin(), parts_.depots.end(), [&](const auto& depot) { return depot->resting(now); });
    // Counted before any can answer.
    item.pending = parts_.depots.size() + 1;
    for (std::size_t i = 0; i < parts_.depots.size(); ++i) {
        Depot& depot = *parts_.depots[i];
        const bool try_it = !depot.resting(now) || (all_rest && (item.watched > 0 || item.from_spool));
        lock.unlock();
        const bool taken = try_it && depot.offer(*item.object, [this, &item, i](Result<wal::StoredWal> stored) {
            const std::lock_guard held(mutex_);
            settle(item, i, std::move(stored));
        });
        const std::string why = depot.health().why;
        lock.lock();
        if (taken) continue;
        settle(item, i, Error(Errc::unavailable, why.empty() ? "too much waits for it" : why));
    }
    if (--item.pending == 0) conclude(item);
}

WalLack Archiver::lack_of(const Item& item, std::size_t depot, const Error& error) const {
    return WalLack{
        parts_.depots[depot]->order().id, parts_.system_id, item.name.text, item.head.blake2b, parts_.clock.now_ms(),
        error.code() == Errc::conflict,   error.message()};
}

void Archiver::settle(Item& item, std::size_t depot, Result<wal::StoredWal> stored) {
    if (stored) {
        ++item.holders;
        item.stored_bytes = stored->stored_bytes;
        // It may have been noted as lacking before.
        if (parts_.depots.size() > 1) parts_.recorder.filled(lack_of(item, depot, Error(Errc::io, "")));
        // A conflict that is known already outweighs it: two contents must not live side by side.
        const bool refused = item.error && item.error->code() == Errc::conflict;
        if (item.state == State::storing && !refused) {
            item.state = State::safe;
            ++archived_;
            archived_bytes_ += item.head.bytes;
        }
        note_if_due(item);
    } else {
        Error error = std::move(stored).error();
        error.add_context(fmt::format("destination {}", parts_.depots[depot]->order().id));
        item.lacks.push_back(lack_of(item, depot, error));
        // What somebody must decide weighs more than what passes.
        if (!item.error || error.code() == Errc::conflict) item.error = std::move(error);
    }
    if (--item.pending == 0) conclude(item);
    changed_.notify_all();
}

// Every destination has answered.
void Archiver::conclude(Item& item) {
    packed_bytes_ -= item.object->bytes.size();
    item.object.reset();
    for (WalLack& lack : item.lacks) {
        if (lack.conflict) log::error("WAL conflict", {{"destination", lack.destination_id}, {"name", lack.name}});
        if (item.holders > 0) parts_.recorder.lacking(lack);
    }
    item.lacks.clear();
    work_.notify_all();
    if (item.holders > 0 && !item.spooled_as.empty()) {
        if (const auto removed = spool_.remove(item.spooled_as); !removed) {
            log::warning("WAL spool", {{"error", removed.error().message()}});
        }
        item.spooled_as.clear();
    }
    // None has it, or one has another content.
    if (item.state == State::storing) fail(item, *item.error);
    changed_.notify_all();
}

void Archiver::fail(Item& item, Error error) {
    item.state = State::failed;
    item.error = std::move(error);
    item.file.close();
    changed_.notify_all();
}

// A row follows its object, and follows the acknowledgement: what was only stored ahead may lie behind a hole.
void Archiver::note_if_due(Item& item) {
    if (item.noted || item.holders == 0 || !(item.acknowledged || item.from_spool)) return;
    item.noted = true;
    parts_.recorder.stored({item.name, item.head, item.stored_bytes, item.content});
}

// What an earlier life, or a time without destinations, left in the spool.
void Archiver::take_up_spool(Lock& lock) {
    const TimeMs now = parts_.clock.now_ms();
    if (now < spool_due_) return;
    spool_due_ = now + kRetrySpoolMs;
    lock.unlock();
    const auto files = spool_.files();
    lock.lock();
    if (!files) return;
    for (const std::string& file : *files) {
        if (queue_.size() >= kItemsMax / 4) return;
        std::string_view plain = file;
        const std::string_view text = plain.substr(0, plain.find(".zst"));
        const auto name = wal::parse_wal_name(text.substr(0, text.rfind('-')));
        if (!name) continue;
        const auto found = items_.find(name->text);
        if (found != items_.end()) {
            const Item& item = *found->second;
            if (item.pending > 0 || item.watched > 0 || item.state == State::waiting || item.state == State::packing) {
                continue;
            }
        }
        lock.unlock();
        auto bytes = spool_.get(file);
        lock.lock();
        if (!bytes) continue;
        auto item = std::make_unique<Item>();
        item->name = *name;
        item->from_spool = true;
        item->spooled_as = file;
        item->touched = steady_ms();
        auto head = wal::read_stored_head(bytes->bytes(), parts_.key);
        if (!head) {
            log::error("WAL spool", {{"file", file}, {"error", head.error().message()}});
            continue;
        }
        item->head = std::move(*head);
        Item* taken = item.get();
        items_[name->text] = std::move(item);
        queue_.push_back(taken);
    }
}

// Under `drop`: the backlog has the size that was agreed on, and storing it does not keep up.
bool Archiver::must_drop() const {
    if (parts_.config.on_overflow != "drop" || backlog_.waiting_bytes() <= parts_.config.overflow_bytes) return false;
    const auto full = backlog_.seconds_to_full();
    const bool failed_lately = failing_ && parts_.clock.now_ms() - failed_at_ < kTroubleMs;
    return failed_lately || (full && *full < kSoonFullS);
}

Result<> Archiver::drop(Lock& lock, const wal::WalName& name) {
    const TimeMs now = parts_.clock.now_ms();
    if (name.kind == wal::NameKind::segment) {
        WalGap gap;
        gap.timeline = name.timeline;
        const std::uint64_t number = TRY(wal::segment_number(name, parts_.segment_bytes));
        gap.start = wal::start_of_segment(number, parts_.segment_bytes);
        gap.end = gap.start + parts_.segment_bytes;
        gap.started_at = gap.ended_at = now;
        gap.reason = "dropped";
        lock.unlock();
        // On disk before PostgreSQL hears that it may forget the segment.
        const Result<> noted = parts_.recorder.gap(parts_.system_id, gap);
        lock.lock();
        if (!noted) return noted.error();
    }
    ++dropped_;
    dropping_ = true;
    why_ = fmt::format("the backlog is over {} bytes: WAL is dropped", parts_.config.overflow_bytes);
    log::error("WAL dropped", {{"name", name.text}, {"backlog", backlog_.waiting_bytes()}});
    return {};
}

ArchiverStatus Archiver::status() const {
    const std::lock_guard lock(mutex_);
    const TimeMs now = parts_.clock.now_ms();
    ArchiverStatus status;
    status.waiting_bytes = backlog_.waiting_bytes();
    if (!oldest_waiting_) status.waiting_bytes = 0;
    status.growth = backlog_.growth();
    if (oldest_waiting_) {
        status.lag_seconds = std::max<TimeMs>(0, now - *oldest_waiting_) / 1000;
        status.seconds_to_full = backlog_.seconds_to_full();
    }
    status.spool_bytes = spool_.bytes();
    status.last_archived_at = last_at_;
    status.last_archived = last_name_;
    status.failed_count = failed_count_;
    status.archived = archived_;
    status.archived_bytes = archived_bytes_;
    status.dropped = dropped_;
    status.why = why_;
    const bool late = oldest_waiting_ && now - *oldest_waiting_ > kLaggingMs;
    const bool full_soon = status.seconds_to_full && *status.seconds_to_full < 6 * 3600;
    if (conflict_) {
        status.state = "conflict";
    } else if (dropping_ && now - last_at_.value_or(0) < kTroubleMs) {
        status.state = "dropping";
    } else if (failing_) {
        status.state = "failing";
    } else if (late || full_soon) {
        status.state = "lagging";
    } else if (last_at_) {
        status.state = "ok";
    }
    return status;
}

}  // namespace backstay::archiver
