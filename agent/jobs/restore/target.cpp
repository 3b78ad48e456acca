#include "agent/jobs/restore/target.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "agent/jobs/restore/folders.h"
#include "agent/odoo/location.h"
#include "common/domain/reasons.h"

namespace backstay::restore {
namespace {

constexpr std::size_t kNameMax = 63;  // of PostgreSQL
constexpr std::size_t kIdTail = 8;

// "user:group" or "user" → ids.
Result<FileOwner> parse_owner(const std::string& text) {
    const std::size_t colon = text.find(':');
    const std::string user = text.substr(0, colon);
    const passwd* account = getpwnam(user.c_str());
    if (account == nullptr) {
        return Error(Errc::invalid, fmt::format("owner '{}': there is no user '{}'", text, user))
            .with_reason(reason::kPreflightFailed);
    }
    FileOwner owner{account->pw_uid, account->pw_gid};
    if (colon != std::string::npos) {
        const std::string group_name = text.substr(colon + 1);
        const group* entry = getgrnam(group_name.c_str());
        if (entry == nullptr) {
            return Error(Errc::invalid, fmt::format("owner '{}': there is no group '{}'", text, group_name))
                .with_reason(reason::kPreflightFailed);
        }
        owner.gid = entry->gr_gid;
    }
    return owner;
}

// As the folder that is there, else as the one above it.
Result<FileOwner> owner_like(const std::string& folder) {
    struct stat status {};
    for (std::string path = folder;; path = parent_of(path)) {
        if (stat(path.c_str(), &status) == 0) return FileOwner{status.st_uid, status.st_gid};
        if (errno != ENOENT || path == "/" || path == ".") return Error::from_errno(errno, "look at " + path);
    }
}

// As for a backup; a database that is new has no folder yet, so what is configured above it counts too.
std::string find_filestore(const RestoreOrder& order, const Target& target, const AgentConfig& config) {
    if (order.target.filestore && !order.target.filestore->empty()) return *order.target.filestore;
    const OdooConfig* entry = target.odoo;
    if (entry != nullptr && entry->database == target.database && !entry->filestore.empty()) return entry->filestore;
    const auto place = odoo::locate(config, target.cluster.name, target.database, std::nullopt, order.target.odoo_conf);
    if (place && !place->filestore.empty()) return place->filestore;
    if (entry != nullptr && !entry->filestore.empty()) return fmt::format("{}/{}", entry->filestore, target.database);
    const std::string data_dir = place && place->conf ? place->conf->get("data_dir") : std::string();
    return data_dir.empty() ? std::string() : fmt::format("{}/filestore/{}", data_dir, target.database);
}

Result<> look_at_filestore(const RestoreOrder& order, const AgentConfig& config, Target& target) {
    target.filestore = find_filestore(order, target, config);
    while (target.filestore.size() > 1 && target.filestore.ends_with('/')) target.filestore.pop_back();
    if (target.filestore.empty()) return {};
    if (!target.filestore.starts_with('/')) {
        return Error(Errc::invalid, fmt::format("filestore '{}' is not absolute", target.filestore))
            .with_reason(reason::kPreflightFailed);
    }
    const std::string above = parent_of(target.filestore);
    target.side_filestore = fmt::format("{}/{}", above, target.side_database);
    target.previous_filestore = fmt::format("{}/{}", above, target.previous_database);
    target.filestore_exists = TRY(folder_identity(target.filestore).reason(reason::kPreflightFailed)).has_value();
    const std::string configured = target.odoo == nullptr ? "" : target.odoo->owner;
    target.file_owner = TRY(configured.empty() ? owner_like(target.filestore) : parse_owner(configured));
    return {};
}

}  // namespace

std::string side_name(const std::string& database, std::string_view what, const std::string& id) {
    const std::string tail = id.size() > kIdTail ? id.substr(id.size() - kIdTail) : id;
    std::string suffix = fmt::format("__{}_{}", what, tail);
    std::string base = database.substr(0, kNameMax - suffix.size());
    // Never half a UTF-8 character.
    while (base.size() < database.size() && !base.empty() && (static_cast<unsigned char>(base.back()) & 0x80U) != 0) {
        base.pop_back();
    }
    return base + suffix;
}

Result<pq::Connection> connect_to_cluster(const ClusterConfig& cluster, std::stop_token stop) {
    return pq::Connection::connect(connect_parameters(cluster, cluster.database), std::move(stop))
        .context(fmt::format("connect to cluster {}", cluster.name));
}

Result<Target> look_at_target(const RestoreOrder& order, const JobHost& host, pq::Connection& cluster) {
    Target target;
    target.cluster = TRY(find_cluster(host.config, order.target.cluster));
    target.database = order.target.database;
    target.odoo = find_odoo(host.config, target.cluster.name, target.database);
    target.wants_database = order.scope != "filestore";
    target.wants_filestore = order.scope != "db";
    if (target.database.empty() || target.database == target.cluster.database || target.database == "template0" ||
        target.database == "template1") {
        return Error(Errc::invalid, fmt::format("'{}' is no database to restore into", target.database))
            .with_reason(reason::kPreflightFailed);
    }
    target.side_database = side_name(target.database, "restore", order.restore_id);
    target.previous_database = side_name(target.database, "prev", order.restore_id);
    const std::string base =
        host.config.scratch_dir.empty() ? host.config.state_dir + "/scratch" : host.config.scratch_dir;
    target.scratch = fmt::format("{}/restore-{}", base, order.restore_id);
    target.server_version_num = cluster.server_version_num();
    const pq::Rows role = TRY(cluster.query("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"));
    target.superuser = !role.empty() && role.boolean(0, 0);
    const pq::Rows known = TRY(
        cluster.query("SELECT r.rolname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = $1",
                      {target.database}));
    target.database_exists = !known.empty();
    if (target.database_exists) target.owner = std::string(known.text(0, 0));
    if (target.wants_filestore) TRY(look_at_filestore(order, host.config, target));
    return target;
}

Result<> lock_target(pq::Connection& cluster, const std::string& database) {
    const pq::Rows got =
        TRY(cluster.query("SELECT pg_try_advisory_lock(hashtextextended('backstay:' || $1, 0))", {database}));
    if (got.boolean(0, 0)) return {};
    return Error(Errc::conflict, fmt::format("another operation of Backstay works on {}", database))
        .with_reason(reason::kTargetLocked);
}

Result<> take_over_target(pq::Connection& cluster, const std::string& database, std::int64_t limit_ms) {
    const std::int64_t deadline = steady_ms() + limit_ms;
    for (;;) {
        auto locked = lock_target(cluster, database);
        if (locked || locked.error().code() != Errc::conflict || steady_ms() > deadline) return locked;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

}  // namespace backstay::restore
