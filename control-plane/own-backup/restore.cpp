#include "control-plane/own-backup/restore.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "common/crypto/secretstream.h"
#include "common/files/files.h"
#include "common/sql/snapshot.h"
#include "common/sql/transaction.h"
#include "control-plane/config/settings.h"
#include "control-plane/config/store_setting.h"
#include "control-plane/own-backup/files.h"
#include "control-plane/own-backup/owner.h"
#include "control-plane/own-backup/seal.h"
#include "control-plane/store-move/move.h"
#include "control-plane/store/store.h"

namespace backstay::own_backup {
namespace {

namespace fs = std::filesystem;

// The folder, absent or empty before; removed again unless kept, when it was made here.
class NewFolder {
public:
    static Result<NewFolder> take(const std::string& path) {
        std::error_code fault;
        const bool there = fs::exists(path, fault);
        if (there && !fs::is_empty(path, fault)) {
            return Error(Errc::conflict, path + " is not empty")
                .with_hint("restore into a new folder; move the old one away, it may be needed yet");
        }
        if (fault) return Error::from_errno(fault.value(), "look into " + path);
        TRY(make_folders(path, 0700));
        if (::chmod(path.c_str(), 0700) != 0) return Error::from_errno(errno, "protect " + path);
        return NewFolder(path, !there);
    }
    NewFolder(NewFolder&& other) noexcept
        : path_(std::exchange(other.path_, {})), made_(other.made_), kept_(other.kept_) {}
    NewFolder& operator=(NewFolder&&) = delete;
    ~NewFolder() {
        if (path_.empty() || kept_) return;
        std::error_code ignored;
        for (const auto& entry : fs::directory_iterator(path_, ignored)) fs::remove_all(entry.path(), ignored);
        if (made_) fs::remove(path_, ignored);
    }
    void keep() { kept_ = true; }

private:
    NewFolder(std::string path, bool made) : path_(std::move(path)), made_(made) {}
    std::string path_;
    bool made_;
    bool kept_ = false;
};

Result<> unpack(const RestoreOrder& order, const std::string& path) {
    const std::string beginning = TRY(read_beginning(order.from, kEncryptedHeaderBytes));
    auto file = TRY(NewFileSink::create(path));
    SealedSink sealed(*file);
    auto source = TRY(FileSource::open(order.from));
    const std::string key_id = encrypted_key_id(as_bytes(beginning));
    if (key_id.empty()) {
        if (!beginning.starts_with("SQLite format 3")) {
            return Error(Errc::invalid, order.from + " is no backup of a control plane");
        }
        TRY(copy(source, sealed));
        return sealed.finish();
    }
    if (order.key_file.empty()) {
        return Error(Errc::invalid, order.from + " is encrypted under the key " + key_id).with_hint("--key FILE");
    }
    const StreamKey key = TRY(StreamKey::load(order.key_file));
    DecryptingSink decrypting(key, sealed);
    TRY(copy(source, decrypting));
    return decrypting.finish();
}

Result<About> about_of(sql::Database& db) {
    auto rows = TRY(db.query("SELECT about FROM backup_about"));
    if (!TRY(rows.step())) return Error(Errc::invalid, "the backup does not say what it is");
    const json::Value text = TRY(json::parse(rows.text(0)));
    auto about = TRY(json::decode<About>(text, json::kLenient));
    if (about.format != 1) return Error(Errc::invalid, "the backup is of a newer version (" + about.version + ")");
    return about;
}

Result<> check_place(const std::string& place) {
    for (const fs::path& part : fs::path(place)) {
        if (part == "..") return Error(Errc::invalid, "the backup names a file outside: " + place);
    }
    return {};
}

// Where a file of that place goes; files from elsewhere are gathered, never put over what this system has there.
Result<std::string> path_of(const std::string& place, const std::string& state_dir, Restored& restored) {
    TRY(check_place(place));
    if (!place.starts_with('/')) return state_dir + "/" + place;
    const std::string path = state_dir + "/elsewhere" + place;
    restored.elsewhere.push_back(path + " is for " + place);
    return path;
}

Result<> put_files(sql::Database& db, const std::string& state_dir, Restored& restored) {
    // The settings last: their presence says that the rest is there.
    auto rows = TRY(db.query("SELECT place, content FROM backup_files ORDER BY place = $1, place", {kSettingsFile}));
    while (TRY(rows.step())) {
        const std::string path = TRY(path_of(rows.text(0), state_dir, restored));
        std::error_code unknown;
        if (fs::exists(path, unknown)) return Error(Errc::invalid, "the backup holds two files for " + path);
        TRY(make_folders(fs::path(path).parent_path().string(), 0700));
        const sql::Blob content = rows.blob(1);
        TRY(atomic_write(path, as_text(content), 0600));
    }
    return {};
}

// The keys must not stay in the database's free pages.
Result<> make_plain(sql::Database& db) {
    TRY(db.run_script("PRAGMA secure_delete = ON; DROP TABLE backup_files; DROP TABLE backup_about"));
    TRY(db.run_script("VACUUM"));
    auto rows = TRY(db.query("PRAGMA wal_checkpoint(TRUNCATE)"));
    TRY(rows.step());
    return {};
}

Result<std::string> place_of_database(const std::string& place, const std::string& state_dir) {
    TRY(check_place(place));
    std::string path = place.starts_with('/') ? place : state_dir + "/" + place;
    std::error_code unknown;
    if (!fs::exists(path, unknown)) return path;
    return Error(Errc::conflict, "the database's place is taken: " + path).with_hint("move that file away first");
}

Result<> make_parents(const std::string& path, const std::optional<Owner>& owner) {
    const fs::path parent = fs::path(path).parent_path();
    std::vector<fs::path> made;
    std::error_code unknown;
    for (fs::path at = parent; !fs::exists(at, unknown) && at.has_relative_path(); at = at.parent_path()) {
        made.push_back(at);
    }
    TRY(make_folders(parent.string(), 0700));
    for (const fs::path& folder : made) TRY(give(folder.string(), owner));
    return {};
}

Result<> put_database(const std::string& from, const std::string& to, const std::optional<Owner>& owner) {
    TRY(make_parents(to, owner));
    TRY(fsync_file(from));
    if (::rename(from.c_str(), to.c_str()) == 0) return fsync_folder(fs::path(to).parent_path().string());
    if (errno != EXDEV) return Error::from_errno(errno, "put the database to " + to);
    auto file = TRY(NewFileSink::create(to));
    auto source = TRY(FileSource::open(from));
    TRY(copy(source, *file));
    TRY(file->finish());
    const Result<> given = give(to, owner);
    if (!given) ::unlink(to.c_str());
    return given;
}

// An installation that was on PostgreSQL, or goes there, says so in its settings.
Result<> settle_store(const RestoreOrder& order, Restored& restored) {
    const Settings settings = TRY(load_settings(order.state_dir));
    if (order.store.empty() && !sql::is_postgres_url(settings.store)) return {};
    const std::string setting = order.store.empty() ? restored.about.store_place : order.store;
    const std::string path = order.state_dir + "/" + kSettingsFile;
    const std::string old = TRY(read_file(path, 1 << 20));
    const std::string text = TRY(with_store(old, setting));
    restored.store_changed = text != old;
    return atomic_write(path, text, 0600);
}

// Last: it goes to where a failure would leave it.
Result<> put_into_postgres(const std::string& copy, const std::string& url) {
    auto source = TRY(store::open_store(copy));
    const auto snapshot = TRY(sql::Snapshot::begin(source));
    const auto ignore = [](const std::string& /*doing*/, std::int64_t /*rows*/) { return Result<>(); };
    const auto filled = TRY(store_move::fill_empty_postgres(source, url, ignore));
    const auto different = filled.different();
    if (different.empty()) return {};
    return Error(Errc::corrupted, "what came back from PostgreSQL differs in " + different.front());
}

Result<std::vector<std::string>> missing_files(const std::string& state_dir, const std::string& store) {
    std::vector<std::string> missing;
    const Settings settings = TRY(load_settings(state_dir));
    for (const InstallationFile& file : files_of(settings)) {
        if (::access(file.path.c_str(), F_OK) != 0) missing.push_back(file.path + " (" + file.what + ")");
    }
    const auto normal = [](const std::string& path) { return fs::absolute(path).lexically_normal(); };
    if (settings.store != store && normal(settings.store) != normal(store)) {
        missing.push_back(sql::without_password(settings.store) + " (the database, which is put to " + store +
                          " as it was)");
    }
    return missing;
}

// Brings the copy up to date, and takes out of it what is not the database's.
Result<> take_apart(const RestoreOrder& order, const std::string& copy, TimeMs now, Restored& restored) {
    TRY(unpack(order, copy).context("read " + order.from));
    {
        TRY(check_database(copy));
        auto db = TRY(sql::Database::open(copy, {.create = false}));
        restored.about = TRY(about_of(db));
    }
    TRY(store::prepare_store(copy));
    auto db = TRY(store::open_store(copy));
    auto transaction = TRY(sql::Transaction::begin(db));
    restored.forgotten = TRY(forget_unfinished(transaction, restored.about.made_at.ms, now));
    TRY(transaction.commit());
    TRY(put_files(db, order.state_dir, restored));
    return make_plain(db);
}

}  // namespace

Result<Restored> restore(const RestoreOrder& order, TimeMs now) {
    NewFolder folder = TRY(NewFolder::take(order.state_dir));
    Restored restored;
    {
        const auto work = TRY(TempDir::create_at(order.state_dir + "/restore.tmp"));
        const std::string copy = work.path() + "/control.db";
        TRY(take_apart(order, copy, now, restored));
        TRY(settle_store(order, restored));
        const bool to_postgres = !order.store.empty();
        restored.store = order.store;
        if (!to_postgres) {
            restored.store = TRY(place_of_database(restored.about.store_place, order.state_dir));
        }
        restored.missing = TRY(missing_files(order.state_dir, restored.store));
        const auto owner = owner_of(order.state_dir, restored);
        TRY(give_folder(order.state_dir, owner));
        // Last: it may go to where a failure would leave it.
        TRY(to_postgres ? put_into_postgres(copy, order.store) : put_database(copy, restored.store, owner));
    }
    folder.keep();
    return restored;
}

}  // namespace backstay::own_backup
