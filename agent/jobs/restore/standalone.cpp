#include "agent/jobs/restore/standalone.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "agent/jobs/restore/opened_backup.h"
#include "common/ids.h"
#include "common/json/json.h"

namespace backstay::standalone {
namespace {

constexpr std::string_view kManifestName = "/manifest.json";
constexpr std::size_t kManifestMax = 16 << 20;
constexpr std::size_t kBackupsMax = 100'000;

std::string notes_folder(const JobHost& host) { return host.config.state_dir + "/restores"; }
std::string notes_file(const JobHost& host, const std::string& id) {
    return fmt::format("{}/{}.json", notes_folder(host), id);
}

bool matches(const Manifest& manifest, const Filter& filter) {
    if (!filter.backup_id.empty() && manifest.backup_id != filter.backup_id) return false;
    if (filter.database.empty()) return true;
    return (manifest.odoo && manifest.odoo->db_name == filter.database) ||
           manifest.environment_name == filter.database || manifest.environment_id == filter.database;
}

Result<std::vector<std::string>> manifest_keys(Storage& storage, const std::stop_token& stop) {
    std::vector<std::string> keys;
    ListQuery query;
    query.prefix = "v1/";
    do {
        if (stop.stop_requested()) return Error(Errc::cancelled, "stopped");
        ListPage page = TRY(storage.list(query));
        for (const ObjectInfo& object : page.objects) {
            const bool manifest =
                object.key.ends_with(kManifestName) && object.key.find("/backups/") != std::string::npos;
            if (manifest) keys.push_back(object.key);
        }
        if (keys.size() > kBackupsMax) return Error(Errc::exhausted, "more than 100,000 backups: name a prefix");
        query.continue_after = std::move(page.next);
    } while (!query.continue_after.empty());
    return keys;
}

Result<Facts> read_notes(const std::string& path) {
    const std::string text = TRY(read_file(path));
    const json::Value value = TRY(json::parse(text));
    return json::decode<Facts>(value);
}

// One file of a restore: swept when it died, removed when nothing is kept any more.
Result<> sweep_file(const std::string& path, const JobHost& host, std::vector<std::string>& done) {
    auto lock = FileLock::acquire(path + ".lock");
    if (!lock) return {};  // it still runs
    auto notes = read_notes(path);
    if (!notes) return notes.error().code() == Errc::not_found ? Result<>() : Result<>(std::move(notes).error());
    const NoteWriter note = [&](const std::string& key, const std::string& value) {
        notes->erase(key);
        if (!value.empty()) notes->emplace(key, value);
        return atomic_write(path, json::serialize(json::encode(*notes)), 0600);
    };
    const Swept swept = TRY(sweep_after_crash(Facts(*notes), host, note));
    done.insert(done.end(), swept.done.begin(), swept.done.end());
    if (swept.reverted) done.push_back("the restore could not be proven: " + swept.reverted->message());
    if (!swept.clean) return {};
    if (const auto until = previous_kept_until(*notes)) {
        if (*until > host.clock.now_ms()) return {};
        TRY(drop_previous(*notes, host));
        done.push_back("removed a previous pair whose time has passed");
    }
    unlink(path.c_str());
    unlink((path + ".lock").c_str());
    return {};
}

}  // namespace

Result<Listing> find_backups(const DestinationOrder& destination, const JobHost& host, const Filter& filter,
                             std::stop_token stop) {
    const restore::Origins origins = TRY(restore::open_origins({destination}, host, stop));
    Storage& storage = *origins.list.front().storage;
    Listing listing;
    for (const std::string& key : TRY(manifest_keys(storage, stop))) {
        const std::string folder = key.substr(0, key.size() - kManifestName.size());
        StringSink sink(kManifestMax);
        TRY(storage.get(key, {}, sink));
        auto manifest = read_manifest(sink.text());
        if (!manifest) {
            listing.faults.push_back(fmt::format("{}: {}", folder, manifest.error().message()));
            continue;
        }
        if (!matches(*manifest, filter)) continue;
        FoundBackup found{folder, std::move(*manifest), 0};
        for (const ManifestArtifact& artifact : found.manifest.artifacts) found.stored_bytes += artifact.bytes;
        listing.backups.push_back(std::move(found));
    }
    std::sort(listing.backups.begin(), listing.backups.end(),
              [](const FoundBackup& a, const FoundBackup& b) { return a.manifest.started_at > b.manifest.started_at; });
    return listing;
}

RestoreOrder order_for(const FoundBackup& backup, const DestinationOrder& destination, const RestoreWish& wish) {
    RestoreOrder order;
    order.restore_id = new_uuid();
    order.backup_id = backup.manifest.backup_id;
    order.folder = backup.folder;
    order.destinations = {destination};
    order.source.environment_id = backup.manifest.environment_id;
    order.source.name = backup.manifest.environment_name;
    order.source.type = backup.manifest.environment_type;
    order.source.database = backup.manifest.odoo ? backup.manifest.odoo->db_name : backup.manifest.environment_name;
    order.target = order.source;
    order.target.database = wish.database;
    order.target.filestore = wish.filestore;
    order.target.cluster = wish.cluster;
    order.target_type = wish.database == order.source.database ? "same" : "other";
    order.scope = wish.scope;
    order.neutralize = wish.neutralize;
    order.new_uuid = wish.new_uuid;
    order.keep_previous_ms = wish.keep_previous_ms;
    return order;
}

Result<std::unique_ptr<FileJournal>> FileJournal::open(const JobHost& host, const std::string& restore_id,
                                                       OnStep on_step) {
    TRY(make_folders(notes_folder(host), 0700));
    const std::string path = notes_file(host, restore_id);
    FileLock lock = TRY(FileLock::acquire(path + ".lock"));
    return std::unique_ptr<FileJournal>(new FileJournal(std::move(lock), path, std::move(on_step)));
}

Result<> FileJournal::planned(const OperationPlan& plan) {
    const std::lock_guard lock(mutex_);
    plan_ = plan;
    return {};
}

Result<> FileJournal::recorded(const StepRecord& step) {
    const std::lock_guard lock(mutex_);
    const auto known =
        std::find_if(steps_.begin(), steps_.end(), [&](const StepRecord& one) { return one.name == step.name; });
    if (known == steps_.end()) {
        steps_.push_back(step);
    } else {
        *known = step;
    }
    if (on_step_) on_step_(step);
    return {};
}

Result<> FileJournal::copied(const CopyRecord& copy) {
    const std::lock_guard lock(mutex_);
    const auto known = std::find_if(copies_.begin(), copies_.end(), [&](const CopyRecord& one) {
        return one.destination_id == copy.destination_id && one.artifact == copy.artifact;
    });
    if (known == copies_.end()) {
        copies_.push_back(copy);
    } else {
        *known = copy;
    }
    return {};
}

Result<> FileJournal::noted(const std::string& key, const std::string& value) {
    const std::lock_guard lock(mutex_);
    notes_.erase(key);
    if (!value.empty()) notes_.emplace(key, value);
    return atomic_write(path_, json::serialize(json::encode(notes_)), 0600);
}

std::vector<StepRecord> FileJournal::steps() const {
    const std::lock_guard lock(mutex_);
    return steps_;
}

std::vector<CopyRecord> FileJournal::copies() const {
    const std::lock_guard lock(mutex_);
    return copies_;
}

Result<Facts> kept_notes(const JobHost& host, const std::string& restore_id) {
    if (!is_uuid(restore_id)) return Error(Errc::invalid, "a restore's id is a UUID");
    return read_notes(notes_file(host, restore_id)).context("restore " + restore_id);
}

Result<std::vector<std::string>> sweep(const JobHost& host) {
    std::vector<std::string> done;
    std::vector<std::string> files;
    const std::string folder = notes_folder(host);
    const std::unique_ptr<DIR, decltype([](DIR* open) { closedir(open); })> listing(opendir(folder.c_str()));
    while (const dirent* entry = listing ? readdir(listing.get()) : nullptr) {
        const std::string name = entry->d_name;
        if (name.ends_with(".json")) files.push_back(fmt::format("{}/{}", folder, name));
    }
    for (const std::string& file : files) TRY(sweep_file(file, host, done));
    return done;
}

}  // namespace backstay::standalone
