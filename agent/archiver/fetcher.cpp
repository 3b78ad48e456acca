#include "agent/archiver/fetcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sendfile.h>

#include <chrono>

#include "common/files/files.h"
#include "common/log.h"

namespace backstay::archiver {
namespace {

constexpr auto kUnasked = std::chrono::seconds(60);
constexpr std::size_t kIdleMax = 4;
constexpr std::int64_t kPatienceMs = 50'000;
constexpr auto kTick = std::chrono::milliseconds(250);

}  // namespace

Fetcher::Fetcher(FetcherParts parts) : parts_(std::move(parts)) {
    for (std::size_t i = 0; i < parts_.threads; ++i) threads_.emplace_back([this] { work(); });
}

Fetcher::~Fetcher() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    stop_.request_stop();
    work_.notify_all();
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

Result<Fd> Fetcher::fetch(FetchOrder order) {
    std::optional<Home> home = home_of(order.into, false);
    // The file of another user says nothing about who asks.
    if (home && home->user != order.user) home.reset();
    Scratch ready;
    {
        std::unique_lock lock(mutex_);
        take_in(std::move(order.spares), home);
        if (order.name.kind == wal::NameKind::segment) plan(order.name);
        TRY(await(lock, order.name.text, order.gone));
        const auto found = ahead_.find(order.name.text);
        if (found != ahead_.end()) {
            if (found->second.state == State::there) ready = std::move(found->second.scratch);
            ahead_.erase(found);
            work_.notify_all();
        }
    }
    if (ready.home && ready.home == home) return std::move(ready.file);
    // Who sent a spare may still write to it: for anybody else its content proves nothing any more.
    if (ready.file.get() < 0 || ready.home) {
        TRY(fetch_now(order.name, order.into, stop_.get_token()));
        return Fd();
    }
    TRY(copy(ready.file, order.into));
    return Fd();
}

// A spare must be what was asked for, since its owner is handed it back as one of his own.
std::optional<Fetcher::Home> Fetcher::home_of(const Fd& file, bool spare) {
    struct stat about {};
    if (::fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode)) return std::nullopt;
    const bool open = (::fcntl(file.get(), F_GETFL) & O_ACCMODE) == O_RDWR;
    if (spare && (about.st_nlink != 0 || about.st_size != 0 || !open)) return std::nullopt;
    return Home{about.st_dev, about.st_uid};
}

void Fetcher::take_in(std::vector<Fd> spares, const std::optional<Home>& home) {
    if (spares.empty() || !home) return;
    if (!spares_.empty() && spares_.front().home != home) spares_.clear();
    for (Fd& spare : spares) {
        if (spares_.size() < parts_.ahead && home_of(spare, true) == home) {
            spares_.push_back({std::move(spare), home});
        }
    }
}

Fetcher::Scratch Fetcher::scratch() {
    if (spares_.empty()) {
        return {Fd(::open(parts_.scratch_folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)), std::nullopt};
    }
    Scratch spare = std::move(spares_.back());
    spares_.pop_back();
    return spare;
}

// One that nobody began is quicker done here.
Result<> Fetcher::await(std::unique_lock<std::mutex>& lock, const std::string& name,
                        const std::function<bool()>& gone) {
    const std::int64_t deadline = steady_ms() + kPatienceMs;
    while (true) {
        if (ending_ || stop_.stop_requested()) return Error(Errc::cancelled, "the agent is stopping");
        const auto found = ahead_.find(name);
        if (found == ahead_.end() || found->second.state != State::fetching) return {};
        if (gone && gone()) return Error(Errc::cancelled, "nobody waits for it any more");
        if (steady_ms() >= deadline) return Error(Errc::timed_out, name + " is still on its way from the archive");
        changed_.wait_for(lock, kTick);
    }
}

// What follows is fetched ahead; what lies before, or on another timeline, is of no use any more.
void Fetcher::plan(const wal::WalName& asked) {
    const auto number = wal::segment_number(asked, parts_.segment_bytes);
    if (!number) return;
    std::map<std::string, wal::WalName> wanted;
    for (std::uint64_t next = *number; next <= *number + parts_.ahead; ++next) {
        const std::string text = wal::segment_name(asked.timeline, next, parts_.segment_bytes);
        if (auto name = wal::parse_wal_name(text)) wanted.emplace(text, std::move(*name));
    }
    std::erase_if(ahead_,
                  [&](const auto& one) { return one.second.state != State::fetching && !wanted.contains(one.first); });
    for (auto& [text, name] : wanted) {
        Ahead& entry = ahead_[text];
        if (entry.name.text.empty() && text == asked.text) {
            ahead_.erase(text);
            continue;
        }
        // It may have come since it was looked for in vain.
        if (entry.state == State::failed) entry.state = State::waiting;
        entry.name = name;
        entry.touched = steady_ms();
    }
    work_.notify_all();
}

void Fetcher::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        auto next = ahead_.end();
        const auto waits = [&] {
            next = std::find_if(ahead_.begin(), ahead_.end(),
                                [](const auto& one) { return one.second.state == State::waiting; });
            return ending_ || next != ahead_.end();
        };
        if (!work_.wait_for(lock, kUnasked, waits)) {
            const std::int64_t old = steady_ms() - std::chrono::milliseconds(kUnasked).count();
            std::erase_if(ahead_, [&](const auto& one) {
                return one.second.state != State::fetching && one.second.touched < old;
            });
            if (ahead_.empty()) {
                spares_.clear();
                const std::lock_guard held(idle_mutex_);
                idle_.clear();
            }
            continue;
        }
        if (ending_) return;
        next->second.state = State::fetching;
        const wal::WalName name = next->second.name;
        Scratch into = scratch();
        const int why = errno;
        lock.unlock();
        const Result<> fetched = into.file.get() < 0 ? Result<>(Error::from_errno(why, "scratch file"))
                                                     : fetch_now(name, into.file, stop_.get_token());
        lock.lock();
        // What is being fetched is never taken away by others.
        Ahead& entry = ahead_[name.text];
        entry.state = fetched ? State::there : State::failed;
        if (fetched) {
            entry.scratch = std::move(into);
        } else if (into.home && (spares_.empty() || spares_.front().home == into.home)) {
            spares_.push_back(std::move(into));
        }
        changed_.notify_all();
    }
}

Result<Depot::Opened> Fetcher::take(const Depot& depot, const std::stop_token& stop) {
    {
        const std::lock_guard held(idle_mutex_);
        auto& waiting = idle_[&depot];
        if (!waiting.empty()) {
            Depot::Opened opened = std::move(waiting.back());
            waiting.pop_back();
            return opened;
        }
    }
    return depot.open(stop);
}

Result<Fetcher::Asked> Fetcher::ask(const Depot& depot, const wal::WalName& name, const Fd& into,
                                    const std::stop_token& stop) {
    Depot::Opened opened = TRY(take(depot, stop));
    // What an earlier destination gave before it failed is overwritten. An empty file is left as it is: ext4 writes
    // files that were truncated to the disk as soon as they are closed (auto_da_alloc), while recovery waits.
    const FileIdentity about = TRY(identify(into));
    if (about.bytes > 0 && ::ftruncate(into.get(), 0) != 0) return Error::from_errno(errno, "empty the file");
    DescriptorSink sink(into);
    const auto got = opened.archive->get(name, sink);
    Asked asked = Asked::has;
    if (!got) {
        if (got.error().code() != Errc::not_found) return got.error();
        // A disk that is not mounted holds nothing at all: only an archive can tell what it has not.
        const wal::WalPage any = TRY(opened.archive->list(0, "", 1));
        asked = any.files.empty() ? Asked::empty : Asked::has_not;
    }
    const std::lock_guard held(idle_mutex_);
    auto& waiting = idle_[&depot];
    if (waiting.size() < kIdleMax) waiting.push_back(std::move(opened));
    return asked;
}

Result<> Fetcher::fetch_now(const wal::WalName& name, const Fd& into, const std::stop_token& stop) {
    std::optional<Error> trouble;
    bool asked = false;
    const Depot* empty = nullptr;
    for (const Depot* depot : parts_.depots) {
        const auto answer = ask(*depot, name, into, stop);
        if (!answer) {
            log::warning(
                "WAL not fetched",
                {{"destination", depot->order().id}, {"name", name.text}, {"error", answer.error().message()}});
            trouble = answer.error();
        } else if (*answer == Asked::has) {
            return {};
        } else if (*answer == Asked::empty) {
            empty = depot;
        } else {
            asked = true;
        }
    }
    if (trouble) return std::move(*trouble);
    if (!asked) return Error(Errc::unavailable, "no destination holds anything of this archive");
    if (empty != nullptr && parts_.ought_to_be && TRY(parts_.ought_to_be(name))) {
        return Error(Errc::unavailable, fmt::format("{} was archived, and destination {} holds nothing of this archive",
                                                    name.text, empty->order().id))
            .with_hint("is its disk mounted?");
    }
    return Error(Errc::not_found, fmt::format("{} is in no archive", name.text));
}

Result<> Fetcher::copy(const Fd& from, const Fd& into) {
    const FileIdentity about = TRY(identify(from));
    off_t offset = 0;
    while (static_cast<std::uint64_t>(offset) < about.bytes) {
        const ssize_t count =
            ::sendfile(into.get(), from.get(), &offset, about.bytes - static_cast<std::uint64_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return Error::from_errno(count == 0 ? EIO : errno, "hand over WAL");
    }
    return {};
}

}  // namespace backstay::archiver
