#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "agent/jobs/restore/folders.h"
#include "agent/jobs/restore/target.h"
#include "agent/odoo/instance.h"
#include "common/domain/reasons.h"
#include "common/domain/steps.h"
#include "common/files/files.h"
#include "common/files/rights.h"

namespace backstay::restore {
namespace {

Error refused(Errc code, std::string message, std::string_view why) {
    return Error(code, std::move(message)).with_reason(why);
}

Result<> check_sessions(const Target& target, pq::Connection& cluster) {
    if (!target.database_exists || !target.wants_database) return {};
    const pq::Rows prepared =
        TRY(cluster.query("SELECT gid FROM pg_prepared_xacts WHERE database = $1 LIMIT 1", {target.database}));
    if (!prepared.empty()) {
        return refused(Errc::conflict,
                       fmt::format("{} has a prepared transaction ({})", target.database, prepared.text(0, 0)),
                       reason::kTargetLocked);
    }
    // Odoo's own sessions end at the swap; a dump or a restore under way must not be cut off.
    const pq::Rows tools = TRY(cluster.query(
        "SELECT application_name, pid FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()"
        " AND application_name ~ '^(pg_dump|pg_restore|backstay (backup|restore))' LIMIT 1",
        {target.database}));
    if (!tools.empty()) {
        return refused(
            Errc::conflict,
            fmt::format("{} is in use by {} (process {})", target.database, tools.text(0, 0), tools.text(0, 1)),
            reason::kTargetLocked);
    }
    const pq::Rows slots =
        TRY(cluster.query("SELECT slot_name FROM pg_replication_slots WHERE database = $1 LIMIT 1", {target.database}));
    if (!slots.empty()) {
        return refused(Errc::conflict, fmt::format("{} has the replication slot {}", target.database, slots.text(0, 0)),
                       reason::kTargetLocked);
    }
    return {};
}

// Who will own the new database: the owner of the one it replaces, else the role of that name at the source, else ours.
Result<> settle_owner(Target& target, const Manifest& manifest, pq::Connection& cluster) {
    if (target.owner.empty()) {
        const pq::Rows known = TRY(cluster.query("SELECT FROM pg_roles WHERE rolname = $1", {manifest.postgres.owner}));
        const pq::Rows self = TRY(cluster.query("SELECT current_user"));
        target.owner = known.empty() ? std::string(self.text(0, 0)) : manifest.postgres.owner;
    }
    const pq::Rows right =
        TRY(cluster.query("SELECT rolsuper OR (rolcreatedb AND pg_has_role(current_user, $1, 'MEMBER')) FROM pg_roles"
                          " WHERE rolname = current_user",
                          {target.owner}));
    if (!right.empty() && right.boolean(0, 0)) return {};
    return refused(Errc::denied,
                   fmt::format("role {} may not create a database for {}", target.cluster.user, target.owner),
                   reason::kPreflightFailed)
        .with_hint(
            fmt::format("ALTER ROLE {0} CREATEDB; GRANT {1} TO {0}; or SUPERUSER", target.cluster.user, target.owner));
}

Result<> check_odoo_version(const Target& target, const Manifest& manifest, std::stop_token stop) {
    if (!target.database_exists || !manifest.odoo) return {};
    auto there = TRY(pq::Connection::connect(connect_parameters(target.cluster, target.database), std::move(stop)));
    const auto instance = TRY(odoo::read_instance(there));
    const std::string& stored = manifest.odoo->major_version;
    if (!instance || instance->series.empty() || stored.empty() || instance->series == stored) return {};
    return refused(Errc::conflict,
                   fmt::format("the backup is of Odoo {}, {} is of Odoo {}", stored, target.database, instance->series),
                   reason::kVersionMismatch);
}

Result<> check_server(const Target& target, const Manifest& manifest, pq::Connection& cluster) {
    const int source = manifest.postgres.server_version_num / 10'000;
    const int here = target.server_version_num / 10'000;
    if (here < source) {
        return refused(Errc::conflict,
                       fmt::format("the backup is of PostgreSQL {}, this cluster runs the older {}", source, here),
                       reason::kVersionMismatch);
    }
    TRY(find_tool(target.cluster, "pg_restore", target.server_version_num));
    for (const ManifestExtension& extension : manifest.postgres.extensions) {
        const pq::Rows known =
            TRY(cluster.query("SELECT FROM pg_available_extensions WHERE name = $1", {extension.name}));
        if (known.empty()) {
            return refused(Errc::not_found,
                           fmt::format("extension {} {} is not installed on this server", extension.name,
                                       extension.version),
                           reason::kPreflightFailed)
                .with_hint(fmt::format("install postgresql-contrib or the package of {}", extension.name));
        }
    }
    if (manifest.postgres.unaccent_immutable && !target.superuser) {
        return refused(Errc::denied,
                       fmt::format("the backup needs unaccent() to be immutable, which only a superuser can set; {} is"
                                   " none",
                                   target.cluster.user),
                       reason::kPreflightFailed);
    }
    return {};
}

Result<> check_folders(const Target& target) {
    if (target.filestore.empty()) {
        return refused(Errc::not_found, fmt::format("nobody says where the filestore of {} is", target.database),
                       reason::kFilestoreMissing)
            .with_hint("set `filestore` of the environment or of the [[odoo]] entry");
    }
    const std::string above = parent_of(target.filestore);
    if (may_access(above, F_OK) && !may_access(above, W_OK | X_OK)) {
        return refused(Errc::denied, fmt::format("no right to write in {}", above), reason::kPreflightFailed);
    }
    if (geteuid() != target.file_owner.uid && !may_give_files_away()) {
        return refused(
            Errc::denied,
            fmt::format("the filestore belongs to user {}, and only root may give files away", target.file_owner.uid),
            reason::kPreflightFailed);
    }
    return {};
}

// Bytes needed by file system, each named by its first path.
class SpaceNeeds {
public:
    Result<> add(const std::string& path, std::uint64_t bytes) {
        std::string existing = path;
        struct stat status {};
        while (stat(existing.c_str(), &status) != 0 && existing != "/") existing = parent_of(existing);
        Need& need = needs_[status.st_dev];
        if (need.path.empty()) need.path = existing;
        need.bytes += bytes;
        return {};
    }

    Result<> check() const {
        for (const auto& [device, need] : needs_) {
            const DiskSpace space = TRY(free_space(need.path));
            if (space.free_bytes >= need.bytes) continue;
            return refused(Errc::exhausted,
                           fmt::format("{} has {} MB free, the restore needs {} MB", need.path, space.free_bytes >> 20U,
                                       need.bytes >> 20U),
                           reason::kDiskSpaceLow)
                .with_fact("free_bytes", std::to_string(space.free_bytes))
                .with_fact("needed_bytes", std::to_string(need.bytes));
        }
        return {};
    }

private:
    struct Need {
        std::string path;
        std::uint64_t bytes = 0;
    };
    std::map<dev_t, Need> needs_;
};

Result<> check_space(const Target& target, const Manifest& manifest, bool needs_scratch, pq::Connection& cluster) {
    constexpr std::uint64_t kReserve = 64ULL << 20;
    SpaceNeeds needs;
    if (target.wants_database) {
        // Only a server on this host, to a role that may see the setting, tells where its data lie.
        auto data = cluster.query("SELECT setting FROM pg_settings WHERE name = 'data_directory'");
        const bool local = target.cluster.host.starts_with('/');
        if (local && data && !data->empty()) {
            TRY(needs.add(std::string(data->text(0, 0)), manifest.postgres.size_bytes / 10 * 12 + kReserve));
        }
        const ManifestArtifact* database = find_artifact(manifest, artifact::kDatabase);
        if (needs_scratch && database != nullptr) {
            TRY(needs.add(target.scratch, database->uncompressed_bytes + kReserve));
        }
    }
    if (target.wants_filestore && manifest.filestore) {
        // Each file ends in a half-filled block on average.
        TRY(needs.add(target.side_filestore,
                      manifest.filestore->size_bytes + manifest.filestore->file_count * 2048 + kReserve));
    }
    return needs.check();
}

}  // namespace

Result<Testimony> check_target(Target& target, const Manifest& manifest, bool needs_scratch, pq::Connection& cluster,
                               std::stop_token stop) {
    TRY(lock_target(cluster, target.database));
    TRY(check_sessions(target, cluster));
    if (target.wants_database) {
        TRY(settle_owner(target, manifest, cluster));
        TRY(check_server(target, manifest, cluster));
        TRY(check_odoo_version(target, manifest, std::move(stop)));
    } else if (!target.database_exists) {
        return refused(Errc::not_found, fmt::format("database {} does not exist", target.database),
                       reason::kDbNotFound);
    }
    if (target.wants_filestore && manifest.filestore) TRY(check_folders(target));
    TRY(check_space(target, manifest, needs_scratch, cluster));
    Testimony testimony;
    testimony.summary = fmt::format("{} on PostgreSQL {}, {}", target.database, target.server_version_num / 10'000,
                                    target.database_exists ? "replaces the database there" : "a new database");
    testimony.facts = {{"database", target.database},
                       {"owner", target.owner},
                       {"filestore", target.filestore},
                       {"server_version_num", std::to_string(target.server_version_num)}};
    return testimony;
}

}  // namespace backstay::restore
