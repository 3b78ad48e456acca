#include "agent/archiver/filler.h"

#include <fmt/format.h>

#include <chrono>

#include "agent/state/state.h"
#include "common/log.h"

namespace backstay::archiver {
namespace {

constexpr auto kInterval = std::chrono::seconds(5);
constexpr std::size_t kAtOnce = 64;

}  // namespace

Filler::Filler(std::string state_dir, std::string system_id, std::vector<Depot*> depots, Recorder& recorder)
    : state_dir_(std::move(state_dir)),
      system_id_(std::move(system_id)),
      depots_(std::move(depots)),
      recorder_(recorder),
      thread_([this] { work(); }) {}

Filler::~Filler() {
    stop_.request_stop();
    {
        const std::lock_guard lock(mutex_);
        wake_.notify_all();
    }
    thread_.join();
}

void Filler::work() {
    std::optional<sqlite::Database> database;
    bool caught_up = false;
    while (true) {
        {
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, kInterval, [this] { return stop_.stop_requested(); });
        }
        if (stop_.stop_requested()) return;
        if (!database) {
            auto opened = open_state(state_dir_);
            if (!opened) continue;
            database.emplace(std::move(*opened));
        }
        if (!caught_up) {
            const auto read = catch_up(*database);
            caught_up = read.has_value();
            if (!read) log::warning("archive not read", {{"error", read.error().message()}});
        }
        for (Depot* depot : depots_) {
            if (stop_.stop_requested()) return;
            // Also how it is found out that a destination is back while no new WAL comes.
            if (depot->resting(clock_.now_ms())) continue;
            const auto filled = fill(*database, *depot);
            if (filled && *filled > 0) {
                log::info("WAL brought to a destination", {{"destination", depot->order().id}, {"files", *filled}});
            }
        }
    }
}

// Objects behind the last row, as far as they follow it without a hole; with no row at all, everything.
Result<> Filler::catch_up(sqlite::Database& database) {
    recorder_.flush();
    WalRepository repository(database);
    const auto cluster = TRY(repository.cluster(system_id_));
    const auto newest = TRY(repository.totals(system_id_)).newest;
    if (!cluster || depots_.empty()) return {};
    const Depot::Opened opened = TRY(depots_.front()->open(stop_.get_token()));
    wal::Timeline timeline = newest ? newest->timeline : 0;
    std::uint64_t next = newest ? newest->number + 1 : 0;
    std::string after;
    if (newest) {
        const wal::WalName name =
            TRY(wal::parse_wal_name(wal::segment_name(timeline, newest->number, cluster->segment_bytes)));
        after = wal::archive_key(cluster->folder, name, "", depots_.front()->encrypted());
    }
    do {
        const wal::WalPage page = TRY(opened.archive->list(0, after));
        for (const wal::ListedWal& listed : page.files) {
            if (stop_.stop_requested()) return {};
            const bool segment = listed.entry.name.kind == wal::NameKind::segment;
            if (segment && newest) {
                const std::uint64_t number = TRY(wal::segment_number(listed.entry.name, cluster->segment_bytes));
                if (listed.entry.name.timeline == timeline && number != next) continue;
                timeline = listed.entry.name.timeline;
                next = number + 1;
            }
            if (segment || listed.entry.name.kind == wal::NameKind::history) TRY(note(*opened.archive, listed));
        }
        after = page.next;
    } while (!after.empty());
    return {};
}

Result<> Filler::note(wal::Archive& archive, const wal::ListedWal& listed) {
    NotedFile file;
    file.name = listed.entry.name;
    file.head = TRY(archive.head_of(listed));
    file.stored_bytes = listed.stored_bytes;
    if (file.name.kind == wal::NameKind::history) {
        StringSink content(1 << 20);
        TRY(archive.get(file.name, content));
        file.content = content.take();
    }
    recorder_.stored(std::move(file));
    return {};
}

Result<std::size_t> Filler::fill(sqlite::Database& database, Depot& lacking) {
    // What is noted but not written yet would be done twice.
    recorder_.flush();
    std::size_t filled = 0;
    std::optional<Depot::Opened> to;
    for (WalLack& lack : TRY(WalRepository(database).lacks(lacking.order().id, kAtOnce))) {
        if (lack.system_id != system_id_) continue;
        if (stop_.stop_requested()) break;
        if (!to) to = TRY(lacking.open(stop_.get_token()));
        const Result<> brought = bring(lack, *to, lacking);
        if (brought) {
            ++filled;
            recorder_.filled(lack);
            continue;
        }
        if (brought.error().code() == Errc::conflict) {
            lack.conflict = true;
            lack.why = brought.error().message();
            log::error("WAL conflict", {{"destination", lack.destination_id}, {"name", lack.name}});
            recorder_.lacking(lack);
            continue;
        }
        return brought.error();
    }
    return filled;
}

Result<> Filler::bring(const WalLack& lack, Depot::Opened& to, Depot& lacking) {
    const wal::WalName name = TRY(wal::parse_wal_name(lack.name));
    Error last(Errc::not_found, "no other destination has it");
    for (Depot* depot : depots_) {
        if (depot == &lacking) continue;
        auto from = depot->open(stop_.get_token());
        if (!from) {
            last = std::move(from).error();
            continue;
        }
        auto object = from->archive->get_packed(name, lack.digest, depot->encrypted());
        if (!object) {
            last = std::move(object).error();
            continue;
        }
        const auto put = to.archive->put(*object, lacking.encrypted());
        lacking.note(put ? Result<>() : Result<>(put.error()), clock_.now_ms());
        if (!put) return put.error();
        return {};
    }
    return last;
}

}  // namespace backstay::archiver
