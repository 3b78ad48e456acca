// Restoring with no daemon and no control plane: from a destination, by the agent's own job.
#include <fmt/format.h>

#include "agent/cli/alone.h"
#include "agent/cli/commands.h"
#include "agent/cli/render.h"
#include "agent/jobs/restore/standalone_moment.h"
#include "agent/local-api/wal_view.h"
#include "common/human.h"
#include "common/json/json.h"
#include "common/text.h"

namespace backstay::cli {
namespace {

int print_listing(const Output& output, const standalone::Listing& listing) {
    if (output.json) {
        json::Array backups;
        for (const standalone::FoundBackup& backup : listing.backups) {
            backups.push_back(json::Object{{"backupId", backup.manifest.backup_id},
                                           {"database", source_of(backup.manifest)},
                                           {"scope", backup.manifest.scope},
                                           {"startedAt", to_rfc3339(backup.manifest.started_at.ms)},
                                           {"storedBytes", backup.stored_bytes},
                                           {"folder", backup.folder}});
        }
        fmt::print("{}\n", json::serialize(json::Value(json::Object{{"backups", std::move(backups)}})));
    } else {
        Table table({"BACKUP", "DATABASE", "SCOPE", "BEGAN", "SIZE"});
        for (const standalone::FoundBackup& backup : listing.backups) {
            table.add({backup.manifest.backup_id, printable(source_of(backup.manifest)), backup.manifest.scope,
                       when(backup.manifest.started_at), human::size(backup.stored_bytes)});
        }
        fmt::print("{}", table.empty() ? "no backups there\n" : table.text());
    }
    for (const std::string& fault : listing.faults) fmt::print(stderr, "backstay: {}\n", printable(fault));
    return code(listing.faults.empty() ? ExitCode::ok : ExitCode::amber);
}

void complete_wish(const AloneOptions& options, const std::string& source, standalone::RestoreWish& wish) {
    wish.cluster = options.cluster;
    wish.filestore = options.filestore;
    wish.scope = options.scope.value_or("all");
    const bool copy = wish.database != source;
    wish.neutralize = options.neutralize.value_or(copy);
    wish.new_uuid = options.new_uuid.value_or(copy);
    wish.keep_previous_ms = options.keep_previous_ms.value_or(wish.keep_previous_ms);
}

standalone::RestoreWish wish_of(const AloneOptions& options, const Manifest& manifest) {
    standalone::RestoreWish wish;
    wish.database = options.database.value_or(source_of(manifest));
    complete_wish(options, source_of(manifest), wish);
    return wish;
}

int run(const Output& output, Alone& alone, const RestoreOrder& order) {
    auto journal = standalone::FileJournal::open(alone.host, order.restore_id, {});
    if (!journal) return report(output, journal.error());
    ProgressMeter progress(alone.clock, "restore", order.restore_id, "");
    Steps steps(**journal, progress, alone.clock, alone.stop.get_token());
    Result<RestoreOutcome> outcome = [&] {
        const Watch watch(output.json ? stderr : stdout, progress, alone.stop);
        return run_restore(order, alone.host, steps, {});
    }();
    const int verdict = print_verdict(output, "restore", order.restore_id, **journal,
                                      outcome ? outcome->notes : std::vector<std::string>());
    if (!outcome) {
        report({}, outcome.error());
        return code(ExitCode::failed);
    }
    if (!output.json && !outcome->previous_database.empty()) {
        fmt::print("the previous pair is kept; `backstay undo {} --alone` puts it back\n", order.restore_id);
    }
    return verdict;
}

}  // namespace

int restore_moment(const Output& output, const AloneOptions& options, const DestinationOrder& destination,
                   Alone& alone) {
    const auto target = parse_moment(options.at);
    if (!target) return report(output, target.error());
    standalone::Moment moment{*target, options.of.empty() ? options.database.value_or("") : options.of};
    if (moment.database.empty()) {
        return report(output, Error(Errc::invalid, "whose moment? name the database with --of"));
    }
    standalone::RestoreWish wish;
    wish.database = options.database.value_or(moment.database);
    complete_wish(options, moment.database, wish);
    const auto order = standalone::order_for_moment(moment, destination, wish, alone.host, alone.stop.get_token());
    if (!order) return report(output, order.error());
    if (const auto swept = alone.sweep(); !swept) return report(output, swept.error());
    return run(output, alone, *order);
}

int restore_alone(const Output& output, const AloneOptions& options) {
    auto config = read_config(options);
    if (!config) return report(output, config.error());
    const auto destination = find_destination(options.from, *config);
    if (!destination) return report(output, destination.error());
    allow_folder(*destination, *config);
    Alone alone(std::move(*config));
    if (!options.at.empty()) return restore_moment(output, options, *destination, alone);
    const auto listing = standalone::find_backups(*destination, alone.host, {}, alone.stop.get_token());
    if (!listing) return report(output, listing.error());
    if (options.backup.empty()) return print_listing(output, *listing);
    const auto backup = choose(*listing, options.backup);
    if (!backup) return report(output, backup.error());
    if (const auto swept = alone.sweep(); !swept) return report(output, swept.error());
    return run(output, alone, standalone::order_for(*backup, *destination, wish_of(options, backup->manifest)));
}

local_api::WalArchiveView view_archive(const standalone::FoundArchive& archive) {
    local_api::WalArchiveView view = local_api::view_wal(archive.view.whole, archive.coverage);
    view.archive = archive.view.archive;
    view.system_id = view.archive.substr(view.archive.rfind('/') + 1);
    view.wal_bytes = archive.view.wal_bytes;
    view.faults = archive.view.faults;
    for (local_api::WalBaseView& base : view.bases) {
        const base::StoredBase* stored = archive.view.find(base.backup_id);
        if (stored == nullptr) continue;
        for (const ManifestArtifact& artifact : stored->manifest.artifacts) base.size_bytes += artifact.bytes;
        base.destination_ids = stored->destination_ids;
        base.folder = stored->folder;
        view.base_bytes += base.size_bytes;
    }
    return view;
}

int wal_show_alone(const Output& output, const AloneOptions& options) {
    auto config = read_config(options);
    if (!config) return report(output, config.error());
    const auto destination = find_destination(options.from, *config);
    if (!destination) return report(output, destination.error());
    allow_folder(*destination, *config);
    const Alone alone(std::move(*config));
    const auto archives = standalone::find_archives(*destination, alone.host, alone.stop.get_token());
    if (!archives) return report(output, archives.error());
    local_api::WalAnswer answer;
    for (const standalone::FoundArchive& archive : *archives) answer.archives.push_back(view_archive(archive));
    return print_wal(output, answer);
}

int undo_alone(const Output& output, const AloneOptions& options, const std::string& restore) {
    auto config = read_config(options);
    if (!config) return report(output, config.error());
    Alone alone(std::move(*config));
    const auto notes = standalone::kept_notes(alone.host, restore);
    if (!notes) return report(output, notes.error());
    const std::string id = new_uuid();
    auto journal = standalone::FileJournal::open(alone.host, id, {});
    if (!journal) return report(output, journal.error());
    ProgressMeter progress(alone.clock, "restore", id, "");
    Steps steps(**journal, progress, alone.clock, alone.stop.get_token());
    const auto undone = undo_restore(restore, *notes, alone.host, steps);
    const int verdict = print_verdict(output, "restore", restore, **journal, {});
    if (!undone) return report({}, undone.error());
    return verdict;
}

}  // namespace backstay::cli
