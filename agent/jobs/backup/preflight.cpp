#include "agent/jobs/backup/preflight.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "agent/jobs/backup/leftovers.h"
#include "agent/jobs/backup/shipping.h"
#include "agent/jobs/destinations.h"
#include "agent/postgres/facts.h"
#include "common/domain/layout.h"
#include "common/domain/reasons.h"
#include "common/files/rights.h"
#include "storage/destination.h"

namespace backstay::backup {
namespace {

constexpr std::uint64_t kScratchReserve = 1ULL << 30;

Result<> load_key(Prepared& prepared) {
    if (prepared.order.encrypt_for.empty()) return {};
    const std::string& file = prepared.host.config.encryption_key_file;
    if (file.empty()) {
        return Error(Errc::invalid, "this backup is to be encrypted, but the agent has no encryption_key_file")
            .with_reason(reason::kEncryptionKeyMissing);
    }
    prepared.key = TRY(StreamKey::load(file).reason(reason::kEncryptionKeyMissing));
    return {};
}

// Reachable, writable, and free of what an earlier attempt of this backup left.
Result<> try_place(const Prepared& prepared, Place& place) {
    const std::unique_ptr<Storage> storage = TRY(place.open_for_check());
    TRY(probe_storage(*storage));
    TRY(remove_folder_objects(*storage, prepared.folder));
    TRY(storage->sweep_leftovers(prepared.host.clock.now_ms() - kDeadUploadMs));
    return {};
}

Result<> try_places(Prepared& prepared) {
    if (prepared.places.empty()) {
        return Error(Errc::invalid, "no destination to store the backup in").with_reason(reason::kNoDestination);
    }
    std::size_t usable = 0;
    for (const auto& place : prepared.places) {
        Result<> tried = try_place(prepared, *place).context("destination " + place->name());
        if (tried) {
            ++usable;
        } else {
            place->fail(Error(tried.error()).with_reason(reason::kDestinationUnreachable));
        }
    }
    return usable > 0 ? Result<>() : all_failed(prepared.places);
}

Result<> look_at_database(Prepared& prepared, const std::stop_token& stop) {
    if (prepared.database.empty()) return Error(Errc::invalid, "the order names no database");
    prepared.snapshot = TRY(postgres::Snapshot::open(prepared.cluster, prepared.database, stop));
    pq::Connection& connection = prepared.snapshot->connection();
    prepared.facts = TRY(postgres::read_facts(connection));
    const std::int32_t version = prepared.facts.server_version_num;
    prepared.pg_dump = TRY(find_tool(prepared.cluster, "pg_dump", version));
    prepared.pg_restore = TRY(find_tool(prepared.cluster, "pg_restore", version));
    prepared.pg_dumpall = TRY(find_tool(prepared.cluster, "pg_dumpall", version));
    prepared.instance = TRY(odoo::read_instance(connection));
    if (prepared.instance) prepared.attachments = TRY(odoo::attachment_totals(connection));
    return {};
}

Result<> look_at_odoo(Prepared& prepared) {
    const EnvironmentOrder& environment = prepared.order.environment;
    prepared.configured = find_odoo(prepared.host.config, prepared.cluster.name, prepared.database);
    prepared.location = TRY(odoo::locate(prepared.host.config, prepared.cluster.name, prepared.database,
                                         environment.filestore, environment.odoo_conf));
    if (!prepared.full) return {};
    if (!prepared.instance) {
        return Error(Errc::invalid, fmt::format("database {} is no Odoo, so it has no filestore", prepared.database))
            .with_hint("order a backup of type db");
    }
    if (prepared.attachments.files == 0) return {};
    const std::string& folder = prepared.location.filestore;
    if (folder.empty()) {
        return Error(Errc::not_found, fmt::format("the filestore of {} was not found", prepared.database))
            .with_reason(reason::kFilestoreMissing)
            .with_hint("name it in the [[odoo]] section of the agent's configuration");
    }
    if (!may_access(folder, F_OK)) {
        return Error(Errc::not_found, fmt::format("there is no filestore at {}", folder))
            .with_reason(reason::kFilestoreMissing);
    }
    if (!may_access(folder, R_OK | X_OK)) {
        return Error(Errc::denied, fmt::format("the filestore {} cannot be read", folder))
            .with_reason(reason::kFilestoreUnreadable);
    }
    return {};
}

Result<> prepare_scratch(Prepared& prepared) {
    const AgentConfig& config = prepared.host.config;
    prepared.scratch = TRY(TempDir::create_at(scratch_of(prepared)).context("make a scratch folder"));
    prepared.scratch_free_bytes = TRY(free_space(prepared.scratch->path())).free_bytes;
    const bool limited = prepared.host.rate_bytes_per_sec.load() > 0;
    const std::uint64_t size = prepared.facts.size_bytes;
    // A slowed-down dump would fill scratch; a single stream waits in its pipe instead.
    prepared.parallel_dump = !limited && config.limits.dump_jobs > 1 && size >= config.limits.parallel_dump_bytes &&
                             prepared.scratch_free_bytes >= size + kScratchReserve;
    return {};
}

}  // namespace

std::string scratch_of(const Prepared& prepared) {
    return fmt::format("{}/backup-{}", scratch_folder(prepared.host.config), prepared.order.backup_id);
}

Result<Testimony> preflight(Prepared& prepared, std::stop_token stop) {
    const BackupOrder& order = prepared.order;
    if (order.scope != "db" && order.scope != "full") {
        return Error(Errc::invalid, fmt::format("scope '{}' is not db or full", order.scope));
    }
    TRY(load_key(prepared));
    TRY(look_at_database(prepared, stop));
    TRY(look_at_odoo(prepared));
    TRY(try_places(prepared));
    TRY(prepare_scratch(prepared));
    Testimony testimony;
    const std::size_t usable = static_cast<std::size_t>(
        std::count_if(prepared.places.begin(), prepared.places.end(), [](const auto& p) { return !p->failure(); }));
    testimony.summary = fmt::format("PostgreSQL {}, pg_dump {}, {}, {} of {} destinations writable",
                                    prepared.facts.server_version, prepared.pg_dump.version,
                                    prepared.instance ? "Odoo " + prepared.instance->series : std::string("no Odoo"),
                                    usable, prepared.places.size());
    testimony.facts = {{"server_version", prepared.facts.server_version},
                       {"pg_dump", prepared.pg_dump.path},
                       {"pg_dump_version", prepared.pg_dump.version},
                       {"database_bytes", fmt::format("{}", prepared.facts.size_bytes)},
                       {"attachment_files", fmt::format("{}", prepared.attachments.files)},
                       {"filestore", prepared.location.filestore},
                       {"dump_way", prepared.parallel_dump ? "parallel" : "stream"},
                       {"encrypted", prepared.key ? "yes, key " + prepared.key->id() : "no"}};
    return testimony;
}

}  // namespace backstay::backup
