#include "agent/jobs/restore/swap.h"

#include <fmt/format.h>

#include <thread>

#include "agent/jobs/restore/folders.h"
#include "common/domain/reasons.h"
#include "common/json/json.h"
#include "common/pq/quote.h"

namespace backstay::restore {
namespace {

constexpr std::int64_t kSessionsLimitMs = 30'000;
constexpr std::int64_t kOthersLimitMs = 5'000;  // for sessions that only a superuser may end: a check, a look
constexpr auto kSessionsPause = std::chrono::milliseconds(50);

std::string quoted(const std::string& name) { return pq::quote_identifier(name); }

Result<> allow_connections(pq::Connection& cluster, const std::string& database, bool allowed) {
    return cluster.exec(fmt::format("ALTER DATABASE {} ALLOW_CONNECTIONS {}", quoted(database), allowed));
}

// Ends what this role may end, and tells what is left. Processes without a role (autovacuum) are the server's own:
// nobody but a superuser may end them, and renaming makes them give way by itself.
Result<pq::Rows> end_and_list(pq::Connection& cluster, const std::string& database) {
    return cluster.query(
        "SELECT s.pid, s.usename, s.mine, CASE WHEN s.mine THEN pg_terminate_backend(s.pid) END FROM ("
        "SELECT a.pid, a.usename, me.rolsuper OR (NOT r.rolsuper AND (pg_has_role(a.usesysid, 'USAGE') OR "
        "pg_has_role('pg_signal_backend', 'USAGE'))) AS mine FROM pg_stat_activity a JOIN pg_roles r ON r.oid = "
        "a.usesysid JOIN pg_roles me ON me.rolname = current_user WHERE a.datname = $1) s ORDER BY s.mine, s.pid",
        {database});
}

Error sessions_stay(const pq::Rows& left, const std::string& database) {
    const std::string who = fmt::format("process {} of role {}", left.text(0, 0), left.text(0, 1));
    if (left.boolean(0, 2)) {
        return Error(Errc::conflict, fmt::format("{} sessions on {} do not end: {}", left.size(), database, who))
            .with_reason(reason::kTargetLocked);
    }
    return Error(Errc::conflict,
                 fmt::format("a session on {} may not be ended by the agent's role: {} (a superuser, or a role that it "
                             "is no member of)",
                             database, who))
        .with_reason(reason::kTargetLocked)
        .with_hint("end that session, or grant pg_signal_backend; a superuser's session ends by a superuser alone");
}

// New sessions are refused first: Odoo's workers reconnect at once.
Result<> end_sessions(pq::Connection& cluster, const std::string& database) {
    const pq::Rows now = TRY(cluster.query("SELECT datallowconn FROM pg_database WHERE datname = $1", {database}));
    const bool allowed = !now.empty() && now.boolean(0, 0);
    TRY(allow_connections(cluster, database, false));
    const std::int64_t begun = steady_ms();
    for (;;) {
        const pq::Rows left = TRY(end_and_list(cluster, database));
        if (left.empty()) return {};
        if (steady_ms() - begun > (left.boolean(0, 2) ? kSessionsLimitMs : kOthersLimitMs)) {
            Error error = sessions_stay(left, database);
            if (allowed) {
                if (auto again = allow_connections(cluster, database, true); !again) error.followed_by(again.error());
            }
            return error;
        }
        std::this_thread::sleep_for(kSessionsPause);
    }
}

Result<> keep(SwapRecord& record, SwapState state, const Note& note) {
    record.state = state;
    return note(std::string(kSwapNote), encode_note(record));
}

Result<> swap_databases(const SwapRecord& record, pq::Connection& cluster) {
    if (record.side_database.empty()) return {};
    if (!record.old_oid.empty()) TRY(end_sessions(cluster, record.database));
    TRY(end_sessions(cluster, record.side_database));
    auto transaction = TRY(pq::Transaction::begin(cluster));
    if (!record.old_oid.empty()) {
        TRY(cluster.exec(
            fmt::format("ALTER DATABASE {} RENAME TO {}", quoted(record.database), quoted(record.previous_database))));
    }
    TRY(cluster.exec(
        fmt::format("ALTER DATABASE {} RENAME TO {}", quoted(record.side_database), quoted(record.database))));
    TRY(
        cluster.exec(fmt::format("ALTER DATABASE {0} OWNER TO {1}; ALTER DATABASE {0} IS_TEMPLATE false;"
                                 "ALTER DATABASE {0} ALLOW_CONNECTIONS true",
                                 quoted(record.database), quoted(record.owner))));
    return transaction.commit();
}

Result<> swap_folders(const SwapRecord& record) {
    if (record.side_filestore.empty()) return {};
    if (record.old_folder.empty()) return rename_folder(record.side_filestore, record.filestore);
    TRY(exchange_folders(record.side_filestore, record.filestore));
    return rename_folder(record.side_filestore, record.previous_filestore);
}

Result<> put_databases_back(const SwapRecord& record, pq::Connection& cluster) {
    if (record.side_database.empty()) return {};
    const auto new_name = TRY(database_name(cluster, record.new_oid));
    std::optional<std::string> old_name;
    if (!record.old_oid.empty()) old_name = TRY(database_name(cluster, record.old_oid));
    const bool new_in_place = new_name == record.database;
    if (!record.old_oid.empty() && !old_name) {
        return Error(Errc::not_found, fmt::format("the previous database of {} is gone", record.database))
            .with_reason(reason::kDbNotFound);
    }
    if (new_in_place) TRY(end_sessions(cluster, record.database));
    auto transaction = TRY(pq::Transaction::begin(cluster));
    if (new_in_place) {
        TRY(cluster.exec(fmt::format("ALTER DATABASE {} RENAME TO {}; ALTER DATABASE {} IS_TEMPLATE true",
                                     quoted(record.database), quoted(record.side_database),
                                     quoted(record.side_database))));
    }
    if (old_name) {
        if (*old_name != record.database) {
            TRY(cluster.exec(
                fmt::format("ALTER DATABASE {} RENAME TO {}", quoted(*old_name), quoted(record.database))));
        }
        TRY(allow_connections(cluster, record.database, true));
    }
    return transaction.commit();
}

// Where the previous folder is now; nullopt: nowhere that a swap could have left it.
Result<std::optional<std::string>> find_previous_folder(const SwapRecord& record) {
    for (const std::string& path : {record.filestore, record.previous_filestore, record.side_filestore}) {
        if (TRY(folder_identity(path)) == record.old_folder) return std::optional<std::string>(path);
    }
    return std::optional<std::string>();
}

Error previous_folder_gone(const SwapRecord& record) {
    return Error(Errc::not_found, fmt::format("the previous folder of {} is gone", record.filestore))
        .with_reason(reason::kFilestoreMissing);
}

// Some folder is in place, but not the old one, and the old one is nowhere: with the old database it would be a
// mixture.
Result<> check_folders_can_go_back(const SwapRecord& record) {
    if (record.side_filestore.empty() || record.old_folder.empty()) return {};
    if (TRY(find_previous_folder(record))) return {};
    if (!TRY(folder_identity(record.filestore))) return {};
    return previous_folder_gone(record).with_hint("nothing was changed");
}

Result<> put_folders_back(const SwapRecord& record) {
    if (record.side_filestore.empty()) return {};
    const auto in_place = TRY(folder_identity(record.filestore));
    if (record.old_folder.empty()) {
        if (in_place == record.new_folder) return rename_folder(record.filestore, record.side_filestore);
        return {};
    }
    const auto previous = TRY(find_previous_folder(record));
    if (!previous) return previous_folder_gone(record);
    if (*previous == record.filestore) return {};
    if (!in_place) return rename_folder(*previous, record.filestore);
    TRY(exchange_folders(*previous, record.filestore));
    return *previous == record.side_filestore ? Result<>() : rename_folder(*previous, record.side_filestore);
}

}  // namespace

Result<std::optional<std::string>> database_name(pq::Connection& cluster, const std::string& oid) {
    const pq::Rows rows = TRY(cluster.query("SELECT datname FROM pg_database WHERE oid = $1::oid", {oid}));
    if (rows.empty()) return std::optional<std::string>();
    return std::optional<std::string>(rows.text(0, 0));
}

Result<> drop_database(pq::Connection& cluster, const std::string& database) {
    const pq::Rows rows = TRY(cluster.query("SELECT datistemplate FROM pg_database WHERE datname = $1", {database}));
    if (rows.empty()) return {};
    if (rows.boolean(0, 0)) TRY(cluster.exec(fmt::format("ALTER DATABASE {} IS_TEMPLATE false", quoted(database))));
    return cluster.exec(fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(database)));
}

Result<> identify(SwapRecord& record, pq::Connection& cluster) {
    const auto oid_of = [&](const std::string& name) -> Result<std::string> {
        const pq::Rows rows = TRY(cluster.query("SELECT oid FROM pg_database WHERE datname = $1", {name}));
        return rows.empty() ? std::string() : std::string(rows.text(0, 0));
    };
    if (!record.side_database.empty()) {
        record.new_oid = TRY(oid_of(record.side_database));
        record.old_oid = TRY(oid_of(record.database));
    }
    if (!record.side_filestore.empty()) {
        record.new_folder = TRY(folder_identity(record.side_filestore)).value_or("");
        record.old_folder = TRY(folder_identity(record.filestore)).value_or("");
    }
    const bool complete = (record.side_database.empty() || !record.new_oid.empty()) &&
                          (record.side_filestore.empty() || !record.new_folder.empty());
    if (!complete) return Error(Errc::not_found, "the new pair is not complete").with_reason(reason::kInternalError);
    return {};
}

Result<> swap_in(SwapRecord& record, pq::Connection& cluster, const Note& note) {
    TRY(keep(record, SwapState::swapping, note));
    const auto swap = [&]() -> Result<> {
        TRY(swap_databases(record, cluster));
        TRY(swap_folders(record));
        return keep(record, SwapState::swapped, note);
    };
    auto swapped = swap();
    if (swapped) return swapped;
    Error error = std::move(swapped).error();
    if (auto back = put_back(record, cluster, note); !back) {
        error.followed_by(back.error());
    } else {
        error.add_fact("reverted", "true");
    }
    return error;
}

Result<> put_back(SwapRecord& record, pq::Connection& cluster, const Note& note) {
    TRY(check_folders_can_go_back(record));
    // A journal that cannot be written (a full disk) must not keep the running pair from coming back.
    const auto noted = keep(record, SwapState::reverting, note);
    const auto stood = standing(record, cluster);
    auto databases = put_databases_back(record, cluster);
    // While the whole new pair stands, its folder stays with its database.
    if (!databases && (!stood || *stood == Standing::restored)) return databases;
    // One part may be impossible (a folder gone): the other is put back all the same.
    auto folders = put_folders_back(record);
    if (!databases) {
        Error error = std::move(databases).error();
        if (!folders) error.followed_by(folders.error());
        return error;
    }
    TRY(folders);
    TRY(noted);
    return keep(record, SwapState::reverted, note);
}

Result<Standing> standing(const SwapRecord& record, pq::Connection& cluster) {
    bool restored = true;
    bool previous = true;
    if (!record.side_database.empty()) {
        restored = TRY(database_name(cluster, record.new_oid)) == record.database;
        previous = !restored;
        if (!record.old_oid.empty()) previous = TRY(database_name(cluster, record.old_oid)) == record.database;
    }
    if (!record.side_filestore.empty()) {
        const auto folder = TRY(folder_identity(record.filestore));
        restored = restored && folder == record.new_folder;
        previous = previous && (record.old_folder.empty() ? !folder : folder == record.old_folder);
    }
    if (restored) return Standing::restored;
    return previous ? Standing::previous : Standing::mixed;
}

Result<> keep_proven(SwapRecord& record, const Note& note) { return keep(record, SwapState::proven, note); }

Result<> admit_connections(const SwapRecord& record, pq::Connection& cluster) {
    if (record.side_database.empty()) return {};
    const pq::Rows rows =
        TRY(cluster.query("SELECT datallowconn FROM pg_database WHERE datname = $1", {record.database}));
    if (rows.empty() || rows.boolean(0, 0)) return {};
    return allow_connections(cluster, record.database, true);
}

Result<> drop_replaced(const SwapRecord& record, pq::Connection& cluster) {
    for (const std::string& oid : {record.old_oid, record.new_oid}) {
        if (oid.empty()) continue;
        const auto name = TRY(database_name(cluster, oid));
        if (name && (*name == record.side_database || *name == record.previous_database)) {
            TRY(drop_database(cluster, *name));
        }
    }
    for (const std::string& path : {record.side_filestore, record.previous_filestore}) {
        if (path.empty()) continue;
        const auto identity = TRY(folder_identity(path));
        if (identity && (*identity == record.old_folder || *identity == record.new_folder)) TRY(remove_folder(path));
    }
    return {};
}

namespace {
template <class T>
Result<T> decode(const std::string& text) {
    const json::Value value = TRY(json::parse(text));
    return json::decode<T>(value, json::kLenient);
}
}  // namespace

std::string encode_note(const SwapRecord& record) { return json::serialize(json::encode(record)); }
std::string encode_note(const SideRecord& record) { return json::serialize(json::encode(record)); }
std::string encode_note(const StoppedRecord& record) { return json::serialize(json::encode(record)); }
Result<SwapRecord> decode_swap(const std::string& text) { return decode<SwapRecord>(text); }
Result<SideRecord> decode_side(const std::string& text) { return decode<SideRecord>(text); }
Result<StoppedRecord> decode_stopped(const std::string& text) { return decode<StoppedRecord>(text); }

}  // namespace backstay::restore
