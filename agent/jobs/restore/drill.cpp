#include "agent/jobs/restore/drill.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "agent/jobs/restore/folders.h"
#include "agent/jobs/restore/neutralize.h"
#include "agent/jobs/restore/side_database.h"
#include "agent/jobs/restore/swap.h"
#include "agent/postgres/contents.h"
#include "common/clock.h"
#include "common/domain/reasons.h"

namespace backstay::restore {

Drill::Drill(const VerifyOrder& order, const JobHost& host, Steps& steps, const OpenedBackup& backup,
             ClusterConfig cluster, std::string scratch)
    : order_(order), host_(host), steps_(steps), backup_(backup) {
    target_.cluster = std::move(cluster);
    target_.database = target_.side_database = side_name("backstay_drill", "restore", order.verification_id);
    target_.scratch = std::move(scratch);
    target_.wants_filestore = backup.manifest.filestore.has_value();
    if (target_.wants_filestore) target_.filestore = target_.side_filestore = target_.scratch + "-files";
    target_.file_owner = {geteuid(), getegid()};
}

Result<> Drill::run() {
    // On disk before anything is made: a sweep after a crash drops what bears these names.
    const SideRecord side{target_.cluster.name, target_.database, target_.database, target_.filestore, target_.scratch};
    TRY(steps_.note(std::string(kSideNote), encode_note(side)));
    auto done = go();
    connection_.reset();
    auto dropped = steps_.run(step::kScratchDrop, [&] { return drop(); });
    if (done) return dropped ? Result<>() : Result<>(std::move(dropped).error());
    Error error = std::move(done).error();
    if (!dropped) error.followed_by(dropped.error());
    return error;
}

Result<> Drill::go() {
    TRY(steps_.run(step::kScratchRestore, [&] { return make(); }));
    TRY(steps_.run(step::kContentChecks, [&] { return check(); }));
    TRY(steps_.run(step::kNeutralize, [&] { return neutralize_copy(); }));
    return {};
}

Result<> Drill::look() {
    connection_.emplace(TRY(connect_to_cluster(target_.cluster, steps_.stop_token())));
    target_.server_version_num = connection_->server_version_num();
    const pq::Rows role = TRY(connection_->query("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"));
    target_.superuser = !role.empty() && role.boolean(0, 0);
    // Space above all: a drill must not fill the disk under a running Odoo.
    TRY(check_target(target_, backup_.manifest, true, *connection_, steps_.stop_token()));
    return {};
}

Result<Testimony> Drill::make() {
    const std::int64_t begun = steady_ms();
    TRY(look());
    const Tool tool = TRY(find_tool(target_.cluster, "pg_restore", target_.server_version_num));
    const auto dump = TRY(fetch_dump(backup_.origins.list, backup_, target_.scratch, tool, steps_.stop_token(), {}));
    const DatabaseMaking making{
        target_, backup_.manifest, target_.database, host_.config.limits.restore_jobs, steps_.stop_token(), {}};
    TRY(make_database(making, dump, tool, *connection_).reason(reason::kRestoreFailed));
    TRY(remove_folder(target_.scratch));
    if (target_.wants_filestore) TRY(make_files());
    Testimony testimony;
    testimony.summary = fmt::format("{} entries restored into {}", dump.entries, target_.database);
    if (target_.wants_filestore) testimony.summary += fmt::format(", {} files beside it", files_.files);
    testimony.facts = {
        {"toc_entries", std::to_string(dump.entries)}, {"tool_version", tool.version},
        {"files", std::to_string(files_.files)},       {"bytes", std::to_string(files_.bytes)},
        {"damaged", std::to_string(files_.damaged)},   {"duration_ms", std::to_string(steady_ms() - begun)}};
    return testimony;
}

Result<> Drill::make_files() {
    const ManifestFilestore& said = *backup_.manifest.filestore;
    const ManifestArtifact* artifact = find_artifact(backup_.manifest, artifact::kFilestore);
    if (artifact == nullptr) {
        return Error(Errc::not_found, "the backup has no archive of its filestore")
            .with_reason(reason::kArtifactMissing);
    }
    FilestoreMaking making;
    making.folder = target_.filestore;
    making.owner = target_.file_owner;
    making.stop = steps_.stop_token();
    admit_damage(making, said);
    return with_sound_origin(backup_.origins, [&](const std::vector<ArtifactOrigin>& origins) -> Result<> {
        auto archive = TRY(ArtifactReader::open(origins, backup_.folder, *artifact, backup_.key));
        files_ = TRY(make_filestore(*archive, making));
        return {};
    });
}

Result<> Drill::check_rows(pq::Connection& database, Testimony& testimony) {
    const ManifestContents found = TRY(count_contents(database));
    const auto differences = compare_contents(backup_.manifest.contents, found);
    if (!differences.empty()) {
        return Error(Errc::corrupted, fmt::format("the restored copy differs: {}", fmt::join(differences, "; ")))
            .with_reason(reason::kRestoreFailed);
    }
    std::int64_t rows = 0;
    for (const auto& [table, count] : found.row_counts) rows += count;
    testimony.summary =
        fmt::format("{} tables with {} rows, {} indexes as in the backup", found.tables, rows, found.indexes);
    testimony.facts["tables"] = std::to_string(found.tables);
    testimony.facts["rows"] = std::to_string(rows);
    testimony.facts["indexes"] = std::to_string(found.indexes);
    testimony.proofs = {"restore:row_counts"};
    return {};
}

Result<> Drill::check_files(pq::Connection& database, Testimony& testimony) {
    const auto reconciled = TRY(reconcile_filestore(database, target_.filestore));
    if (!reconciled) return {};
    const std::uint64_t said = backup_.manifest.filestore->missing_count;
    const std::uint64_t known = said > reconciled->external ? said - reconciled->external : 0;
    testimony.facts["attachment_files"] = std::to_string(reconciled->names);
    testimony.facts["attachment_files_missing"] = std::to_string(reconciled->missing);
    if (reconciled->missing > known) {
        return Error(Errc::corrupted, fmt::format("{} attachments have no file, for example {}", reconciled->missing,
                                                  fmt::join(reconciled->examples, ", ")))
            .with_reason(reason::kFilestoreInconsistent);
    }
    testimony.summary += fmt::format("; {} of {} attachment files are there",
                                     reconciled->names - reconciled->external - reconciled->missing,
                                     reconciled->names - reconciled->external);
    if (reconciled->missing == 0 && files_.damaged == 0) testimony.proofs.emplace_back("filestore:reconciled");
    return {};
}

Result<Testimony> Drill::check() {
    auto database =
        TRY(pq::Connection::connect(connect_parameters(target_.cluster, target_.database), steps_.stop_token()));
    Testimony testimony;
    TRY(check_rows(database, testimony));
    if (target_.wants_filestore) TRY(check_files(database, testimony));
    return testimony;
}

// Proves that a copy of this backup can be made harmless on this host; nothing of it ever starts.
Result<Testimony> Drill::neutralize_copy() {
    const EnvironmentOrder& environment = order_.environment;
    NeutralizeOptions options =
        neutralize_options(host_.config, find_odoo(host_.config, target_.cluster.name, environment.database),
                           target_.cluster.name, environment);
    options.role = target_.owner;
    auto database =
        TRY(pq::Connection::connect(connect_parameters(target_.cluster, target_.database), steps_.stop_token()));
    return neutralize(database, options).reason(reason::kNeutralizeFailed);
}

Result<Testimony> Drill::drop() {
    // A stop that ended the drill must not keep it from being dropped.
    auto fresh = TRY(connect_to_cluster(target_.cluster, {}));
    TRY(drop_database(fresh, target_.database));
    TRY(remove_folder(target_.scratch));
    if (!target_.filestore.empty()) TRY(remove_folder(target_.filestore));
    TRY(steps_.note(std::string(kSideNote), ""));
    return Testimony{"the throwaway database and its files are gone", {}, {}, ""};
}

}  // namespace backstay::restore
