#include "agent/archiver/archiver.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "common/log.h"

namespace backstay::archiver {
namespace {

constexpr std::size_t kItemsMax = 256;  // under way, and done lately
constexpr std::size_t kConflictsMax = 1000;
constexpr auto kTick = std::chrono::milliseconds(250);
constexpr auto kSpoolTick = std::chrono::seconds(5);
// After a failure, for so long nothing more than what is asked for is tried.
constexpr std::int64_t kTroubleMs = 60'000;
constexpr std::int64_t kSoonFullS = 600;
// So long a destination may take what is kept when it does not.
constexpr std::int64_t kKeepMs = 2'000;
constexpr TimeMs kLaggingMs = 300'000;

Error stopping() { return Error(Errc::cancelled, "the agent is stopping"); }

}  // namespace

Archiver::Archiver(ArchiverParts parts)
    : parts_(std::move(parts)), spool_(parts_.spool_folder, parts_.config.spool_max_bytes, parts_.key) {
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
    // All before any goes: the answer of one may ask another for its name.
    for (const auto& depot : parts_.depots) depot->end();
    parts_.depots.clear();
}

Result<> Archiver::push(PushOrder order) {
    Lock lock(mutex_);
    if (ending_) return stopping();
    backlog_.add({steady_ms(), order.ready * parts_.segment_bytes, order.free_bytes, order.total_bytes});
    const TimeMs now = parts_.clock.now_ms();
    const auto identity = identify(order.file.file);
    oldest_waiting_ = identity ? identity->modified_ns / 1'000'000 : now;
    const wal::WalName name = order.file.name;
    const bool more_wait = order.ready > 1;
    Result<> archived;
    if (!must_drop(name)) {
        archived = archive(lock, order);
        if (archived) {
            if (!more_wait) oldest_waiting_.reset();
            failing_ = dropping_ = false;
            why_.clear();
            last_at_ = parts_.clock.now_ms();
            last_name_ = name.text;
            return archived;
        }
        if (archived.error().code() == Errc::cancelled) return archived;
        ++failed_count_;
        failing_ = true;
        failed_at_ = steady_ms();
        why_ = archived.error().message();
        if (archived.error().code() == Errc::conflict) refuse(name.text, archived.error());
        const bool gone = order.gone && order.gone();
        if (gone || !must_drop(name)) return archived;
    }
    TRY(drop(lock, name));
    if (!more_wait) oldest_waiting_.reset();
    return {};
}

Result<> Archiver::archive(Lock& lock, PushOrder& order) {
    Item* item = admit(std::move(order.file), true);
    if (item == nullptr) return Error(Errc::unavailable, "too much WAL is being archived at once");
    for (PushedFile& next : order.ahead) {
        // A failing archive is asked for one file at a time: nothing is gained by more, and much memory kept.
        if (!failed_lately() && next.name.kind == wal::NameKind::segment) admit(std::move(next), false);
    }
    work_.notify_all();
    ++item->watched;
    const Result<> secured = await(lock, *item, order);
    --item->watched;
    item->touched = steady_ms();
    if (!secured) return secured;
    item->acknowledged = true;
    note_if_due(*item);
    return {};
}

bool Archiver::Item::secured() const {
    if (!spooled_as.empty()) return true;
    return state == State::safe && std::all_of(places.begin(), places.end(), [&](const Place& place) {
               return place.at == At::held || place.noted || places.size() == 1;
           });
}

// Without an answer that waits it is still its packer's, perhaps on the way into the spool. Other content under its
// name is to be heard of, not kept.
bool Archiver::Item::hangs() const {
    const bool conflict = error && error->code() == Errc::conflict;
    return state == State::storing && pending > 0 && !conflict;
}

Result<> Archiver::await(Lock& lock, Item& item, const PushOrder& order) {
    const std::int64_t deadline = steady_ms() + kPatienceMs;
    std::int64_t keep_at = steady_ms() + kKeepMs;
    const auto over = [&] { return steady_ms() >= deadline || (order.gone && order.gone()); };
    while (!item.secured()) {
        if (item.state == State::failed) return *item.error;
        if (ending_) return stopping();
        if (over()) {
            return Error(Errc::timed_out, fmt::format("{} is still on its way to the archive", item.name.text));
        }
        if (item.state == State::safe) {
            TRY(note_lacks(lock, over));
        } else if (item.hangs() && must_keep(item.name) && steady_ms() >= keep_at) {
            keep(lock, item);
            keep_at = steady_ms() + 10 * kKeepMs;
        } else {
            changed_.wait_for(lock, kTick);
        }
    }
    return {};
}

// Which destinations have not got what another one has: on disk before PostgreSQL hears that it may forget it, or a
// crash leaves a hole there that nobody knows of. All at once, as what was stored ahead is asked for next.
Result<> Archiver::note_lacks(Lock& lock, const std::function<bool()>& over) {
    std::vector<WalLack> lacks;
    std::vector<std::pair<std::string, std::size_t>> noted;
    for (const auto& [name, item] : items_) {
        if (item->state != State::safe || item->secured()) continue;
        for (std::size_t i = 0; i < item->places.size(); ++i) {
            if (item->places[i].at == At::held || item->places[i].noted) continue;
            lacks.push_back(lack_of(*item, i));
            noted.emplace_back(name, i);
        }
    }
    // Under the lock, so that whatever fills one of them is written behind it.
    std::future<Result<>> written = parts_.recorder.lacking_now(lacks);
    lock.unlock();
    bool ready = false;
    while (!ready && !over()) ready = written.wait_for(kTick) == std::future_status::ready;
    lock.lock();
    if (!ready) return Error(Errc::timed_out, "it is not noted yet which destinations lack it");
    TRY(written.get().context("note which destinations lack it"));
    for (std::size_t i = 0; i < noted.size(); ++i) {
        const auto found = items_.find(noted[i].first);
        if (found == items_.end() || found->second->head.digest() != lacks[i].digest) continue;
        Item& item = *found->second;
        if (noted[i].second < item.places.size()) item.places[noted[i].second].noted = true;
    }
    return {};
}

// The file as it is under way or done already, or a new one; nullptr: no room.
Archiver::Item* Archiver::admit(PushedFile file, bool asked_for) {
    const auto identity = identify(file.file);
    if (!identity) return nullptr;
    auto found = items_.find(file.name.text);
    if (found != items_.end()) {
        Item& item = *found->second;
        // Another file of that name, or one that failed and is asked for again, begins anew.
        const bool again = item.identity != *identity || (item.state == State::failed && asked_for);
        if (!again) {
            if (asked_for && item.state == State::waiting) {
                std::erase(queue_, &item);
                queue_.push_front(&item);
            }
            return &item;
        }
        if (!item.idle()) return item.identity == *identity ? &item : nullptr;
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
            if (!one.idle()) continue;
            if (oldest == items_.end() || one.touched < oldest->second->touched) oldest = item;
        }
        if (oldest == items_.end()) return;
        items_.erase(oldest);
    }
}

// Not while all that is packed waits for destinations.
bool Archiver::may_pack() const {
    if (queue_.empty()) return false;
    // Goes into the spool, whatever becomes of the destinations; and it is small.
    if (!queue_.front()->from_spool && must_keep(queue_.front()->name)) return true;
    return packed_bytes_ < kPackedBytesMax &&
           std::any_of(parts_.depots.begin(), parts_.depots.end(), [](const auto& depot) { return depot->has_room(); });
}

void Archiver::pack_all() {
    wal::Packer packer(parts_.config.zstd_level);
    Lock lock(mutex_);
    const auto ready = [this] { return ending_ || may_pack(); };
    while (true) {
        // Whatever the configuration says by now: what is there was acknowledged.
        if (!ending_) clear_spool(lock);
        if (!ready()) take_up_spool(lock);
        if (!work_.wait_for(lock, kSpoolTick, ready)) {
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
    const bool by_spool = parts_.config.ack == "spool" || must_keep(item.name);
    if (by_spool && !item.from_spool && !spool(lock, item)) return;
    distribute(lock, item);
}

// Outside of the lock: the item is this packer's alone while it is being packed.
Result<> Archiver::load(Item& item, wal::Packer& packer) {
    if (item.from_spool) {
        wal::PackedObject object;
        object.name = item.name;
        object.head = item.head;
        object.bytes = TRY(spool_.get(item.spooled_as));
        if (item.name.kind == wal::NameKind::history) {
            StringSink content(1 << 20);
            TRY(wal::unpack(object.bytes.bytes(), item.spooled_as.ends_with(".enc") ? parts_.key : nullptr, content));
            item.content = content.take();
        }
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
    item.file.reset();
    return {};
}

void Archiver::distribute(Lock& lock, Item& item) {
    const bool all_rest =
        std::all_of(parts_.depots.begin(), parts_.depots.end(), [](const auto& depot) { return depot->resting(); });
    const bool insist = all_rest && (item.watched > 0 || item.from_spool);
    item.places.assign(parts_.depots.size(), {});
    // Counted before any can answer.
    item.pending = parts_.depots.size() + 1;
    bool taken = false;
    std::vector<std::size_t> full;
    for (std::size_t i = 0; i < parts_.depots.size(); ++i) {
        const Depot::Offer offered = offer(lock, item, i, insist);
        taken = taken || offered == Depot::Offer::taken;
        if (offered == Depot::Offer::full) full.push_back(i);
        if (offered == Depot::Offer::resting) settle(item, i, Error(Errc::unavailable, parts_.depots[i]->health().why));
    }
    for (const std::size_t i : full) {
        // It was packed because one of them had room.
        const bool one_must = !taken && offer(lock, item, i, true) == Depot::Offer::taken;
        taken = taken || one_must;
        if (!one_must) settle(item, i, Error(Errc::unavailable, "too much waits for it"));
    }
    if (--item.pending == 0) conclude(item);
}

Depot::Offer Archiver::offer(Lock& lock, Item& item, std::size_t depot, bool insist) {
    lock.unlock();
    const Depot::Offer offered = parts_.depots[depot]->offer(
        *item.object,
        [this, &item, depot](Result<wal::StoredWal> stored) {
            const std::lock_guard held(mutex_);
            settle(item, depot, std::move(stored));
        },
        insist);
    lock.lock();
    return offered;
}

WalLack Archiver::lack_of(const Item& item, std::size_t depot) const {
    const Place& place = item.places[depot];
    return WalLack{parts_.depots[depot]->order().id,
                   parts_.system_id,
                   item.name.text,
                   item.head.digest(),
                   parts_.clock.now_ms(),
                   place.conflict,
                   place.why};
}

void Archiver::settle(Item& item, std::size_t depot, Result<wal::StoredWal> stored) {
    Place& place = item.places[depot];
    if (stored) {
        place.at = At::held;
        item.stored_bytes = stored->stored_bytes;
        // It may have been noted as lacking before.
        if (parts_.depots.size() > 1 || item.from_spool) parts_.recorder.filled(lack_of(item, depot));
        // A conflict that is known already outweighs it: two contents must not live side by side.
        const bool refused = item.error && item.error->code() == Errc::conflict;
        if (++item.holders == 1 && !refused) {
            ++archived_;
            archived_bytes_ += item.head.bytes;
        }
        if (!refused) conflicts_.erase(item.name.text);
        if (item.state == State::storing && !refused) item.state = State::safe;
        note_if_due(item);
    } else {
        Error error = std::move(stored).error();
        error.add_context(fmt::format("destination {}", parts_.depots[depot]->order().id));
        place.at = At::lacking;
        place.conflict = error.code() == Errc::conflict;
        place.why = error.message();
        // What somebody must decide weighs more than what passes.
        if (!item.error || error.code() == Errc::conflict) item.error = std::move(error);
    }
    if (--item.pending == 0) conclude(item);
    work_.notify_one();
    changed_.notify_all();
}

// Every destination has answered.
void Archiver::conclude(Item& item) {
    release(item);
    const bool conflict = item.error && item.error->code() == Errc::conflict;
    std::vector<WalLack> lacks;
    for (std::size_t i = 0; i < item.places.size(); ++i) {
        const Place& place = item.places[i];
        if (place.conflict)
            log::error("WAL conflict", {{"destination", parts_.depots[i]->order().id}, {"name", item.name.text}});
        if (place.at == At::lacking) lacks.push_back(lack_of(item, i));
    }
    if (!item.spooled_as.empty()) {
        leave_spool(item, std::move(lacks));
    } else if (item.holders > 0) {
        for (WalLack& lack : lacks) parts_.recorder.lacking(std::move(lack));
    }
    // None has it, or one has another content.
    if (item.state == State::storing) fail(item, *item.error);
    if (conflict && item.holders == 0 && !item.spooled_as.empty()) refuse(item.name.text, *item.error);
    changed_.notify_all();
}

void Archiver::release(Item& item) {
    packed_bytes_ -= item.object->bytes.size();
    item.object.reset();
    work_.notify_all();
}

void Archiver::fail(Item& item, Error error) {
    item.state = State::failed;
    item.error = std::move(error);
    item.file.reset();
    changed_.notify_all();
}

void Archiver::refuse(const std::string& name, const Error& error) {
    if (conflicts_.size() < kConflictsMax) conflicts_.insert(name);
    conflict_why_ = error.message();
    log::error("WAL refused", {{"name", name}, {"error", error.message()}});
}

// A row follows its object, and follows the acknowledgement: what was only stored ahead may lie behind a hole.
void Archiver::note_if_due(Item& item) {
    if (item.noted || item.holders == 0 || !(item.acknowledged || item.from_spool)) return;
    item.noted = true;
    parts_.recorder.stored({item.name, item.head, item.stored_bytes, item.content});
}

// Only segments: without its history a timeline is of no use, and what else there is is small.
bool Archiver::must_drop(const wal::WalName& name) const { return name.kind == wal::NameKind::segment && overflows(); }

// PostgreSQL asks for nothing else before it is archived, so that segments could not be dropped behind it.
bool Archiver::must_keep(const wal::WalName& name) const { return name.kind != wal::NameKind::segment && overflows(); }

// Under `drop`: the backlog has the size that was agreed on, and storing it does not keep up.
bool Archiver::overflows() const {
    if (parts_.config.on_overflow != "drop") return false;
    if (backlog_.waiting_bytes() <= parts_.config.overflow_bytes) return false;
    const auto full = backlog_.seconds_to_full();
    return failed_lately() || (full && *full < kSoonFullS);
}

bool Archiver::failed_lately() const { return failing_ && steady_ms() - failed_at_ < kTroubleMs; }

Result<> Archiver::drop(Lock& lock, const wal::WalName& name) {
    WalGap gap;
    gap.timeline = name.timeline;
    const std::uint64_t number = TRY(wal::segment_number(name, parts_.segment_bytes));
    gap.start = wal::start_of_segment(number, parts_.segment_bytes);
    gap.end = gap.start + parts_.segment_bytes;
    gap.started_at = gap.ended_at = parts_.clock.now_ms();
    gap.reason = "dropped";
    lock.unlock();
    // On disk before PostgreSQL hears that it may forget the segment.
    const Result<> noted = parts_.recorder.gap(parts_.system_id, gap);
    lock.lock();
    if (!noted) return noted.error();
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
    status.why = conflicts_.empty() ? why_ : conflict_why_;
    const bool late = oldest_waiting_ && now - *oldest_waiting_ > kLaggingMs;
    const bool full_soon = status.seconds_to_full && *status.seconds_to_full < 6 * 3600;
    if (!conflicts_.empty()) {
        status.state = "conflict";
    } else if (dropping_) {
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
