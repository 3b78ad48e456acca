#include "agent/postgres/parallel_dump.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "common/clock.h"
#include "common/process/spawn.h"

namespace backstay::postgres {
namespace {

constexpr std::string_view kTableOfContents = "toc.dat";

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

// Bytes of the files in a folder; files that vanish meanwhile do not count.
std::uint64_t bytes_in(const std::string& folder) {
    DIR* stream = ::opendir(folder.c_str());
    if (stream == nullptr) return 0;
    std::uint64_t bytes = 0;
    while (const dirent* entry = ::readdir(stream)) {
        struct stat about {};
        if (::fstatat(::dirfd(stream), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (S_ISREG(about.st_mode)) bytes += static_cast<std::uint64_t>(about.st_size);
    }
    ::closedir(stream);
    return bytes;
}

}  // namespace

class ParallelDump::State {
public:
    State(DumpRequest request, std::string folder, Fd inotify, Fd ended)
        : request_(std::move(request)),
          folder_(std::move(folder)),
          inotify_(std::move(inotify)),
          ended_event_(std::move(ended)) {}

    ~State() {
        let_go_on();
        stop_.request_stop();
        if (watcher_.joinable()) watcher_.join();
    }

    void start(std::int32_t jobs) {
        forward_.emplace(request_.stop, [this] { stop_.request_stop(); });
        watcher_ = std::thread([this, jobs]() noexcept {
            lower_priority(request_.priority);
            Result<> result = run(jobs);
            const std::lock_guard lock(mutex_);
            result_ = std::move(result);
            static_cast<void>(::eventfd_write(ended_event_.get(), 1));
        });
    }

    Result<std::optional<std::string>> next(std::uint64_t most_pending_bytes) {
        while (finished_.empty() && !ended_) {
            hold_back(most_pending_bytes);
            TRY(wait_for_news());
        }
        hold_back(most_pending_bytes);
        if (finished_.empty()) {
            if (!table_of_contents_) return std::optional<std::string>();
            table_of_contents_ = false;
            return std::optional<std::string>(kTableOfContents);
        }
        std::string name = std::move(finished_.front());
        finished_.pop_front();
        return std::optional<std::string>(std::move(name));
    }

private:
    Result<> run(std::int32_t jobs) {
        DumpRequest request = request_;
        request.stop = stop_.get_token();
        ProcessSpec spec = dump_process(request);
        spec.argv.insert(spec.argv.end(),
                         {"--format=directory", "--no-sync", fmt::format("--jobs={}", jobs), "--file=" + folder_});
        spec.pipe_stdout = false;
        auto child = TRY(Subprocess::start(std::move(spec)));
        group_ = child->pid();
        Result<> result = child->wait_success();
        group_ = 0;
        return result;
    }

    // pg_dump writes at its own pace; when its reader is slower (a rate limit, a slow destination), scratch would fill.
    void hold_back(std::uint64_t most_pending_bytes) {
        const std::int64_t now = steady_ms();
        if (!held_ && now - looked_at_ms_ < 250) return;  // a database has a thousand files: looking is not free
        looked_at_ms_ = now;
        const std::uint64_t pending = bytes_in(folder_);
        if (!held_ && pending > most_pending_bytes && !finished_.empty() && group_ != 0) {
            held_ = ::kill(-group_, SIGSTOP) == 0;
        } else if (held_ && (pending < most_pending_bytes / 2 || finished_.empty())) {
            // With nothing finished to read, only pg_dump itself can free space: by ending a file.
            let_go_on();
        }
    }

    void let_go_on() {
        if (held_ && group_ != 0) ::kill(-group_, SIGCONT);
        held_ = false;
    }

    Result<> wait_for_news() {
        std::array<pollfd, 2> polled{pollfd{inotify_.get(), POLLIN, 0}, pollfd{ended_event_.get(), POLLIN, 0}};
        const int count = ::poll(polled.data(), polled.size(), 500);
        if (count < 0 && errno != EINTR) return Error::from_errno(errno, "wait for the dump");
        // In this order: what closed before the end is in the queue when the end is seen.
        const bool ended = count > 0 && polled[1].revents != 0;
        TRY(take_events());
        if (!ended) return {};
        const std::lock_guard lock(mutex_);
        if (!result_) return classify_dump_error(result_.error());
        ended_ = true;
        return notice_the_rest();
    }

    // Everything in the folder is finished now. The kernel keeps 16384 events at most, and a database with many large
    // objects has more files than that.
    Result<> notice_the_rest() {
        const std::unique_ptr<DIR, CloseFolder> stream(::opendir(folder_.c_str()));
        if (!stream) return Error::from_errno(errno, "read " + folder_);
        errno = 0;
        while (const dirent* entry = ::readdir(stream.get())) {
            const std::string name = entry->d_name;
            if (name != "." && name != "..") took_notice(name);
            errno = 0;
        }
        return errno == 0 ? Result<>() : Error::from_errno(errno, "read " + folder_);
    }

    Result<> take_events() {
        alignas(inotify_event) std::array<char, 16 * 1024> buffer{};
        while (true) {
            const ssize_t count = ::read(inotify_.get(), buffer.data(), buffer.size());
            if (count < 0 && errno == EINTR) continue;
            if (count < 0 && errno == EAGAIN) return {};
            if (count < 0) return Error::from_errno(errno, "watch the scratch folder");
            for (ssize_t at = 0; at < count;) {
                const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
                at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
                // What is lost when the queue overflows (IN_Q_OVERFLOW: no name) is found at the end.
                if (event->len > 0) took_notice(event->name);
            }
        }
    }

    void took_notice(const std::string& name) {
        if (!seen_.insert(name).second) return;
        if (name == kTableOfContents) {
            table_of_contents_ = true;
        } else {
            finished_.push_back(name);
        }
    }

    DumpRequest request_;
    std::string folder_;
    Fd inotify_;
    Fd ended_event_;
    std::stop_source stop_;
    std::optional<std::stop_callback<std::function<void()>>> forward_;
    std::atomic<pid_t> group_ = 0;
    bool held_ = false;
    std::int64_t looked_at_ms_ = 0;
    std::mutex mutex_;
    Result<> result_;
    bool ended_ = false;
    bool table_of_contents_ = false;
    std::deque<std::string> finished_;
    std::set<std::string> seen_;
    std::thread watcher_;
};

ParallelDump::ParallelDump(std::unique_ptr<State> state) : state_(std::move(state)) {}
ParallelDump::~ParallelDump() = default;

Result<std::unique_ptr<ParallelDump>> ParallelDump::start(const DumpRequest& request, const std::string& folder,
                                                          std::int32_t jobs) {
    Fd inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!inotify.open()) return Error::from_errno(errno, "inotify");
    if (::inotify_add_watch(inotify.get(), folder.c_str(), IN_CLOSE_WRITE) < 0) {
        return Error::from_errno(errno, "watch " + folder);
    }
    Fd ended(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!ended.open()) return Error::from_errno(errno, "eventfd");
    auto state = std::make_unique<State>(request, folder, std::move(inotify), std::move(ended));
    state->start(jobs);
    return std::unique_ptr<ParallelDump>(new ParallelDump(std::move(state)));
}

Result<std::optional<std::string>> ParallelDump::next(std::uint64_t most_pending_bytes) {
    return state_->next(most_pending_bytes);
}

}  // namespace backstay::postgres
