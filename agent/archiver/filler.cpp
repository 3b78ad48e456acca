#include "agent/archiver/filler.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/archiver/archiver.h"
#include "agent/state/state.h"
#include "common/log.h"

namespace backstay::archiver {
namespace {

constexpr std::size_t kAtOnce = 64;
constexpr std::int64_t kFlushMs = 30'000;
// Rows are written in the order of acknowledgements, a moment later: a crash loses fewer than these.
constexpr std::uint64_t kLastStretch = 256;
// For so long a transfer of the archiver's own is waited for.
constexpr TimeMs kUnderWayMs = 120'000;

std::string key_of(const WalCluster& cluster, wal::Timeline timeline, std::uint64_t number, bool encrypted) {
    const auto name = wal::parse_wal_name(wal::segment_name(timeline, number, cluster.segment_bytes));
    return name ? wal::archive_key(cluster.folder, *name, "", encrypted) : std::string();
}

}  // namespace

Filler::Filler(FillerParts parts)
    : parts_(std::move(parts)), started_at_(clock_.now_ms()), thread_([this] { work(); }) {}

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
    while (true) {
        {
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, parts_.interval, [this] { return stop_.stop_requested(); });
        }
        if (stop_.stop_requested()) return;
        if (!database) {
            auto opened = open_state(parts_.state_dir);
            if (!opened) {
                log::warning("WAL not filled", {{"error", opened.error().message()}});
                continue;
            }
            database.emplace(std::move(*opened));
        }
        look_after(*database);
    }
}

void Filler::look_after(sqlite::Database& database) {
    for (Depot* depot : parts_.depots) {
        if (stop_.stop_requested()) return;
        // Also how it is found out that a destination is back while no new WAL comes.
        if (depot->resting()) continue;
        if (!caught_up_.contains(depot)) {
            const auto read = catch_up(database, *depot);
            if (!read && read.error().code() != Errc::cancelled) {
                log::warning("archive not read",
                             {{"destination", depot->order().id}, {"error", read.error().message()}});
            }
        }
        const auto filled = fill(database, *depot);
        if (filled && *filled > 0) {
            log::info("WAL brought to a destination", {{"destination", depot->order().id}, {"files", *filled}});
        }
    }
}

// What a destination holds of the last stretch that has rows, and behind it as far as it follows without a hole; with
// no row at all, everything.
Result<> Filler::catch_up(sqlite::Database& database, Depot& depot) {
    TRY(parts_.recorder.flush(stop_.get_token(), kFlushMs));
    WalRepository repository(database);
    const auto cluster = TRY(repository.cluster(parts_.system_id));
    if (!cluster) return {};
    const Depot::Opened opened = TRY(depot.open(stop_.get_token()));
    std::size_t noted = 0;
    if (parts_.newest) {
        // A promotion just before the crash: the end of the timeline before.
        std::optional<wal::Timeline> before;
        for (const wal::Timeline timeline : TRY(repository.timelines(parts_.system_id))) {
            if (timeline < parts_.newest->timeline) before = timeline;
        }
        if (before) {
            const auto from = TRY(repository.newest(parts_.system_id, *before));
            noted += TRY(read_on(repository, *opened.archive, *cluster, *before, from, depot.encrypted()));
        }
    }
    noted += TRY(read_on(repository, *opened.archive, *cluster, 0, parts_.newest, depot.encrypted()));
    // Another destination may go on where this one ends.
    if (noted > 0) caught_up_.clear();
    caught_up_.insert(&depot);
    return {};
}

Result<std::size_t> Filler::read_on(WalRepository& repository, wal::Archive& archive, const WalCluster& cluster,
                                    wal::Timeline only, const std::optional<WalSegment>& from, bool encrypted) {
    std::size_t noted = 0;
    wal::Timeline timeline = from ? from->timeline : 0;
    std::uint64_t next = from ? from->number + 1 : 0;
    std::string after;
    if (from) after = key_of(cluster, timeline, from->number - std::min(from->number, kLastStretch), encrypted);
    const auto has_row = [&](wal::Timeline of, std::uint64_t number) -> Result<bool> {
        return TRY(repository.segment(parts_.system_id, of, number)).has_value();
    };
    do {
        const wal::WalPage page = TRY(archive.list(only, after));
        for (const wal::ListedWal& listed : page.files) {
            if (stop_.stop_requested()) return Error(Errc::cancelled, "the agent is stopping");
            const wal::WalName& name = listed.entry.name;
            if (name.kind == wal::NameKind::segment) {
                const std::uint64_t number = TRY(wal::segment_number(name, cluster.segment_bytes));
                if (from && name.timeline == timeline) {
                    while (next < number && TRY(has_row(timeline, next))) ++next;
                    if (next < number) continue;
                }
                if (name.timeline != timeline || number == next) next = number + 1;
                timeline = name.timeline;
                if (TRY(has_row(timeline, number))) continue;
            } else if (name.kind == wal::NameKind::history) {
                if (TRY(repository.has_history(parts_.system_id, name.timeline))) continue;
            } else {
                continue;
            }
            TRY(note(archive, listed));
            ++noted;
        }
        after = page.next;
    } while (!after.empty());
    return noted;
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
    parts_.recorder.stored(std::move(file));
    return {};
}

Result<std::size_t> Filler::fill(sqlite::Database& database, Depot& lacking) {
    // What is noted but not written yet would be done twice.
    TRY(parts_.recorder.flush(stop_.get_token(), kFlushMs));
    WalRepository repository(database);
    std::size_t filled = 0;
    std::optional<Depot::Opened> to;
    Sources sources;
    missed_ = 0;
    WalLack last;
    while (true) {
        const auto lacks = TRY(repository.lacks(lacking.order().id, parts_.system_id, last, kAtOnce));
        for (const WalLack& lack : lacks) {
            if (stop_.stop_requested()) return filled;
            if (is_under_way(lack)) continue;
            if (!to) to = TRY(lacking.open(stop_.get_token()));
            if (TRY(bring(lack, *to, lacking, sources))) ++filled;
        }
        if (lacks.size() < kAtOnce) return filled;
        last = lacks.back();
    }
}

bool Filler::is_under_way(const WalLack& lack) const {
    return lack.why == kOnItsWay && lack.since >= started_at_ && clock_.now_ms() - lack.since < kUnderWayMs;
}

Result<bool> Filler::bring(WalLack lack, Depot::Opened& to, Depot& lacking, Sources& sources) {
    const auto object = find(lack, lacking, sources);
    if (!object) {
        if (lack.why == object.error().message()) return false;
        lack.why = object.error().message();
        if (missed_++ == 0) {
            log::warning("WAL that a destination lacks is not to be had",
                         {{"destination", lack.destination_id}, {"name", lack.name}, {"error", lack.why}});
        }
        parts_.recorder.lacking(std::move(lack));
        return false;
    }
    const auto put = to.archive->put(*object, lacking.encrypted());
    lacking.note(put ? Result<>() : Result<>(put.error()));
    if (put) {
        parts_.recorder.filled(std::move(lack));
        return true;
    }
    if (put.error().code() != Errc::conflict) return put.error();
    lack.conflict = true;
    lack.why = put.error().message();
    log::error("WAL conflict", {{"destination", lack.destination_id}, {"name", lack.name}});
    parts_.recorder.lacking(std::move(lack));
    return false;
}

Result<wal::PackedObject> Filler::find(const WalLack& lack, const Depot& lacking, Sources& sources) {
    const wal::WalName name = TRY(wal::parse_wal_name(lack.name));
    Error last(Errc::not_found, "no other destination has it");
    for (Depot* depot : parts_.depots) {
        if (depot == &lacking) continue;
        if (!sources.contains(depot)) {
            auto opened = depot->open(stop_.get_token());
            if (!opened) last = opened.error();
            sources[depot] = opened ? std::optional(std::move(*opened)) : std::nullopt;
        }
        auto& source = sources[depot];
        if (!source) continue;
        auto object = source->archive->get_packed(name, lack.digest, depot->encrypted());
        if (object && TRY(source->archive->is_content(*object, lack.digest, depot->encrypted()))) return object;
        if (object) {
            last = Error(Errc::conflict, fmt::format("destination {} holds other content", depot->order().id));
            continue;
        }
        last = object.error();
        last.add_context(fmt::format("destination {}", depot->order().id));
        // Its own trouble: of no use for what comes either.
        if (last.code() != Errc::not_found && last.code() != Errc::corrupted) source.reset();
    }
    return last;
}

}  // namespace backstay::archiver
