#include "agent/state/state.h"

#include "agent/state/agent_migrations.h"
#include "agent/state/damage.h"
#include "common/files/files.h"
#include "common/sqlite/migrations.h"

namespace backstay {

Result<sqlite::Database> open_state(const std::string& state_dir) {
    TRY(make_folders(state_dir, 0700));
    // Long enough for another thread's commit on a disk that a backup keeps busy.
    sqlite::OpenOptions options;
    options.busy_timeout_ms = 60'000;
    // One that went away while the agent runs is not made anew by whoever looks into it next.
    options.create = !has_begun(state_dir);
    options.on_damage = [state_dir](const Error&) { suspect_damage(state_dir); };
    sqlite::Database database = TRY(sqlite::Database::open(state_file(state_dir), options).context("open the state"));
    if (auto migrated = sqlite::migrate(database, agent_migrations()).context("open the state"); !migrated) {
        Error error = std::move(migrated).error();
        // A newer version wrote it.
        return error.code() == Errc::invalid ? std::move(error).with_reason(kStateUnusable) : error;
    }
    // Small: the agent is to be small when idle, and its tables are.
    TRY(database.run_script("PRAGMA cache_size = -256"));
    return database;
}

}  // namespace backstay
