#include "agent/jobs/backup/filestore.h"

#include <fmt/format.h>

#include <optional>

#include "common/clock.h"
#include "common/domain/layout.h"
#include "common/domain/reasons.h"

namespace backstay::backup {
namespace {

constexpr std::size_t kProblemsKept = 1000;
constexpr std::uint64_t kUnknownSize = 64 * 1024;

Result<NameList> list_names(const Prepared& prepared) {
    NameList list = TRY(NameList::create(prepared.scratch->path() + "/attachments"));
    pq::Connection connection = TRY(prepared.snapshot->join());
    TRY(odoo::stream_attachments(connection, [&](odoo::AttachmentFile file) { return list.add(file); }));
    TRY(list.rewind());
    return list;
}

void remember(FilestoreStored& out, const std::string& name, std::string problem) {
    if (out.problems.size() >= kProblemsKept) return;
    ManifestFileProblem entry;
    entry.store_fname = name;
    entry.problem = std::move(problem);
    out.problems.push_back(std::move(entry));
}

// Gives the packer every name that is a file of this folder.
Result<> feed(NameList& names, FilePacker& packer, std::optional<odoo::CollectorHold>& hold, FilestoreStored& out) {
    std::int64_t looked_at = steady_ms();
    while (std::optional<odoo::AttachmentFile> file = names.next()) {
        ++out.names;
        switch (odoo::kind_of_name(file->store_fname)) {
            case odoo::NameKind::file: {
                const std::uint64_t size = file->size < 0 ? kUnknownSize : static_cast<std::uint64_t>(file->size);
                TRY(packer.add({std::move(file->store_fname), std::move(file->sha1), size}));
                break;
            }
            case odoo::NameKind::external:
                ++out.external;
                remember(out, file->store_fname, "external");
                break;
            case odoo::NameKind::unsafe:
                remember(out, file->store_fname, "unreadable");
                break;
        }
        if (hold && steady_ms() - looked_at > 1000) {
            looked_at = steady_ms();
            if (!hold->yield_to_upgrades()) hold.reset();
        }
    }
    return {};
}

}  // namespace

Testimony testify(const FilestoreStored& stored) {
    Testimony testimony;
    testimony.summary =
        fmt::format("{} files, {:.1f} MB in {:.1f} MB, each SHA-1 compared with its name", stored.packed.files,
                    static_cast<double>(stored.packed.bytes) / 1e6, static_cast<double>(stored.artifact.bytes) / 1e6);
    testimony.facts = {{"files", fmt::format("{}", stored.packed.files)},
                       {"file_bytes", fmt::format("{}", stored.packed.bytes)},
                       {"stored_bytes", fmt::format("{}", stored.artifact.bytes)},
                       {"problems", fmt::format("{}", stored.packed.problem_count)},
                       {"collector_held", stored.collector_held ? "yes" : "no"},
                       {"sha256", stored.artifact.sha256}};
    testimony.proofs = {"artifact:filestore"};
    if (!stored.reconciled) return testimony;
    const Testimony compared = testify(*stored.reconciled);
    testimony.summary += "; " + compared.summary;
    for (const auto& [key, value] : compared.facts) testimony.facts.emplace(key, value);
    testimony.facts["snapshot_files"] = fmt::format("{}", stored.reconciled->filestore.file_count);
    testimony.proofs.insert(testimony.proofs.end(), compared.proofs.begin(), compared.proofs.end());
    testimony.output = compared.output;
    return testimony;
}

Result<FilestoreStored> pack_filestore(const Prepared& prepared, Shipping& shipping, Throttle& throttle,
                                       ProgressMeter& progress, std::stop_token stop, PackingPlan& packing) {
    progress.set_total(packing.step, packing.expected_bytes);
    FilestoreStored out;
    const ArtifactPlan plan{std::string(artifact::kFilestore), packing.file, packing.expected_bytes};
    out.artifact = TRY(shipping.store(plan, [&](ArtifactStream& stream) -> Result<> {
        const auto tar = TRY(TarWriter::open(stream));
        if (packing.first) TRY(packing.first(*tar));
        if (packing.names.size() == 0) return tar->finish();
        PackOptions options;
        options.folder = prepared.location.filestore;
        options.priority = shipping.priority();
        options.throttle = &throttle;
        options.stop = stop;
        options.on_bytes = [&](std::uint64_t bytes) { progress.add(packing.step, bytes); };
        options.on_packed = packing.on_packed;
        const auto packer = TRY(FilePacker::start(*tar, std::move(options)).reason(reason::kFilestoreUnreadable));
        TRY(feed(packing.names, *packer, packing.hold, out));
        out.packed = TRY(packer->finish());
        return tar->finish();
    }));
    out.collector_held = packing.hold.has_value() && packing.hold->yield_to_upgrades();
    for (const FileProblem& problem : out.packed.problems) remember(out, problem.name, problem.problem);
    progress.set_total(packing.step, out.packed.bytes);
    return out;
}

Result<FilestoreStored> store_filestore(const Prepared& prepared, Shipping& shipping, Throttle& throttle,
                                        ProgressMeter& progress, std::stop_token stop,
                                        const std::function<void()>& on_listed) {
    auto hold = odoo::CollectorHold::take(prepared.cluster, prepared.database, stop);
    Result<NameList> names = list_names(prepared);
    on_listed();
    if (!names) return std::move(names).error();
    PackingPlan packing{std::string(step::kFilestoreArchive),
                        layout::artifact_file(artifact::kFilestore, false, prepared.key.has_value()),
                        static_cast<std::uint64_t>(prepared.attachments.bytes),
                        std::move(*names),
                        std::move(hold),
                        {},
                        {}};
    return pack_filestore(prepared, shipping, throttle, progress, std::move(stop), packing);
}

Testimony testify(const Reconciled& reconciled) {
    Testimony testimony;
    const ManifestFilestore& filestore = reconciled.filestore;
    testimony.facts = {{"rows", fmt::format("{}", reconciled.rows)},
                       {"files", fmt::format("{}", filestore.file_count)},
                       {"missing", fmt::format("{}", reconciled.missing)},
                       {"damaged", fmt::format("{}", reconciled.damaged)},
                       {"external", fmt::format("{}", reconciled.external)}};
    if (reconciled.missing + reconciled.damaged == 0) {
        testimony.summary = fmt::format("{} attachments name {} files, all of them archived and sound", reconciled.rows,
                                        filestore.file_count);
        if (reconciled.external > 0) testimony.summary += fmt::format("; {} kept elsewhere", reconciled.external);
        testimony.proofs = {"filestore:reconciled"};
        return testimony;
    }
    std::string why = fmt::format("{} missing and {} damaged files", reconciled.missing, reconciled.damaged);
    if (reconciled.gone_since > 0) {
        why += fmt::format(" ({} of them deleted by Odoo while the backup ran)", reconciled.gone_since);
    }
    constexpr std::size_t kShown = 5;
    for (std::size_t i = 0; i < std::min(kShown, filestore.missing_files.size()); ++i) {
        const ManifestFileProblem& problem = filestore.missing_files[i];
        why += fmt::format("; {} {}", problem.store_fname, problem.problem);
        if (problem.attachment_id) {
            why += fmt::format(" (attachment {} '{}' of {})", *problem.attachment_id, problem.name, problem.res_model);
        }
    }
    testimony.summary =
        fmt::format("compared, with findings: {} missing, {} damaged", reconciled.missing, reconciled.damaged);
    testimony.facts.emplace("missing filestore:reconciled", why);
    testimony.output = why;
    return testimony;
}

Result<Reconciled> reconcile(const Prepared& prepared, FilestoreStored& stored, std::stop_token stop) {
    // Every name went somewhere; anything else is a fault of ours, not of the filestore.
    Reconciled out;
    out.rows = prepared.attachments.rows;
    out.external = stored.external;
    out.damaged = stored.packed.damaged;
    out.missing = stored.names - stored.external - stored.packed.files - stored.held_files;
    if (stored.names != static_cast<std::uint64_t>(prepared.attachments.files)) {
        return Error(Errc::corrupted, fmt::format("the snapshot names {} files, {} were listed",
                                                  prepared.attachments.files, stored.names))
            .with_reason(reason::kFilestoreInconsistent);
    }
    if (!stored.problems.empty()) {
        // Outside the snapshot on purpose: a row that is gone by now explains why its file is.
        pq::Connection connection =
            TRY(pq::Connection::connect(connect_parameters(prepared.cluster, prepared.database), stop));
        TRY(odoo::name_records(connection, stored.problems));
        for (const ManifestFileProblem& problem : stored.problems) {
            if (problem.problem == "missing" && !problem.attachment_id) ++out.gone_since;
        }
    }
    out.filestore.file_count = stored.packed.files + stored.held_files;
    out.filestore.size_bytes = stored.packed.bytes + stored.held_bytes;
    out.filestore.missing_files = stored.problems;
    out.filestore.missing_count = out.missing + out.damaged + out.external;
    return out;
}

}  // namespace backstay::backup
