// Odoo's own ZIPs: made of backups, and taken for backups. No daemon is asked.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/cli/alone.h"
#include "agent/cli/commands.h"
#include "agent/cli/render.h"
#include "agent/jobs/odoo_zip/export.h"
#include "agent/jobs/odoo_zip/import.h"
#include "common/fd.h"
#include "common/files/fd_stream.h"
#include "common/files/files.h"
#include "common/human.h"
#include "common/ids.h"
#include "common/json/json.h"

namespace backstay::cli {
namespace {

// A file that has its name only when it is whole.
class NewFile {
public:
    explicit NewFile(std::string path) : path_(std::move(path)), part_(path_ + ".part") {}
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile() {
        if (made_) ::unlink(part_.c_str());
    }

    Result<int> open() {
        if (::access(path_.c_str(), F_OK) == 0) return Error(Errc::conflict, path_ + " exists already");
        // It holds whatever the database holds.
        fd_ = Fd(::open(part_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (!fd_.open()) return Error::from_errno(errno, "create " + part_);
        made_ = true;
        return fd_.get();
    }
    Result<> commit() {
        if (::fsync(fd_.get()) != 0) return Error::from_errno(errno, "write " + part_);
        // Never over a file that came meanwhile.
        if (::link(part_.c_str(), path_.c_str()) != 0) return Error::from_errno(errno, "name " + path_);
        return {};
    }

private:
    std::string path_;
    std::string part_;
    Fd fd_;
    bool made_ = false;
};

struct Found {
    DestinationOrder destination;
    standalone::FoundBackup backup;
};

Result<Found> find_in(const DestinationOrder& destination, const std::string& wanted, const Alone& alone) {
    const auto listing = TRY(standalone::find_backups(destination, alone.host, {}, alone.stop.get_token()));
    auto backup = TRY(choose(listing, wanted));
    return Found{destination, std::move(backup)};
}

Result<Found> find_backup(const ExportOptions& options, const Alone& alone) {
    if (!options.alone.from.empty()) {
        const auto destination = TRY(find_destination(options.alone.from, alone.config));
        return find_in(destination, options.alone.backup, alone);
    }
    std::optional<Error> last;
    for (const DestinationOrder& destination : alone.config.destinations) {
        auto found = find_in(destination, options.alone.backup, alone).context("destination " + destination.id);
        if (found) return found;
        last = std::move(found).error();
    }
    if (last) return std::move(*last);
    return Error(Errc::invalid, "the configuration has no destination").with_hint("name one with --from");
}

Result<odoo_zip::ZipMade> write_zip(const ExportOptions& options, Alone& alone, std::string& backup_id) {
    const Found found = TRY(find_backup(options, alone));
    backup_id = found.backup.manifest.backup_id;
    auto opened = TRY(
        restore::open_backup({found.destination}, found.backup.folder, backup_id, alone.host, alone.stop.get_token()));
    TRY(odoo_zip::check_exportable(opened));
    ProgressMeter progress(alone.clock, "export", backup_id, "");
    constexpr std::string_view kStep = "export";
    OperationPlan plan;
    plan.steps = {{std::string(kStep), true, 100}};
    progress.set_plan(plan);
    progress.began(kStep);
    std::uint64_t bytes = 0;
    for (const ManifestArtifact& artifact : opened.manifest.artifacts) bytes += artifact.bytes;
    progress.set_total(kStep, bytes);
    const Watch watch(stderr, progress, alone.stop);
    const odoo_zip::ZipOrder order{alone.host, alone.stop.get_token(),
                                   [&](std::uint64_t count) { progress.add(kStep, count); }};
    if (options.odoo_zip == "-") {
        FdSink sink(STDOUT_FILENO, "write the ZIP");
        return odoo_zip::write_odoo_zip(opened, order, sink);
    }
    NewFile file(options.odoo_zip);
    const int fd = TRY(file.open());
    FdSink sink(fd, "write the ZIP");
    const auto made = TRY(odoo_zip::write_odoo_zip(opened, order, sink));
    TRY(file.commit());
    return made;
}

void print_made(const Output& output, const std::string& backup_id, const odoo_zip::ZipMade& made, bool on_stdout) {
    std::FILE* out = on_stdout ? stderr : stdout;
    if (output.json) {
        fmt::print(out, "{}\n",
                   json::serialize(json::Value(json::Object{{"backupId", backup_id},
                                                            {"zipBytes", made.bytes},
                                                            {"sqlBytes", made.sql_bytes},
                                                            {"files", made.files},
                                                            {"fileBytes", made.file_bytes},
                                                            {"damagedFiles", made.damaged},
                                                            {"withoutFilestore", made.without_files}})));
        return;
    }
    fmt::print(out, "backup {}: {} of SQL and {} files ({}) in a ZIP of {}\n", backup_id, human::size(made.sql_bytes),
               made.files, human::size(made.file_bytes), human::size(made.bytes));
    if (made.without_files) fmt::print(out, "it is a backup of the database only: the ZIP has no filestore\n");
    if (made.damaged > 0) {
        fmt::print(out, "{} files were damaged already when they were backed up\n", made.damaged);
    }
}

int print_imported(const Output& output, const std::string& id, const standalone::FileJournal& journal,
                   const Result<odoo_zip::ImportOutcome>& imported) {
    std::vector<std::string> notes;
    if (imported) {
        const odoo_zip::ZipContents& seen = imported->contents;
        notes = imported->backup.notes;
        notes.push_back(fmt::format("import: {} of SQL and {} files of a ZIP of {}, SHA-256 {}",
                                    human::size(seen.sql_bytes), seen.files, human::size(seen.zip_bytes),
                                    imported->zip_sha256));
    }
    // Refused before a backup had begun, there is nothing to judge.
    if (!imported && journal.plan().steps.empty()) return report(output, imported.error());
    const int verdict = print_verdict(output, "backup", id, journal, notes);
    if (imported) return verdict;
    report({}, imported.error());
    return code(ExitCode::failed);
}

}  // namespace

int export_backup(const Output& output, const ExportOptions& options) {
    auto config = read_config(options.alone);
    if (!config) return report(output, config.error());
    if (!options.alone.from.empty()) {
        const auto destination = find_destination(options.alone.from, *config);
        if (!destination) return report(output, destination.error());
        allow_folder(*destination, *config);
    }
    Alone alone(std::move(*config));
    std::string backup_id;
    const auto made = write_zip(options, alone, backup_id);
    if (!made) return report(output, made.error());
    print_made(output, backup_id, *made, options.odoo_zip == "-");
    return code(made->damaged > 0 ? ExitCode::amber : ExitCode::ok);
}

int import_backup(const Output& output, const ImportOptions& options) {
    auto config = read_config(options.alone);
    if (!config) return report(output, config.error());
    const auto destination = find_destination(options.alone.from, *config);
    if (!destination) return report(output, destination.error());
    allow_folder(*destination, *config);
    Alone alone(std::move(*config));
    if (const auto swept = alone.sweep(); !swept) return report(output, swept.error());
    const std::string id = new_uuid();
    int verdict = 0;
    {
        auto journal = standalone::FileJournal::open(alone.host, id, {});
        if (!journal) return report(output, journal.error());
        ProgressMeter progress(alone.clock, "backup", id, "");
        Steps steps(**journal, progress, alone.clock, alone.stop.get_token());
        const auto& encrypted = alone.config.encrypted;
        const bool encrypt = !options.alone.key.empty() ||
                             std::find(encrypted.begin(), encrypted.end(), destination->id) != encrypted.end();
        const odoo_zip::ImportOrder order{id,
                                          options.zip,
                                          *destination,
                                          encrypt,
                                          options.alone.database,
                                          options.alone.cluster,
                                          options.owner,
                                          options.label};
        const auto imported = [&] {
            const Watch watch(output.json ? stderr : stdout, progress, alone.stop);
            return odoo_zip::run_import(order, alone.host, steps);
        }();
        verdict = print_imported(output, id, **journal, imported);
    }
    if (const auto swept = alone.sweep(); !swept) return report(output, swept.error());
    return verdict;
}

}  // namespace backstay::cli
