// Writes into the agent's state what the archive has got. Rows follow objects and are gathered for a moment: what a
// crash keeps from being written, catch_up() reads back from a destination.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "agent/state/wal.h"
#include "agent/wal/archived_object.h"
#include "common/clock.h"

namespace backstay::archiver {

struct NotedFile {
    wal::WalName name;
    wal::ObjectHead head;
    std::uint64_t stored_bytes = 0;
    std::string content;  // of a history file
};

class Recorder {
public:
    // `on_jump` is called on the recorder's thread after a segment was noted that does not follow the one before: the
    // first of a cluster, or one behind a hole.
    Recorder(std::string state_dir, const Clock& clock, std::function<void()> on_jump);
    // Writes what is left.
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    // Any thread; these return at once.
    void stored(NotedFile file);
    void lacking(WalLack lack);
    void filled(WalLack lack);
    // As lacking(), but without gathering first; answers when all of them are on disk, or why they are not: then they
    // are given up. In the order of calls with those above.
    std::future<Result<>> lacking_now(std::vector<WalLack> lacks);
    // These return when it is on disk.
    Result<> gap(const std::string& system_id, const WalGap& gap);
    Result<> cluster(const WalCluster& cluster);
    // Waits until all of the above is written: `timed_out` or `cancelled` otherwise.
    Result<> flush(const std::stop_token& stop, std::int64_t patience_ms);

private:
    struct Filled {
        WalLack lack;
    };
    struct Urgent {
        std::vector<WalLack> lacks;
        std::promise<Result<>> written;
    };
    using Note = std::variant<NotedFile, WalLack, Filled, Urgent>;
    void add(Note note);
    static void give_up(Note& note, const Error& error);
    void work();
    Result<> write_all(std::optional<sqlite::Database>& database, std::deque<Note>& notes);
    Result<> write_each(sqlite::Database& database, std::deque<Note>& notes);
    Result<> write(sqlite::Database& database, const std::deque<Note>& notes);
    bool jumps(const std::deque<Note>& notes);
    Result<> write_one(WalRepository& repository, const Note& note);

    std::string state_dir_;
    const Clock& clock_;
    std::function<void()> on_jump_;
    // Of each cluster: what follows the last segment noted. The thread's own.
    std::map<std::string, std::pair<wal::Timeline, std::uint64_t>> next_;
    std::mutex mutex_;
    std::condition_variable work_;
    std::condition_variable idle_;
    std::deque<Note> notes_;
    bool writing_ = false;
    bool urgent_ = false;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace backstay::archiver
