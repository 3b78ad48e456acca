#include "agent/archiver/recorder.h"

#include <chrono>
#include <optional>
#include <utility>

#include "agent/state/state.h"
#include "common/log.h"
#include "common/sqlite/transaction.h"

namespace backstay::archiver {
namespace {

constexpr auto kGather = std::chrono::milliseconds(200);
constexpr auto kPause = std::chrono::seconds(2);
// More waits only when the state's disk refuses; the archive itself remains the truth.
constexpr std::size_t kNotesMax = 20'000;

}  // namespace

Recorder::Recorder(std::string state_dir, const Clock& clock, std::function<void()> on_jump)
    : state_dir_(std::move(state_dir)), clock_(clock), on_jump_(std::move(on_jump)), thread_([this] { work(); }) {}

Recorder::~Recorder() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    work_.notify_all();
    thread_.join();
}

void Recorder::add(Note note) {
    const std::lock_guard lock(mutex_);
    if (notes_.size() >= kNotesMax) {
        give_up(notes_.front(), Error(Errc::exhausted, "too much waits to be noted"));
        notes_.pop_front();
    }
    urgent_ = urgent_ || std::holds_alternative<Urgent>(note);
    notes_.push_back(std::move(note));
    work_.notify_all();
}

void Recorder::stored(NotedFile file) { add(std::move(file)); }
void Recorder::lacking(WalLack lack) { add(std::move(lack)); }
void Recorder::filled(WalLack lack) { add(Filled{std::move(lack)}); }

std::future<Result<>> Recorder::lacking_now(std::vector<WalLack> lacks) {
    Urgent urgent{std::move(lacks), {}};
    std::future<Result<>> written = urgent.written.get_future();
    add(std::move(urgent));
    return written;
}

Result<> Recorder::gap(const std::string& system_id, const WalGap& gap) {
    sqlite::Database database = TRY(open_state(state_dir_));
    return WalRepository(database).add_gap(system_id, gap);
}

Result<> Recorder::cluster(const WalCluster& cluster) {
    sqlite::Database database = TRY(open_state(state_dir_));
    return WalRepository(database).put_cluster(cluster);
}

Result<> Recorder::flush(const std::stop_token& stop, std::int64_t patience_ms) {
    const std::int64_t deadline = steady_ms() + patience_ms;
    std::unique_lock lock(mutex_);
    while (!notes_.empty() || writing_) {
        if (stop.stop_requested()) return Error(Errc::cancelled, "the agent is stopping");
        if (steady_ms() >= deadline) return Error(Errc::timed_out, "what was archived is not noted yet");
        idle_.wait_for(lock, kGather);
    }
    return {};
}

void Recorder::give_up(Note& note, const Error& error) {
    if (auto* urgent = std::get_if<Urgent>(&note)) urgent->written.set_value(error);
}

void Recorder::work() {
    std::optional<sqlite::Database> database;
    std::unique_lock lock(mutex_);
    while (true) {
        work_.wait(lock, [this] { return ending_ || !notes_.empty(); });
        if (notes_.empty()) return;
        work_.wait_for(lock, kGather, [this] { return ending_ || urgent_; });
        std::deque<Note> notes = std::exchange(notes_, {});
        writing_ = true;
        urgent_ = false;
        lock.unlock();
        const Result<> written = write_all(database, notes);
        if (!written) {
            log::warning("WAL not noted", {{"error", written.error().message()}, {"files", notes.size()}});
            // Who waits for one asks again by himself.
            for (Note& note : notes) give_up(note, written.error());
            std::erase_if(notes, [](const Note& note) { return std::holds_alternative<Urgent>(note); });
        }
        lock.lock();
        writing_ = false;
        if (!written && !ending_ && notes.size() + notes_.size() <= kNotesMax) {
            notes_.insert(notes_.begin(), std::make_move_iterator(notes.begin()), std::make_move_iterator(notes.end()));
            work_.wait_for(lock, kPause, [this] { return ending_ || urgent_; });
        }
        if (notes_.empty()) idle_.notify_all();
    }
}

// What is not written stays in `notes`.
Result<> Recorder::write_all(std::optional<sqlite::Database>& database, std::deque<Note>& notes) {
    if (!database) database.emplace(TRY(open_state(state_dir_)));
    if (!write(*database, notes)) return write_each(*database, notes);
    for (Note& note : notes) {
        if (auto* urgent = std::get_if<Urgent>(&note)) urgent->written.set_value({});
    }
    if (jumps(notes) && on_jump_) on_jump_();
    return {};
}

// One that can never be written must not keep the others from it.
Result<> Recorder::write_each(sqlite::Database& database, std::deque<Note>& notes) {
    while (!notes.empty()) {
        std::deque<Note> one;
        one.push_back(std::move(notes.front()));
        notes.pop_front();
        const Result<> written = write(database, one);
        if (written) {
            if (auto* urgent = std::get_if<Urgent>(&one.front())) urgent->written.set_value({});
            if (jumps(one) && on_jump_) on_jump_();
            continue;
        }
        const Errc code = written.error().code();
        if (code != Errc::invalid && code != Errc::conflict) {
            notes.push_front(std::move(one.front()));
            return written;
        }
        log::error("WAL cannot be noted", {{"error", written.error().message()}});
        give_up(one.front(), written.error());
    }
    return {};
}

Result<> Recorder::write(sqlite::Database& database, const std::deque<Note>& notes) {
    WalRepository repository(database);
    sqlite::Transaction transaction = TRY(sqlite::Transaction::begin(database));
    for (const Note& note : notes) TRY(write_one(repository, note));
    return transaction.commit();
}

bool Recorder::jumps(const std::deque<Note>& notes) {
    bool jumped = false;
    for (const Note& note : notes) {
        const auto* file = std::get_if<NotedFile>(&note);
        if (file == nullptr || file->name.kind != wal::NameKind::segment) continue;
        const auto number = wal::segment_number(file->name, file->head.segment_bytes);
        if (!number) continue;
        auto& next = next_[file->head.system_id];
        jumped = jumped || next != std::pair(file->name.timeline, *number);
        next = {file->name.timeline, *number + 1};
    }
    return jumped;
}

Result<> Recorder::write_one(WalRepository& repository, const Note& note) {
    if (const auto* lack = std::get_if<WalLack>(&note)) return repository.put_lack(*lack);
    if (const auto* filled = std::get_if<Filled>(&note)) return repository.remove_lack(filled->lack);
    if (const auto* urgent = std::get_if<Urgent>(&note)) {
        for (const WalLack& lack : urgent->lacks) TRY(repository.put_lack(lack));
        return {};
    }
    const NotedFile& file = std::get<NotedFile>(note);
    const TimeMs now = clock_.now_ms();
    if (file.name.kind == wal::NameKind::history) {
        return repository.put_history(file.head.system_id, file.name.timeline, file.content, now);
    }
    if (file.name.kind != wal::NameKind::segment) return {};
    WalSegment segment;
    segment.timeline = file.name.timeline;
    segment.number = TRY(wal::segment_number(file.name, file.head.segment_bytes));
    segment.digest = file.head.digest();
    if (file.head.first_commit) segment.first_commit = file.head.first_commit->ms;
    if (file.head.last_commit) segment.last_commit = file.head.last_commit->ms;
    segment.stored_bytes = file.stored_bytes;
    segment.archived_at = now;
    return repository.put_segment(file.head.system_id, segment);
}

}  // namespace backstay::archiver
