#include "agent/jobs/pitr/recovery.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "agent/jobs/pitr/unpacked_base.h"
#include "agent/jobs/restore/folders.h"
#include "common/domain/reasons.h"
#include "common/files/files.h"
#include "common/log.h"

namespace backstay::pitr {
namespace {

constexpr std::uint64_t kReserve = 512ULL << 20;
constexpr std::size_t kSocketRoom = 50;  // of the 107 bytes that a socket's path may have
constexpr std::size_t kLookBack = 16;    // segments without a commit that are looked past to date one

Error unreachable(TimeMs target, const wal::Nearest& nearest) {
    const bool gap = nearest.reach == wal::Reach::in_gap;
    std::string text = fmt::format("{} cannot be had back: ", to_rfc3339(target));
    switch (nearest.reach) {
        case wal::Reach::in_gap:
            text += "WAL is missing there";
            break;
        case wal::Reach::after_all:
            text += "the archive does not reach so far yet";
            break;
        case wal::Reach::before_all:
            text += "no base backup is so old";
            break;
        case wal::Reach::nothing:
        case wal::Reach::inside:
            text += "the archive has no base backup with the WAL behind it";
            break;
    }
    Error error(Errc::not_found, text);
    error.add_reason(gap ? reason::kWalGap : reason::kPitrTargetUnreachable);
    std::string hint;
    if (nearest.before) {
        error.add_fact("nearest_before", to_rfc3339(*nearest.before));
        hint = fmt::format("the nearest moment before is {}", to_rfc3339(*nearest.before));
    }
    if (nearest.after) {
        error.add_fact("nearest_after", to_rfc3339(*nearest.after));
        hint += fmt::format("{}the nearest after is {}", hint.empty() ? "" : ", ", to_rfc3339(*nearest.after));
    }
    if (!hint.empty()) error.add_hint(hint);
    return error;
}

Error stopped() { return Error(Errc::cancelled, "stopped").with_reason(reason::kCancelled); }

// The base's own major version exactly: WAL and data files are nobody else's to read.
Result<Tool> find_own_tool(ClusterConfig cluster, std::string_view name, std::int32_t version_num) {
    auto tool = find_tool(cluster, name, version_num);
    if (!tool || tool->major != version_num / 10'000) {
        cluster.bin_dir = fmt::format("/usr/lib/postgresql/{}/bin", version_num / 10'000);
        tool = find_tool(cluster, name, version_num);
    }
    if (tool && tool->major == version_num / 10'000) return tool;
    return Error(Errc::not_found, fmt::format("the recovery needs PostgreSQL {} itself ({}), which is not on this host",
                                              version_num / 10'000, name))
        .with_reason(reason::kVersionMismatch)
        .with_hint(fmt::format("install postgresql-{}", version_num / 10'000));
}

}  // namespace

Result<std::unique_ptr<Recovery>> Recovery::plan(RecoveryOrder order, const JobHost& host, Steps& steps,
                                                 std::stop_token stop) {
    std::unique_ptr<Recovery> recovery(new Recovery(std::move(order), host, steps, std::move(stop)));
    TRY(recovery->look());
    return recovery;
}

Recovery::~Recovery() {
    if (auto ended = end(); !ended) log::warning("recovery not removed", {{"error", ended.error().message()}});
}

Result<> Recovery::look() {
    if (!host_.config.encryption_key_file.empty()) key_ = TRY(StreamKey::load(host_.config.encryption_key_file));
    destinations_ = order_.pitr.destinations;
    places_ = TRY(base::ArchivePlaces::open(destinations_, order_.pitr.archive, key_ ? &*key_ : nullptr, host_, stop_));
    view_ = TRY(base::view_archive(*places_).context("look into the archive"));
    for (const std::string& fault : view_.faults) log::warning("archive", {{"fault", fault}});
    coverage_ = wal::cover(view_.whole);
    const TimeMs target = order_.pitr.target.ms;
    const wal::Nearest nearest = wal::find_nearest(coverage_, target);
    const wal::Base* chosen = wal::choose_base(view_.whole, coverage_, target);
    if (nearest.reach != wal::Reach::inside || chosen == nullptr) return unreachable(target, nearest);
    if (order_.pitr.base_backup_id && *order_.pitr.base_backup_id != chosen->backup_id) {
        const auto named = std::find_if(view_.whole.bases.begin(), view_.whole.bases.end(), [&](const auto& base) {
            return base.backup_id == *order_.pitr.base_backup_id;
        });
        // Another one may have come or gone since it was ordered; what is there decides.
        if (named != view_.whole.bases.end() && named->ended_at <= target) {
            log::info("a newer base backup is nearer", {{"ordered", named->backup_id}, {"taken", chosen->backup_id}});
        }
    }
    const base::StoredBase* stored = view_.find(chosen->backup_id);
    base_ = TRY(restore::open_backup(destinations_, stored->folder, chosen->backup_id, host_, stop_));
    const auto range = std::find_if(coverage_.ranges.begin(), coverage_.ranges.end(), [&](const wal::Range& one) {
        return one.time.start <= target && target <= one.time.end;
    });
    to_the_end_ = target >= range->time.end;
    const std::uint64_t bytes = view_.whole.segment_bytes;
    const auto stages = wal::stages_of(coverage_.timeline, view_.whole.histories, bytes);
    for (wal::Lsn at = wal::segment_start(chosen->start, bytes); at < range->end; at += bytes) {
        const auto stage = std::find_if(stages.begin(), stages.end(),
                                        [&](const wal::Stage& one) { return one.start <= at && at < one.end; });
        segments_.push_back({stage->timeline, at});
    }
    TRY(find_programs());
    return choose_place();
}

Result<> Recovery::find_programs() {
    const std::int32_t version = base_.manifest.postgres.server_version_num;
    postgres_ = TRY(find_own_tool(order_.cluster, "postgres", version));
    pg_controldata_ = TRY(find_own_tool(order_.cluster, "pg_controldata", version));
    user_ = TRY(server_user());
    return {};
}

// Below the restore's scratch folder; elsewhere only when the server's user cannot get there. A socket's name is short.
Result<> Recovery::choose_place() {
    const char* named = std::getenv("TMPDIR");
    const std::string temporary = named != nullptr && *named == '/' ? named : "";
    const std::string tail = order_.id.substr(order_.id.size() - std::min<std::size_t>(order_.id.size(), 12));
    place_.folder = order_.scratch + "/recovery";
    const std::string own = "/backstay-recovery-" + tail;
    if (!may_pass(user_, order_.scratch)) place_.folder = (temporary.empty() ? "/var/tmp" : temporary) + own;
    place_.sockets = (temporary.empty() || temporary.size() > kSocketRoom ? "/tmp" : temporary) + own + "-s";
    std::string existing = place_.folder;
    struct stat status {};
    while (::stat(existing.c_str(), &status) != 0 && existing.size() > 1) {
        existing.erase(std::max<std::size_t>(existing.rfind('/'), 1));
    }
    const DiskSpace space = TRY(free_space(existing));
    if (space.free_bytes >= needed_bytes()) return {};
    return Error(Errc::exhausted, fmt::format("{} has {} MB free, the recovery needs about {} MB", existing,
                                              space.free_bytes >> 20U, needed_bytes() >> 20U))
        .with_reason(reason::kDiskSpaceLow)
        .with_fact("free_bytes", std::to_string(space.free_bytes))
        .with_fact("needed_bytes", std::to_string(needed_bytes()));
}

std::uint64_t Recovery::needed_bytes() const {
    const ManifestArtifact* artifact = find_artifact(base_.manifest, artifact::kBase);
    // The data folder, what replaying adds to it, and one database's dump.
    return (artifact == nullptr ? 0 : artifact->uncompressed_bytes / 10 * 15) + kReserve;
}

Result<Testimony> Recovery::fetch_base() {
    Testimony testimony = TRY(restore::find_artifacts(base_, {std::string(artifact::kBase)}));
    const ManifestArtifact* artifact = find_artifact(base_.manifest, artifact::kBase);
    steps_.progress().set_total(step::kFetchBase, artifact->bytes);
    TRY(make_folders(order_.scratch, 0700));
    // Ours, whoever the server is: what it may write in lies below.
    TRY(make_passable(user_, place_.folder));
    Unpacked unpacked;
    TRY(restore::with_sound_origin(base_.origins, [&](const std::vector<ArtifactOrigin>& origins) -> Result<> {
        const Unpacking unpacking{place_.folder + "/data", user_, stop_, {}};
        TRY(restore::remove_folder(unpacking.folder));
        const OnStoredBytes count = [this](std::uint64_t bytes) { steps_.progress().add(step::kFetchBase, bytes); };
        auto reader = TRY(ArtifactReader::open(origins, base_.folder, *artifact, base_.key, count));
        unpacked = TRY(unpack_base(*reader, unpacking));
        return {};
    }));
    testimony.summary =
        fmt::format("base backup of {}, {} files, {} MB, SHA-256 as in its manifest",
                    to_rfc3339(base_.manifest.base->ended_at.ms), unpacked.files, unpacked.bytes >> 20U);
    testimony.facts["backup_id"] = base_.manifest.backup_id;
    testimony.facts["ended_at"] = to_rfc3339(base_.manifest.base->ended_at.ms);
    testimony.facts["plain_bytes"] = std::to_string(unpacked.bytes);
    testimony.facts["sha256"] = artifact->sha256;
    testimony.proofs = {"checksum:base"};
    return testimony;
}

std::optional<TimeMs> Recovery::date_of(std::size_t index) {
    for (std::size_t back = 0; back <= std::min(index, kLookBack); ++back) {
        const auto head = places_->head(base::segment_name(segments_[index - back], view_.whole.segment_bytes));
        if (head && head->last_commit) return head->last_commit->ms;
    }
    return std::nullopt;
}

// By halves: commits rise along the WAL, near enough for an estimate. The recovery itself stops where it must.
Result<std::size_t> Recovery::find_last_needed() {
    std::size_t low = 0;
    std::size_t high = segments_.size() - 1;
    while (low < high && !to_the_end_) {
        if (stop_.stop_requested()) return stopped();
        const std::size_t middle = low + (high - low) / 2;
        const auto date = date_of(middle);
        if (date && *date > order_.pitr.target.ms) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return high;
}

Result<Testimony> Recovery::fetch_wal() {
    last_needed_ = TRY(find_last_needed());
    const std::uint64_t bytes = view_.whole.segment_bytes;
    WalFeeder::Parts parts;
    parts.folder = place_.folder + "/wal";
    parts.owner = user_;
    parts.make_fetch = [this]() -> Result<WalFeeder::Fetch> {
        // Storages serve one thread at a time.
        auto places = std::make_shared<base::ArchivePlaces>(
            TRY(base::ArchivePlaces::open(destinations_, order_.pitr.archive, key_ ? &*key_ : nullptr, host_, stop_)));
        return WalFeeder::Fetch([this, places](const std::string& name, const std::string& path) -> Result<> {
            if (!is_planned(name)) return Error(Errc::not_found, "not on the way to the target");
            TRY(places->get(name, path));
            return {};
        });
    };
    parts.next = [this, bytes](const std::string& name) -> std::string {
        const auto parsed = wal::parse_wal_name(name);
        const auto number = parsed ? wal::segment_number(*parsed, bytes) : Result<std::uint64_t>(0);
        if (!parsed || parsed->kind != wal::NameKind::segment || !number) return "";
        const auto next = next_of({parsed->timeline, wal::start_of_segment(*number, bytes)});
        return next ? base::segment_name(*next, bytes) : "";
    };
    parts.on_served = [this, bytes](const std::string&) { steps_.progress().add(step::kReplayToTarget, bytes); };
    feeder_ = TRY(WalFeeder::start(std::move(parts)));
    // The first one whole, before a server waits for it: key, content and digest are right.
    const std::string first = base::segment_name(segments_.front(), bytes);
    const std::string probe = place_.folder + "/first-segment";
    TRY(places_->get(first, probe).reason(reason::kRemoteCorrupt));
    ::unlink(probe.c_str());
    Testimony testimony;
    testimony.summary = fmt::format("{} segments from {} on, none missing, commits up to {}", last_needed_ + 1, first,
                                    to_rfc3339(coverage_.latest.value_or(0)));
    testimony.facts = {{"first_segment", first},
                       {"last_segment", base::segment_name(segments_[last_needed_], bytes)},
                       {"segments", std::to_string(last_needed_ + 1)},
                       {"timeline", std::to_string(coverage_.timeline)},
                       {"latest_commit", to_rfc3339(coverage_.latest.value_or(0))}};
    testimony.proofs = {"wal:continuous"};
    return testimony;
}

std::optional<base::SegmentId> Recovery::next_of(const base::SegmentId& id) const {
    const auto found = std::lower_bound(segments_.begin(), segments_.end(), id,
                                        [](const auto& a, const auto& b) { return a.start < b.start; });
    if (found == segments_.end() || *found != id || std::next(found) == segments_.end()) return std::nullopt;
    return *std::next(found);
}

// What came into the archive since it was looked at, and what lies on other ways, is not for this recovery.
bool Recovery::is_planned(const std::string& name) const {
    const auto parsed = wal::parse_wal_name(name);
    if (!parsed) return false;
    if (parsed->kind == wal::NameKind::history) return parsed->timeline <= coverage_.timeline;
    const auto number = wal::segment_number(*parsed, view_.whole.segment_bytes);
    if (parsed->kind != wal::NameKind::segment || !number) return false;
    const base::SegmentId id{parsed->timeline, wal::start_of_segment(*number, view_.whole.segment_bytes)};
    const auto found = std::lower_bound(segments_.begin(), segments_.end(), id,
                                        [](const auto& a, const auto& b) { return a.start < b.start; });
    return found != segments_.end() && *found == id;
}

Result<Testimony> Recovery::replay() {
    const std::int64_t begun = steady_ms();
    steps_.progress().set_total(step::kReplayToTarget, (last_needed_ + 1) * view_.whole.segment_bytes);
    SidecarWish wish;
    wish.place = place_;
    wish.user = user_;
    wish.postgres = postgres_;
    wish.pg_controldata = pg_controldata_;
    wish.restore_command = feeder_->restore_command();
    if (!to_the_end_) wish.target = order_.pitr.target.ms;
    wish.timeline = coverage_.timeline == base_.manifest.postgres.timeline ? 0 : coverage_.timeline;
    wish.superusers = {base_.manifest.base->superuser};
    for (const std::string& other : {order_.cluster.user, std::string("postgres")}) {
        if (std::find(wish.superusers.begin(), wish.superusers.end(), other) == wish.superusers.end()) {
            wish.superusers.push_back(other);
        }
    }
    wish.stop = stop_;
    sidecar_ = TRY(Sidecar::start(wish));
    auto connection = sidecar_->await("postgres");
    if (!connection) {
        Error error = std::move(connection).error();
        if (const auto why = feeder_->failure(); why && error.code() != Errc::cancelled) {
            Error named = *why;
            named.add_reason(reason::kWalGap);
            return std::move(named.followed_by(error));
        }
        return error;
    }
    return reached(*connection, begun);
}

// Without a target a server takes the first record that it cannot read for the end of WAL, and is content.
Result<> Recovery::check_end(wal::Lsn replayed) {
    for (std::size_t i = segments_.size(); i-- > 0;) {
        if (stop_.stop_requested()) return stopped();
        const std::string name = base::segment_name(segments_[i], view_.whole.segment_bytes);
        const wal::ObjectHead head = TRY(places_->head(name));
        if (!head.last_commit) continue;
        // Up to the last commit that was seen when it was archived; older archives do not tell where that was.
        const wal::Lsn promised = head.commits_end ? TRY(wal::parse_lsn(*head.commits_end)) : segments_[i].start + 1;
        if (replayed >= promised) return {};
        return Error(Errc::corrupted, fmt::format("the recovery ended at {}, where WAL cannot be read, though commits "
                                                  "go on to {} in segment {}",
                                                  wal::format_lsn(replayed), wal::format_lsn(promised), name))
            .with_reason(reason::kRestoreFailed);
    }
    return {};
}

Result<Testimony> Recovery::reached(pq::Connection& connection, std::int64_t begun_ms) {
    const pq::Rows row = TRY(connection.query(
        "SELECT floor(extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000)::bigint,"
        " pg_last_xact_replay_timestamp() IS NULL, pg_is_in_recovery(), current_setting('server_version'),"
        " pg_last_wal_replay_lsn()::text"));
    if (row.boolean(0, 2)) {
        return Error(Errc::io, "the recovery server takes connections before its recovery is over")
            .with_reason(reason::kRestoreFailed);
    }
    // No commit at all between the base backup's beginning and the target: then the base itself is the moment.
    TimeMs last = row.boolean(0, 1) ? base_.manifest.base->started_at.ms : TRY(row.integer(0, 0));
    if (to_the_end_) {
        TRY(check_end(TRY(wal::parse_lsn(row.text(0, 4)))));
        // Behind the last commit transactions may have been rolled back, and the server tells of them too.
        last = std::min(last, order_.pitr.target.ms);
    }
    if (last > order_.pitr.target.ms) {
        return Error(Errc::corrupted, fmt::format("the recovery went on to {}, beyond the target", to_rfc3339(last)))
            .with_reason(reason::kRestoreFailed);
    }
    Testimony testimony;
    testimony.summary =
        fmt::format("every commit up to {}; the last was at {}", to_rfc3339(order_.pitr.target.ms), to_rfc3339(last));
    testimony.facts = {{"target", to_rfc3339(order_.pitr.target.ms)},
                       {"recovered_to", to_rfc3339(last)},
                       {"segments_replayed", std::to_string(feeder_->served())},
                       {"timeline", std::to_string(coverage_.timeline)},
                       {"server_version", std::string(row.text(0, 3))},
                       {"duration_ms", std::to_string(steady_ms() - begun_ms)}};
    testimony.proofs = {"pitr:target_reached"};
    testimony.output = sidecar_->last_words();
    return testimony;
}

Result<> Recovery::end() {
    sidecar_.reset();
    feeder_.reset();
    if (place_.folder.empty()) return {};
    return remove_sidecar(place_);
}

}  // namespace backstay::pitr
