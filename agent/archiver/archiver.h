// Archives the WAL of one cluster: takes segments from PostgreSQL's hook, packs them, stores them in every destination,
// and acknowledges each in the order in which it is asked for, never before it is safe. Segments that wait behind the
// one that is asked for are stored ahead of time, so that their acknowledgement is there when their turn comes.
//
// Safe means: one destination holds it, and it is on disk which others do not (`ack = "remote"`), or this host's spool
// holds it until both is so (`ack = "spool"`; under `on_overflow = "drop"` also what is never dropped, once segments
// are). Destinations that lack a segment are filled later from one that has it. Any thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "agent/archiver/backlog.h"
#include "agent/archiver/depot.h"
#include "agent/archiver/descriptor.h"
#include "agent/archiver/recorder.h"
#include "agent/archiver/spool.h"
#include "agent/config/config.h"
#include "agent/wal/archived_object.h"
#include "common/clock.h"

namespace backstay::archiver {

// The `why` of a lack whose transfer is under way.
inline constexpr std::string_view kOnItsWay = "on its way";

struct PushedFile {
    wal::WalName name;
    Fd file;
};

struct PushOrder {
    PushedFile file;
    std::vector<PushedFile> ahead;  // what waits behind it
    std::uint64_t ready = 1;        // how many wait, this one included
    std::uint64_t free_bytes = 0;   // of pg_wal's file system
    std::uint64_t total_bytes = 0;
    std::function<bool()> gone;  // whoever asks is not there any more
};

struct ArchiverParts {
    WalConfig config;
    std::string system_id;
    std::string folder;
    std::uint64_t segment_bytes = wal::kDefaultSegmentBytes;
    std::string spool_folder;
    const StreamKey* key = nullptr;  // with encryption
    std::vector<std::unique_ptr<Depot>> depots;
    Recorder& recorder;
    const Clock& clock;
    std::size_t packers = 2;
};

struct ArchiverStatus {
    std::string state = "idle";  // idle, ok, lagging, failing, conflict, dropping
    std::string why;
    std::optional<TimeMs> last_archived_at;
    std::string last_archived;
    std::int64_t failed_count = 0;
    std::uint64_t waiting_bytes = 0;
    std::optional<std::int64_t> lag_seconds;
    std::optional<double> growth;  // bytes a second
    std::optional<std::int64_t> seconds_to_full;
    std::uint64_t spool_bytes = 0;
    std::uint64_t archived = 0;  // since the start: files, and bytes of their content
    std::uint64_t archived_bytes = 0;
    std::uint64_t dropped = 0;
};

class Archiver {
public:
    explicit Archiver(ArchiverParts parts);
    // What is under way is given up; what was not acknowledged comes again.
    ~Archiver();
    Archiver(const Archiver&) = delete;
    Archiver& operator=(const Archiver&) = delete;

    // Success: PostgreSQL may forget the file. Blocks for at most kPatienceMs. `conflict`: other content is archived
    // under that name, or the file is of another cluster; that stays so.
    Result<> push(PushOrder order);
    static constexpr std::int64_t kPatienceMs = 50'000;
    // Of packed objects in memory; each depot may hold up its share.
    static constexpr std::uint64_t kPackedBytesMax = 96ULL << 20;

    // Answers whoever waits, and takes nothing more: to be called before the object may go.
    void end();
    ArchiverStatus status() const;
    const ArchiverParts& parts() const { return parts_; }

private:
    enum class State { waiting, packing, storing, safe, failed };
    enum class At { asked, held, lacking };
    // The item in one destination.
    struct Place {
        At at = At::asked;
        bool noted = false;  // on disk: it lacks the item
        bool conflict = false;
        std::string why = std::string(kOnItsWay);
    };
    struct Item {
        wal::WalName name;
        Fd file;
        FileIdentity identity;
        State state = State::waiting;
        std::optional<wal::PackedObject> object;
        wal::ObjectHead head;
        std::string content;      // of a history file
        std::string spooled_as;   // its file in the spool
        bool from_spool = false;  // nobody waits for it
        std::vector<Place> places;
        std::size_t pending = 0;  // depots that have not answered
        std::size_t holders = 0;
        std::uint64_t stored_bytes = 0;
        std::optional<Error> error;
        bool acknowledged = false;
        bool noted = false;
        std::int64_t touched = 0;
        std::size_t watched = 0;  // pushes that wait for it

        bool idle() const { return (state == State::safe || state == State::failed) && pending == 0 && watched == 0; }
        // PostgreSQL may forget it.
        bool secured() const;
        bool hangs() const;  // packed, and its destinations do not answer
    };
    // A file of the spool that goes when it is on disk which destinations lack it.
    struct Leaving {
        std::string file;
        std::future<Result<>> noted;  // not valid: nothing lacks it
    };
    using Lock = std::unique_lock<std::mutex>;

    Result<> archive(Lock& lock, PushOrder& order);
    Result<> await(Lock& lock, Item& item, const PushOrder& order);
    Result<> note_lacks(Lock& lock, const std::function<bool()>& over);
    Item* admit(PushedFile file, bool asked_for);
    void forget_old();
    bool may_pack() const;
    void pack_all();
    void pack(Lock& lock, Item& item, wal::Packer& packer);
    Result<> load(Item& item, wal::Packer& packer);
    Result<> put_into_spool(Lock& lock, Item& item);
    bool spool(Lock& lock, Item& item);
    void distribute(Lock& lock, Item& item);
    Depot::Offer offer(Lock& lock, Item& item, std::size_t depot, bool insist);
    void settle(Item& item, std::size_t depot, Result<wal::StoredWal> stored);
    void conclude(Item& item);
    void leave_spool(Item& item, std::vector<WalLack> lacks);
    void clear_spool(Lock& lock);
    void release(Item& item);
    void fail(Item& item, Error error);
    void refuse(const std::string& name, const Error& error);
    void note_if_due(Item& item);
    void take_up_spool(Lock& lock);
    void take_up(Lock& lock, const std::string& file);
    bool may_take_up(const std::string& name, const std::string& file) const;
    bool overflows() const;
    bool must_drop(const wal::WalName& name) const;
    bool must_keep(const wal::WalName& name) const;
    void keep(Lock& lock, Item& item);
    Result<> drop(Lock& lock, const wal::WalName& name);
    bool failed_lately() const;
    WalLack lack_of(const Item& item, std::size_t depot) const;

    ArchiverParts parts_;
    Spool spool_;
    mutable std::mutex mutex_;
    std::condition_variable work_;     // for packers
    std::condition_variable changed_;  // for those who push
    std::map<std::string, std::unique_ptr<Item>> items_;
    std::deque<Item*> queue_;
    std::uint64_t packed_bytes_ = 0;
    bool ending_ = false;
    // What status() tells.
    Backlog backlog_;
    bool failing_ = false;
    std::set<std::string> conflicts_;  // names that were refused
    std::string conflict_why_;
    std::string why_;
    bool dropping_ = false;
    std::int64_t failed_at_ = 0;  // steady_ms()
    std::int64_t failed_count_ = 0;
    std::optional<TimeMs> oldest_waiting_;
    std::optional<TimeMs> last_at_;
    std::string last_name_;
    std::uint64_t archived_ = 0;
    std::uint64_t archived_bytes_ = 0;
    std::uint64_t dropped_ = 0;
    // The spool's.
    std::deque<Leaving> leaving_;
    std::map<std::string, std::int64_t> refused_;  // files in conflict, and when they are tried again
    bool taking_up_ = false;
    std::int64_t spool_due_ = 0;  // steady_ms()
    std::vector<std::thread> packers_;
};

}  // namespace backstay::archiver
