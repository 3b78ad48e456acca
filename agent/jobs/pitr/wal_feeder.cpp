#include "agent/jobs/pitr/wal_feeder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/jobs/pitr/quoting.h"
#include "common/files/files.h"
#include "common/log.h"

namespace backstay::pitr {
namespace {

constexpr int kLookMs = 200;
constexpr std::size_t kNameMax = 64;

// Codes above 125 end a recovery; 1 means that there is no such file.
constexpr std::string_view kScript = R"(#!/bin/sh
# restore_command of a recovery: asks the job that runs it for the file $1 and puts it at $2.
here=${0%/*}
printf '%s\n' "$1" >"$here/ask" || exit 200
read -r answer <"$here/answer" || exit 200
case $answer in
  ready) ln -f "$here/ready/$1" "$2" 2>/dev/null || cp "$here/ready/$1" "$2" || exit 200 ;;
  absent) exit 1 ;;
  *) exit 200 ;;
esac
)";

bool is_wal_name(std::string_view name) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    if (name.size() == 24) return name.find_first_not_of(kHex) == std::string_view::npos;
    return name.size() == 16 && name.ends_with(".history") &&
           name.substr(0, 8).find_first_not_of(kHex) == std::string_view::npos;
}

Result<int> make_pipe(const std::string& path, const ServerUser& owner) {
    if (mkfifo(path.c_str(), 0600) != 0) return Error::from_errno(errno, "make " + path);
    TRY(give_to(owner, path));
    // Both ends, so that neither side ever waits for the other to open.
    const int fd = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return Error::from_errno(errno, "open " + path);
    return fd;
}

}  // namespace

Result<std::unique_ptr<WalFeeder>> WalFeeder::start(Parts parts) {
    std::unique_ptr<WalFeeder> feeder(new WalFeeder(std::move(parts)));
    TRY(feeder->open());
    WalFeeder& self = *feeder;
    for (std::size_t i = 0; i < self.parts_.fetchers; ++i) {
        self.threads_.emplace_back([&self]() noexcept { self.fetch_ahead(); });
    }
    self.threads_.emplace_back([&self]() noexcept { self.serve(); });
    return feeder;
}

WalFeeder::~WalFeeder() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    for (const int fd : {ask_, answer_}) {
        if (fd >= 0) close(fd);
    }
}

Result<> WalFeeder::open() {
    for (const std::string& folder : {parts_.folder, parts_.folder + "/ready"}) {
        TRY(make_passable(parts_.owner, folder));
    }
    const std::string script = parts_.folder + "/restore.sh";
    TRY(atomic_write(script, kScript, 0500));
    TRY(give_to(parts_.owner, script));
    ask_ = TRY(make_pipe(parts_.folder + "/ask", parts_.owner));
    answer_ = TRY(make_pipe(parts_.folder + "/answer", parts_.owner));
    return {};
}

std::string WalFeeder::restore_command() const {
    // A path may hold a percent sign, which PostgreSQL would take for a placeholder.
    std::string path = shell_quoted(parts_.folder + "/restore.sh");
    for (std::size_t at = path.find('%'); at != std::string::npos; at = path.find('%', at + 2)) path.insert(at, "%");
    return fmt::format("/bin/sh {} \"%f\" \"%p\"", path);
}

std::optional<Error> WalFeeder::failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
}

std::string WalFeeder::ready_path(const std::string& name) const {
    return fmt::format("{}/ready/{}", parts_.folder, name);
}

void WalFeeder::serve() {
    std::string line;
    while (true) {
        {
            const std::lock_guard lock(mutex_);
            if (ending_) return;
        }
        pollfd waiting{ask_, POLLIN, 0};
        if (::poll(&waiting, 1, kLookMs) <= 0) continue;
        char buffer[128];
        const ssize_t count = ::read(ask_, buffer, sizeof(buffer));
        if (count <= 0) continue;
        line.append(buffer, static_cast<std::size_t>(count));
        for (std::size_t end = line.find('\n'); end != std::string::npos; end = line.find('\n')) {
            const std::string said = answer(line.substr(0, end)) + "\n";
            line.erase(0, end + 1);
            if (::write(answer_, said.data(), said.size()) < 0) {
                log::warning("recovery not answered", {{"errno", errno}});
            }
        }
        if (line.size() > kNameMax) line.clear();
    }
}

std::string WalFeeder::answer(const std::string& name) {
    // Whoever asks again has what was handed over last. The folder is ours: nobody else may take it out.
    if (!handed_.empty()) ::unlink(ready_path(handed_).c_str());
    handed_.clear();
    if (!is_wal_name(name)) return "absent";
    std::unique_lock lock(mutex_);
    asked_ = name;
    const auto known = files_.find(name);
    // What was handed over before is fetched again: a recovery reads its first segments twice.
    if (known == files_.end()) {
        files_[name] = State::waiting;
        wanted_.insert(wanted_.begin(), name);
        changed_.notify_all();
    }
    const auto settled = [&] {
        const State state = files_[name];
        return ending_ || (state != State::waiting && state != State::fetching);
    };
    changed_.wait(lock, settled);
    const State state = files_[name];
    files_.erase(name);
    asked_.clear();
    if (ending_ || state == State::failed) return "failed";
    if (state == State::absent) return "absent";
    look_ahead_locked(name);
    lock.unlock();
    handed_ = name;
    changed_.notify_all();
    ++served_;
    if (parts_.on_served) parts_.on_served(name);
    return "ready";
}

// Asks for the files that come after `name`, as far as there is room for them.
void WalFeeder::look_ahead_locked(const std::string& name) {
    std::string next = name;
    for (std::size_t i = 0; i < parts_.ahead; ++i) {
        next = parts_.next ? parts_.next(next) : std::string();
        if (next.empty() || files_.size() >= 2 * parts_.ahead) return;
        if (files_.contains(next)) continue;
        files_[next] = State::waiting;
        wanted_.push_back(next);
    }
}

void WalFeeder::fetch_ahead() {
    auto fetch = parts_.make_fetch();
    std::unique_lock lock(mutex_);
    if (!fetch) {
        if (!failure_) failure_ = fetch.error();
        changed_.notify_all();
    }
    while (true) {
        changed_.wait(lock, [&] { return ending_ || !wanted_.empty(); });
        if (ending_) return;
        const std::string name = wanted_.front();
        wanted_.erase(wanted_.begin());
        if (!fetch) {
            files_[name] = State::failed;
            changed_.notify_all();
            continue;
        }
        take(name, *fetch, lock);
    }
}

void WalFeeder::take(const std::string& name, Fetch& fetch, std::unique_lock<std::mutex>& lock) {
    files_[name] = State::fetching;
    lock.unlock();
    const std::string path = ready_path(name);
    Result<> fetched = fetch(name, path + ".part");
    if (fetched) fetched = give_to(parts_.owner, path + ".part");
    if (fetched && ::rename((path + ".part").c_str(), path.c_str()) != 0) {
        fetched = Error::from_errno(errno, "rename " + path);
    }
    if (!fetched) ::unlink((path + ".part").c_str());
    lock.lock();
    if (fetched) {
        files_[name] = State::ready;
    } else if (fetched.error().code() == Errc::not_found) {
        files_[name] = State::absent;
    } else if (name != asked_) {
        // Ahead of its time: it is tried again when somebody needs it.
        files_.erase(name);
    } else {
        files_[name] = State::failed;
        if (!failure_) failure_ = std::move(fetched).error().add_context("fetch " + name);
    }
    changed_.notify_all();
}

}  // namespace backstay::pitr
