#include "agent/jobs/base/archive_view.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "agent/jobs/destinations.h"
#include "common/domain/reasons.h"

namespace backstay::base {
namespace {

constexpr std::size_t kManifestMax = 16 << 20;
constexpr std::size_t kBasesMax = 100'000;
constexpr std::size_t kUndatedMax = 4096;  // segments without any commit, at the end of a run
constexpr std::size_t kHistoryMax = 1 << 20;

Result<std::vector<std::string>> manifest_keys(Storage& storage, const std::string& archive,
                                               const std::stop_token& stop) {
    std::vector<std::string> keys;
    ListQuery query;
    query.prefix = archive + "/base/";
    do {
        if (stop.stop_requested()) return Error(Errc::cancelled, "stopped");
        ListPage page = TRY(storage.list(query).context("list the base backups"));
        for (const ObjectInfo& object : page.objects) {
            if (object.key.ends_with("/manifest.json")) keys.push_back(object.key);
        }
        if (keys.size() > kBasesMax) return Error(Errc::exhausted, "more than 100,000 base backups");
        query.continue_after = std::move(page.next);
    } while (!query.continue_after.empty());
    return keys;
}

wal::Base as_base(const Manifest& manifest) {
    wal::Base base;
    base.backup_id = manifest.backup_id;
    base.timeline = static_cast<wal::Timeline>(manifest.postgres.timeline);
    base.start = wal::parse_lsn(manifest.postgres.start_lsn).value_or(0);
    base.stop = wal::parse_lsn(manifest.postgres.end_lsn).value_or(0);
    base.started_at = manifest.base->started_at.ms;
    base.ended_at = manifest.base->ended_at.ms;
    return base;
}

class Viewing {
public:
    explicit Viewing(ArchivePlaces& places) : places_(places) {}

    Result<ArchiveView> run() {
        view_.archive = places_.folder();
        view_.faults = places_.faults();
        std::optional<Error> last;
        std::size_t usable = 0;
        std::vector<bool> sound;
        for (const auto& place : places_.list()) {
            auto read = read_bases(*place);
            sound.push_back(read.has_value());
            if (read) ++usable;
            if (!read) last = fault(*place, std::move(read).error());
        }
        if (places_.stop().stop_requested()) return Error(Errc::cancelled, "stopped");
        if (usable == 0) return last ? std::move(*last) : Error(Errc::invalid, "no destination holds WAL");
        for (std::size_t number = 0; number < sound.size(); ++number) {
            if (!sound[number]) continue;
            ArchivePlace& place = *places_.list()[number];
            auto read = read_wal(place, number);
            if (!read) last = fault(place, std::move(read).error());
        }
        sum_up();
        TRY(date_runs());
        return std::move(view_);
    }

private:
    Error fault(const ArchivePlace& place, Error error) {
        view_.faults.push_back(fmt::format("{}: {}", place.destination_id, error.message()));
        return error;
    }

    Result<> read_bases(ArchivePlace& place) {
        for (const std::string& key : TRY(manifest_keys(*place.storage, places_.folder(), places_.stop()))) {
            const std::string folder = key.substr(0, key.rfind('/'));
            StringSink sink(kManifestMax);
            TRY(place.storage->get(key, {}, sink));
            auto manifest = read_manifest(sink.text());
            if (!manifest || !manifest->base) {
                view_.faults.push_back(
                    fmt::format("{}: {}", folder, manifest ? "this is no base backup" : manifest.error().message()));
                continue;
            }
            const auto known = std::find_if(view_.bases.begin(), view_.bases.end(), [&](const StoredBase& base) {
                return base.manifest.backup_id == manifest->backup_id;
            });
            if (known != view_.bases.end()) {
                known->destination_ids.push_back(place.destination_id);
                continue;
            }
            view_.whole.segment_bytes = manifest->base->segment_bytes;
            view_.whole.bases.push_back(as_base(*manifest));
            view_.bases.push_back({folder, std::move(*manifest), {place.destination_id}});
        }
        return {};
    }

    Result<> read_wal(ArchivePlace& place, std::size_t number) {
        const WalMap map = TRY(list_wal(place.archive, 0, view_.whole.segment_bytes, places_.stop()));
        view_.wal_bytes += map.stored_bytes;
        for (const auto& [id, listed] : map.segments) view_.segments[id].push_back(number);
        for (const auto& [timeline, listed] : map.histories) {
            const bool known = std::any_of(view_.whole.histories.begin(), view_.whole.histories.end(),
                                           [of = timeline](const auto& history) { return history.timeline == of; });
            if (known) continue;
            StringSink text(kHistoryMax);
            auto got = place.archive.get(listed.entry.name, text);
            auto history =
                got ? wal::parse_history(timeline, text.text()) : Result<wal::History>(std::move(got).error());
            if (history) view_.whole.histories.push_back(std::move(*history));
            if (!history) view_.faults.push_back(fmt::format("{}: {}", listed.key, history.error().message()));
        }
        return {};
    }

    void sum_up() {
        std::vector<wal::ArchivedSegment> segments;
        segments.reserve(view_.segments.size());
        for (const auto& [id, places] : view_.segments) segments.push_back({id.timeline, id.start, {}, {}});
        view_.whole.runs = wal::sum_up(std::move(segments), view_.whole.segment_bytes, view_.whole.histories);
    }

    // The latest commit of each run: that of its last segment which holds any.
    Result<> date_runs() {
        for (wal::Run& run : view_.whole.runs) {
            std::size_t looked = 0;
            for (wal::Lsn at = run.end; at > run.start && !run.last_commit && looked < kUndatedMax; ++looked) {
                at -= view_.whole.segment_bytes;
                if (places_.stop().stop_requested()) return Error(Errc::cancelled, "stopped");
                const auto head = places_.head(segment_name({run.timeline, at}, view_.whole.segment_bytes));
                if (!head) {
                    view_.faults.push_back(head.error().message());
                    break;
                }
                if (head->last_commit) run.last_commit = head->last_commit->ms;
            }
            if (looked == kUndatedMax && !run.last_commit) {
                view_.faults.push_back(
                    fmt::format("timeline {}: no commit in the {} segments before {}: not searched "
                                "further back",
                                run.timeline, kUndatedMax, wal::format_lsn(run.end)));
            }
        }
        return {};
    }

    ArchivePlaces& places_;
    ArchiveView view_;
};

// A file that is written anew, never through a link: the folder may be another user's, and we be root. What is half
// written is the caller's to remove.
class NewFile final : public Sink {
public:
    explicit NewFile(const std::string& path) : path_(path) {
        ::unlink(path.c_str());
        file_ = std::fopen(path.c_str(), "wxe");
        if (file_ != nullptr) std::setvbuf(file_, nullptr, _IOFBF, 1 << 16);
    }
    ~NewFile() override {
        if (file_ != nullptr) std::fclose(file_);
    }
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;

    Result<> write(ByteSpan bytes) override {
        if (file_ != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size()) return {};
        return Error::from_errno(errno, "write " + path_);
    }
    Result<> finish() override {
        if (file_ != nullptr && std::fflush(file_) == 0) return {};
        return Error::from_errno(errno, "write " + path_);
    }

private:
    std::string path_;
    std::FILE* file_ = nullptr;
};

}  // namespace

Result<ArchivePlaces> ArchivePlaces::open(const std::vector<DestinationOrder>& destinations, const std::string& folder,
                                          const StreamKey* key, const JobHost& host, std::stop_token stop) {
    ArchivePlaces places;
    places.folder_ = folder;
    places.stop_ = stop;
    std::optional<Error> last;
    for (const DestinationOrder& order : destinations) {
        auto storage = open_destination(order, host, stop);
        if (!storage) {
            places.faults_.push_back(fmt::format("{}: {}", order.id, storage.error().message()));
            last = std::move(storage).error();
            continue;
        }
        Storage& opened = **storage;
        places.places_.push_back(std::make_unique<ArchivePlace>(
            ArchivePlace{order.id, std::move(*storage), wal::Archive(opened, folder, key)}));
    }
    if (!places.places_.empty()) return places;
    if (last) return std::move(*last);
    return Error(Errc::invalid, "no destination of WAL is known").with_reason(reason::kNoDestination);
}

Result<> ArchivePlaces::get(const std::string& name, const std::string& path) {
    const wal::WalName wanted = TRY(wal::parse_wal_name(name));
    std::optional<Error> worst;
    for (const auto& place : places_) {
        NewFile file(path);
        auto got = place->archive.get(wanted, file);
        if (got) return file.finish();
        // A place that could not be asked may have it: only the silence of all means that it is not there.
        const bool absent = got.error().code() == Errc::not_found;
        if (!worst || !absent) worst = std::move(got).error();
        if (stop_.stop_requested()) break;
    }
    return std::move(*worst);
}

Result<wal::ObjectHead> ArchivePlaces::head(const std::string& name) {
    const wal::WalName wanted = TRY(wal::parse_wal_name(name));
    std::optional<Error> worst;
    for (const auto& place : places_) {
        auto head = place->archive.head(wanted);
        if (head) return head;
        const bool absent = head.error().code() == Errc::not_found;
        if (!worst || !absent) worst = std::move(head).error();
    }
    return std::move(*worst);
}

const StoredBase* ArchiveView::find(const std::string& backup_id) const {
    for (const StoredBase& base : bases) {
        if (base.manifest.backup_id == backup_id) return &base;
    }
    return nullptr;
}

Result<ArchiveView> view_archive(ArchivePlaces& places) { return Viewing(places).run(); }

Result<std::vector<std::string>> find_archives(Storage& storage, const std::stop_token& stop) {
    std::vector<std::string> archives;
    const ListPage owners = TRY(storage.list({"v1/", true, "", 1000}));
    for (const std::string& owner : owners.folders) {
        if (stop.stop_requested()) return Error(Errc::cancelled, "stopped");
        const ListPage clusters = TRY(storage.list({owner + "clusters/", true, "", 1000}));
        for (const std::string& folder : clusters.folders) archives.push_back(folder.substr(0, folder.size() - 1));
    }
    return archives;
}

}  // namespace backstay::base
