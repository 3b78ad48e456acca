#include "control-plane/own-backup/save.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "common/crypto/digest.h"
#include "common/files/files.h"
#include "common/human.h"
#include "common/json/json.h"
#include "common/process/account.h"
#include "common/sql/snapshot.h"
#include "common/sql/transaction.h"
#include "common/version.h"
#include "control-plane/config/store_setting.h"
#include "control-plane/own-backup/files.h"
#include "control-plane/own-backup/folder.h"
#include "control-plane/own-backup/restore.h"
#include "control-plane/own-backup/seal.h"
#include "control-plane/store-move/move.h"
#include "control-plane/store-move/targets.h"
#include "control-plane/store/store.h"

namespace backstay::own_backup {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSpare = 64 << 20;

// What lies in the state folder keeps its place there, wherever that is after a restore; all else is absolute.
std::string place_of(const std::string& path, const std::string& state_dir) {
    const fs::path normal = fs::absolute(path).lexically_normal();
    const fs::path inside = normal.lexically_relative(fs::absolute(state_dir).lexically_normal());
    return inside.empty() || *inside.begin() == ".." ? normal.string() : inside.string();
}

// On PostgreSQL with its indexes and what vacuum has not reused yet: no less than the copy will have.
Result<std::uint64_t> size_of(const std::string& store) {
    if (sql::is_postgres_url(store)) {
        auto db = TRY(store::open_store(store));
        auto rows = TRY(
            db.query("SELECT COALESCE(SUM(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c JOIN pg_namespace "
                     "n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = current_schema()"));
        TRY(rows.step());
        return static_cast<std::uint64_t>(rows.integer(0));
    }
    struct stat file {};
    if (::stat(store.c_str(), &file) != 0) return Error::from_errno(errno, store);
    return static_cast<std::uint64_t>(file.st_size);
}

Result<> check_room(const Settings& settings) {
    const std::uint64_t size = TRY(size_of(settings.store));
    const DiskSpace space = TRY(free_space(settings.state_dir));
    const std::uint64_t needed = 2 * size + kSpare;
    if (space.free_bytes >= needed) return {};
    return Error(Errc::exhausted, "a backup needs " + human::size(needed) + " in " + settings.state_dir + ", " +
                                      human::size(space.free_bytes) + " are free");
}

Result<> keep_file(sql::Database& copy, const InstallationFile& file, const SaveOrder& order, const Settings& settings,
                   std::vector<std::string>& left_out) {
    if (!file.carried || (file.secret && !order.with_keys)) {
        left_out.push_back(file.path);
        return {};
    }
    std::string content = TRY(read_file(file.path, 1 << 20).context("read " + file.what));
    const bool may_hold_a_password =
        sql::is_postgres_url(settings.store) && file.path == settings.state_dir + "/" + kSettingsFile;
    if (!order.with_keys && may_hold_a_password) {
        content = TRY(with_store(content, sql::without_password(settings.store)));
    }
    const sql::Blob bytes(as_bytes(content).begin(), as_bytes(content).end());
    TRY(copy.run("INSERT INTO backup_files (place, content) VALUES ($1, $2)",
                 {place_of(file.path, settings.state_dir), bytes}));
    return {};
}

Result<> describe(sql::Database& copy, const Settings& settings, const SaveOrder& order,
                  const std::vector<std::string>& left_out, TimeMs now) {
    struct stat folder {};
    if (::stat(settings.state_dir.c_str(), &folder) != 0) return Error::from_errno(errno, settings.state_dir);
    About about;
    about.made_at = {now};
    about.version = std::string(kVersion);
    about.state_dir = settings.state_dir;
    about.store_place =
        sql::is_postgres_url(settings.store) ? kStoreFile : place_of(settings.store, settings.state_dir);
    about.owner = static_cast<std::int64_t>(folder.st_uid);
    about.owner_name = name_of_account(folder.st_uid);
    about.with_keys = order.with_keys;
    about.left_out = left_out;
    TRY(copy.run("INSERT INTO backup_about (about) VALUES ($1)", {json::encode_text(about)}));
    return {};
}

// An SQLite file of either store, so that a backup has one form and goes back to either.
Result<> copy_database(const std::string& from, const std::string& to, const std::stop_token& stop) {
    if (!sql::is_postgres_url(from)) {
        auto store = TRY(store::open_store(from));
        TRY(store.run("VACUUM INTO $1", {to}));
        return {};
    }
    auto store = TRY(store_move::open_for_bulk(from));
    const auto snapshot = TRY(sql::Snapshot::begin(store));
    const auto look = [&stop](const std::string& /*doing*/, std::int64_t /*rows*/) -> Result<> {
        if (stop.stop_requested()) return Error(Errc::cancelled, "the backup was stopped");
        return {};
    };
    const auto filled = TRY(store_move::fill_file(store, to, look));
    const auto different = filled.different();
    if (different.empty()) return {};
    return Error(Errc::corrupted, "the copy differs in " + different.front());
}

Result<std::vector<std::string>> make_copy(const Settings& settings, const SaveOrder& order, const std::string& path,
                                           TimeMs now, const std::stop_token& stop) {
    TRY(copy_database(settings.store, path, stop).context("copy the database"));
    TRY(check_database(path).context("look at the copy"));
    auto copy = TRY(sql::Database::open(path, {.create = false}));
    std::vector<std::string> left_out;
    {
        auto transaction = TRY(sql::Transaction::begin(copy));
        TRY(
            copy.run_script("CREATE TABLE backup_files (place TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT; "
                            "CREATE TABLE backup_about (about TEXT NOT NULL) STRICT"));
        for (const InstallationFile& file : files_of(settings)) {
            TRY(keep_file(copy, file, order, settings, left_out));
        }
        TRY(describe(copy, settings, order, left_out, now));
        TRY(transaction.commit());
    }
    // One file, and readable where nothing may be written.
    TRY(copy.run("PRAGMA journal_mode = DELETE"));
    return left_out;
}

class StoppedSource final : public Source {
public:
    StoppedSource(Source& from, const std::stop_token& stop) : from_(from), stop_(stop) {}
    Result<std::size_t> read(MutableByteSpan buffer) override {
        if (stop_.stop_requested()) return Error(Errc::cancelled, "the backup was stopped");
        return from_.read(buffer);
    }

private:
    Source& from_;
    const std::stop_token& stop_;
};

Result<std::uint64_t> write_out(const std::string& copy, const SaveOrder& order, const std::string& path,
                                const std::stop_token& stop) {
    auto file = TRY(NewFileSink::create(path));
    std::optional<EncryptingSink> encrypting;
    if (order.key) encrypting.emplace(*order.key, *file);
    Sink& out = encrypting ? static_cast<Sink&>(*encrypting) : *file;
    DigestingSink digesting(DigestKind::sha256, out);
    auto source = TRY(FileSource::open(copy));
    StoppedSource stopped(source, stop);
    const std::uint64_t bytes = TRY(backstay::copy(stopped, digesting)) + kSealBytes;
    TRY(out.write(as_bytes(seal(digesting.hex()))));
    TRY(out.finish());
    return order.key ? encrypted_size(bytes) : bytes;
}

}  // namespace

Result<Saved> save(const Settings& settings, const SaveOrder& order, TimeMs now, const std::stop_token& stop) {
    const auto lock = TRY(FileLock::acquire(settings.state_dir + "/backup.lock").context("begin a backup"));
    std::error_code unknown;
    const bool folder = std::filesystem::is_directory(order.output, unknown);
    // Before the room is looked at: what a killed run left fills it.
    if (folder) remove_unfinished(order.output);
    const auto work = TRY(TempDir::create_at(settings.state_dir + "/backup.tmp"));
    TRY(check_room(settings));
    Saved saved;
    saved.path = folder ? order.output + "/" + name_of(now, order.key.has_value()) : order.output;
    const std::string copy = work.path() + "/control.db";
    saved.left_out = TRY(make_copy(settings, order, copy, now, stop));
    saved.bytes = TRY(write_out(copy, order, saved.path, stop));
    if (folder && order.keep > 0) saved.removed = TRY(prune(order.output, order.keep, now));
    return saved;
}

}  // namespace backstay::own_backup
