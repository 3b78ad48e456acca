#include "control-plane/own-backup/daily.h"

#include <chrono>
#include <filesystem>
#include <optional>

#include "common/files/files.h"
#include "common/log.h"
#include "common/sql/migrations.h"
#include "control-plane/own-backup/folder.h"
#include "control-plane/own-backup/save.h"
#include "control-plane/store/store.h"

namespace backstay::own_backup {
namespace {

constexpr TimeMs kMinuteMs = 60'000;
constexpr TimeMs kDayMs = 24 * 60 * kMinuteMs;

// One inside of the state folder is ours to make; another may be a disk that is not mounted.
Result<> check_folder(const Settings& settings) {
    const std::string& folder = settings.backup.folder;
    if (folder.starts_with(settings.state_dir + "/")) return make_folders(folder, 0700);
    std::error_code unknown;
    if (std::filesystem::is_directory(folder, unknown)) return {};
    return Error(Errc::not_found, "there is no folder " + folder).with_hint("is the disk mounted? See backup.folder");
}

Result<Saved> make(const Settings& settings, TimeMs now, const std::stop_token& stop = {}) {
    const BackupSettings& wanted = settings.backup;
    SaveOrder order;
    order.output = wanted.folder;
    order.with_keys = wanted.with_keys;
    order.keep = wanted.keep;
    if (!wanted.encryption_key_file.empty()) order.key = TRY(StreamKey::load(wanted.encryption_key_file));
    const Saved saved = TRY(save(settings, order, now, stop));
    log::info("control plane backed up", {{"file", saved.path}, {"bytes", saved.bytes}, {"removed", saved.removed}});
    return saved;
}

// Not of the future: a clock that was ahead must not keep the next ones from being made.
TimeMs newest_of(const std::string& folder, TimeMs now) {
    const auto all = list(folder);
    if (!all) return 0;
    for (const Kept& one : *all) {
        if (one.made_at <= now) return one.made_at;
    }
    return 0;
}

void tell_of_the_future(const std::string& folder, TimeMs now) {
    const auto all = list(folder);
    if (!all || all->empty() || all->front().made_at <= now) return;
    log::warning("a backup of the control plane is of the future", {{"file", all->front().path}});
}

}  // namespace

TimeMs last_due(std::int64_t minute_of_day, TimeMs now) {
    const TimeMs today = now - now % kDayMs + minute_of_day * kMinuteMs;
    return today <= now ? today : today - kDayMs;
}

Result<TimeMs> look(const Settings& settings, TimeMs now, const std::stop_token& stop) {
    const BackupSettings& wanted = settings.backup;
    TRY(check_folder(settings));
    const TimeMs newest = newest_of(wanted.folder, now);
    if (newest >= last_due(wanted.minute_of_day, now)) return newest;
    tell_of_the_future(wanted.folder, now);
    TRY(make(settings, now, stop));
    return now;
}

Result<> before_upgrade(const Settings& settings, TimeMs now) {
    std::error_code unknown;
    const bool there = sql::is_postgres_url(settings.store) || std::filesystem::exists(settings.store, unknown);
    if (settings.backup.folder.empty() || !there) return {};
    int present = 0;
    {
        auto db = TRY(store::open_store(settings.store));
        present = TRY(sql::schema_version(db));
    }
    if (present == 0 || present >= store::newest_schema()) return {};
    TRY(check_folder(settings));
    TRY(make(settings, now));
    return {};
}

Daily::Daily(const Settings& settings, const Clock& clock, const Pauses& pauses)
    : settings_(settings),
      clock_(clock),
      pauses_(pauses),
      newest_(newest_of(settings.backup.folder, clock.now_ms())),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Daily::~Daily() = default;

Result<bool> Daily::is_mine() {
    if (!duty_) duty_.emplace(TRY(store::open_store(settings_.store)));
    return duty_->hold("own backup");
}

// A store that does not answer is no backup that failed: it is soon looked at again.
void Daily::run(const std::stop_token& stop) {
    std::chrono::milliseconds pause = pauses_.first;
    while (true) {
        {
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, stop, pause, [] { return false; });
        }
        if (stop.stop_requested()) return;
        pause = pauses_.look;
        const auto mine = is_mine();
        if (mine && !*mine) continue;
        const auto looked = mine ? look(settings_, clock_.now_ms(), stop) : Result<TimeMs>(mine.error());
        if (stop.stop_requested()) return;
        if (looked) {
            newest_ = *looked;
            continue;
        }
        log::error("control plane not backed up",
                   {{"error", looked.error().message()}, {"hint", looked.error().hint()}});
        if (mine) pause = pauses_.failed;
    }
}

}  // namespace backstay::own_backup
