// The archiver's side of its spool: what goes in before it is acknowledged, and how it leaves again.
#include <fmt/format.h>

#include "agent/archiver/archiver.h"
#include "common/log.h"

namespace backstay::archiver {
namespace {

constexpr std::size_t kQueueMax = 24;  // of what is taken up at once
constexpr std::int64_t kRetryMs = 5'000;
constexpr std::int64_t kRetryConflictMs = 600'000;

}  // namespace

Result<> Archiver::put_into_spool(Lock& lock, Item& item) {
    const std::string key = wal::archive_key("", item.name, item.head.digest(), parts_.depots.front()->encrypted());
    const std::string file = key.substr(key.rfind('/') + 1);
    lock.unlock();
    Result<> put = spool_.put(file, *item.object);
    lock.lock();
    if (!put) return put;
    item.spooled_as = file;
    item.state = State::safe;
    changed_.notify_all();
    return {};
}

// False: other content waits there under that name, and the item has failed.
bool Archiver::spool(Lock& lock, Item& item) {
    Result<> put = put_into_spool(lock, item);
    if (put) return true;
    if (put.error().code() == Errc::conflict) {
        release(item);
        fail(item, std::move(put).error());
        return false;
    }
    // As slow as without a spool then, and as safe.
    log::warning("WAL spool", {{"error", put.error().message()}});
    return true;
}

// What hangs in its destinations: puts it into the spool meanwhile.
void Archiver::keep(Lock& lock, Item& item) {
    // As if one more had not answered, so that the object stays.
    ++item.pending;
    const Result<> put = put_into_spool(lock, item);
    if (!put) log::warning("WAL spool", {{"error", put.error().message()}});
    if (--item.pending == 0) conclude(item);
}

// Once one destination has it, and what others lack is on disk.
void Archiver::leave_spool(Item& item, std::vector<WalLack> lacks) {
    const bool conflict = item.error && item.error->code() == Errc::conflict;
    if (item.holders == 0) {
        if (!conflict) return;
        // It was acknowledged: somebody has to decide, and it stays until then.
        refused_[item.spooled_as] = steady_ms() + kRetryConflictMs;
        for (WalLack& lack : lacks) parts_.recorder.lacking(std::move(lack));
        return;
    }
    refused_.erase(item.spooled_as);
    Leaving leaving{std::exchange(item.spooled_as, {}), {}};
    if (!lacks.empty()) leaving.noted = parts_.recorder.lacking_now(std::move(lacks));
    leaving_.push_back(std::move(leaving));
    work_.notify_all();
}

void Archiver::clear_spool(Lock& lock) {
    std::deque<Leaving> left = std::exchange(leaving_, {});
    while (!left.empty()) {
        Leaving one = std::move(left.front());
        left.pop_front();
        const bool ready =
            !one.noted.valid() || one.noted.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
        if (!ready) {
            leaving_.push_back(std::move(one));
            continue;
        }
        // Not noted: the file stays, and is taken up anew.
        if (one.noted.valid() && !one.noted.get()) continue;
        lock.unlock();
        const auto removed = spool_.remove(one.file);
        lock.lock();
        if (!removed) log::warning("WAL spool", {{"error", removed.error().message()}});
    }
}

// What an earlier life, or a time without destinations, left in the spool.
void Archiver::take_up_spool(Lock& lock) {
    if (taking_up_ || steady_ms() < spool_due_) return;
    taking_up_ = true;
    lock.unlock();
    const auto files = spool_.files();
    lock.lock();
    if (!files) log::warning("WAL spool", {{"error", files.error().message()}});
    for (std::size_t i = 0; files && i < files->size() && queue_.size() < kQueueMax && !ending_; ++i) {
        take_up(lock, (*files)[i]);
    }
    taking_up_ = false;
    spool_due_ = steady_ms() + kRetryMs;
}

bool Archiver::may_take_up(const std::string& name, const std::string& file) const {
    const auto refused = refused_.find(file);
    if (refused != refused_.end() && steady_ms() < refused->second) return false;
    for (const Leaving& leaving : leaving_) {
        if (leaving.file == file) return false;
    }
    const auto found = items_.find(name);
    return found == items_.end() || found->second->idle();
}

void Archiver::take_up(Lock& lock, const std::string& file) {
    const std::string text = file.substr(0, file.find(".zst"));
    const auto name = wal::parse_wal_name(text.substr(0, text.rfind('-')));
    if (!name || !may_take_up(name->text, file)) return;
    lock.unlock();
    auto head = spool_.head(file);
    lock.lock();
    if (!head) {
        if (head.error().code() != Errc::not_found) {
            log::error("WAL spool", {{"file", file}, {"error", head.error().message()}});
        }
        return;
    }
    forget_old();
    // Whatever stands there by now may be in use.
    if (!may_take_up(name->text, file) || ending_) return;
    auto item = std::make_unique<Item>();
    item->name = *name;
    item->from_spool = true;
    item->spooled_as = file;
    item->head = std::move(*head);
    item->touched = steady_ms();
    const auto before = items_.find(name->text);
    if (before != items_.end() && before->second->head.digest() == item->head.digest()) {
        item->identity = before->second->identity;
    }
    Item* taken = item.get();
    items_.insert_or_assign(name->text, std::move(item));
    queue_.push_back(taken);
    work_.notify_one();
}

}  // namespace backstay::archiver
