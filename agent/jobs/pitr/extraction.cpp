// The one database out of the recovered cluster, and what it holds: from here on a restore goes on as from a backup.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "agent/jobs/pitr/recovery.h"
#include "agent/jobs/restore/dump_list.h"
#include "agent/jobs/restore/folders.h"
#include "agent/odoo/instance.h"
#include "agent/postgres/contents.h"
#include "agent/postgres/dump.h"
#include "agent/postgres/facts.h"
#include "common/domain/reasons.h"

namespace backstay::pitr {
namespace {

std::uint64_t size_of_folder(const std::string& folder) {
    std::uint64_t bytes = 0;
    std::error_code failure;
    for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
        const auto size = entry.file_size(failure);
        if (!failure) bytes += size;
    }
    return bytes;
}

Result<> check_exists(pq::Connection& connection, const std::string& database) {
    const pq::Rows rows = TRY(connection.query("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1"));
    std::vector<std::string> names;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (rows.text(i, 0) == database) return {};
        names.emplace_back(rows.text(i, 0));
    }
    return Error(Errc::not_found, fmt::format("at that moment the cluster had no database {}, only {}", database,
                                              fmt::join(names, ", ")))
        .with_reason(reason::kDbNotFound);
}

// As a backup's manifest would say it.
Result<Manifest> describe(pq::Connection& connection, const std::string& database, const Manifest& base) {
    Manifest manifest;
    manifest.backup_id = base.backup_id;
    manifest.scope = "db";
    manifest.dump_format = "directory";
    manifest.organization_id = base.organization_id;
    manifest.started_at = base.started_at;
    manifest.postgres = TRY(postgres::read_facts(connection));
    manifest.contents = TRY(count_contents(connection));
    const auto instance = TRY(odoo::read_instance(connection));
    manifest.is_odoo = instance.has_value();
    if (!instance) return manifest;
    manifest.is_neutralized = instance->neutralized;
    if (!instance->uuid.empty()) manifest.database_uuid = instance->uuid;
    manifest.contents.modules_in_transition = instance->modules_in_transition;
    manifest.odoo = odoo::odoo_manifest(*instance, database, manifest.postgres.server_version_num);
    return manifest;
}

}  // namespace

Result<Recovery::Extracted> Recovery::extract(const Tool& pg_dump, const Tool& pg_restore) {
    const std::int64_t begun = steady_ms();
    auto connection = TRY(sidecar_->connect("postgres"));
    TRY(check_exists(connection, order_.database));
    connection = TRY(sidecar_->connect(order_.database));
    Extracted out;
    out.manifest = TRY(describe(connection, order_.database, base_.manifest));
    out.dump.path = order_.scratch + "/database";
    TRY(restore::remove_folder(out.dump.path));
    ProcessSpec spec;
    spec.argv = {pg_dump.path,
                 "--no-password",
                 "--format=directory",
                 "--compress=0",
                 "--no-sync",
                 fmt::format("--jobs={}", host_.config.limits.dump_jobs),
                 "--file=" + out.dump.path};
    spec.environment = tool_environment(sidecar_->cluster());
    spec.environment.insert_or_assign("PGDATABASE", order_.database);
    spec.environment.erase("PGCLIENTENCODING");
    spec.stop = stop_;
    spec.pipe_stdout = false;
    spec.priority = {host_.config.limits.nice, host_.config.limits.idle_io};
    const auto child = TRY(Subprocess::start(std::move(spec)));
    if (auto dumped = child->wait_success(); !dumped) return postgres::classify_dump_error(std::move(dumped).error());
    out.dump.bytes = size_of_folder(out.dump.path);
    out.dump.toc = TRY(postgres::list_archive(pg_restore, out.dump.path, stop_));
    out.dump.entries = restore::split_list(out.dump.toc).entries;
    std::int64_t rows = 0;
    for (const auto& [table, count] : out.manifest.contents.row_counts) rows += count;
    out.testimony.summary = fmt::format("{}: {} MB in {} TOC entries, {} tables with {} rows", order_.database,
                                        out.dump.bytes >> 20U, out.dump.entries, out.manifest.contents.tables, rows);
    out.testimony.facts = {{"dump_bytes", std::to_string(out.dump.bytes)},
                           {"toc_entries", std::to_string(out.dump.entries)},
                           {"tables", std::to_string(out.manifest.contents.tables)},
                           {"rows", std::to_string(rows)},
                           {"duration_ms", std::to_string(steady_ms() - begun)}};
    // The room is needed by what comes next.
    TRY(end());
    return out;
}

}  // namespace backstay::pitr
