#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/jobs/restore/restoration.h"
#include "agent/postgres/contents.h"
#include "common/domain/reasons.h"

namespace backstay::restore {
namespace {

// "missing <proof>" tells the verdict why a proof is not there.
void explain_missing(Testimony& testimony, const std::string& proof, std::string why) {
    testimony.facts["missing " + proof] = std::move(why);
}

std::int64_t sum_rows(const ManifestContents& contents) {
    std::int64_t rows = 0;
    for (const auto& [table, count] : contents.row_counts) rows += count;
    return rows;
}

}  // namespace

Result<> Restoration::check_contents(pq::Connection& database, Testimony& testimony) {
    const ManifestContents& expected = backup_->manifest.contents;
    const ManifestContents found = TRY(count_contents(database));
    if (expected.tables == 0 && expected.row_counts.empty()) {
        explain_missing(testimony, "restore:row_counts", "the manifest counts no rows to compare with");
        return {};
    }
    const std::vector<std::string> differences = compare_contents(expected, found);
    if (!differences.empty()) {
        return Error(Errc::corrupted, fmt::format("the restored database differs: {}", fmt::join(differences, "; ")))
            .with_reason(reason::kRestoreFailed);
    }
    const std::int64_t rows = sum_rows(found);
    testimony.summary = fmt::format("{} tables with {} rows, {} indexes, {} constraints as in the backup", found.tables,
                                    rows, found.indexes, found.constraints);
    testimony.facts["tables"] = std::to_string(found.tables);
    testimony.facts["rows"] = std::to_string(rows);
    testimony.facts["indexes"] = std::to_string(found.indexes);
    testimony.facts["constraints"] = std::to_string(found.constraints);
    testimony.proofs.emplace_back("restore:row_counts");
    return {};
}

Result<> Restoration::check_files(pq::Connection& database, Testimony& testimony) {
    const ManifestFilestore& filestore = *backup_->manifest.filestore;
    const auto reconciled = TRY(reconcile_filestore(database, target_->side_filestore));
    // The manifest's count includes files that another module keeps elsewhere, which are no loss.
    const std::uint64_t external = reconciled ? reconciled->external : 0;
    const std::uint64_t known = filestore.missing_count > external ? filestore.missing_count - external : 0;
    const std::uint64_t missing = reconciled ? reconciled->missing : 0;
    testimony.facts["attachment_files"] = std::to_string(reconciled ? reconciled->names : 0);
    testimony.facts["attachment_files_missing"] = std::to_string(missing);
    // A filestore alone goes under rows that may be newer than it.
    if (missing > known && with_database()) {
        return Error(Errc::corrupted, fmt::format("{} attachments have no file, for example {}", missing,
                                                  fmt::join(reconciled->examples, ", ")))
            .with_reason(reason::kFilestoreInconsistent);
    }
    if (missing > 0 || known > 0 || files_made_->damaged > 0) {
        explain_missing(testimony, "filestore:reconciled",
                        fmt::format("{} attachment files are missing or damaged, {} were so when the backup was made",
                                    missing + files_made_->damaged, known));
        return {};
    }
    if (!testimony.summary.empty()) testimony.summary += "; ";
    testimony.summary += fmt::format("every one of {} attachment files is there",
                                     reconciled ? reconciled->names - reconciled->external : 0);
    testimony.proofs.emplace_back("filestore:reconciled");
    return {};
}

Result<Testimony> Restoration::check_result() {
    Testimony testimony;
    // Statistics are in no dump; without them the first hours would be slow. Beside the counting.
    std::jthread analyzing;
    Result<> analyzed;
    if (with_database()) {
        analyzing = std::jthread([&] {
            auto connection = connect_side();
            analyzed = connection ? connection->exec("ANALYZE") : Result<>(std::move(connection).error());
        });
    }
    const auto check = [&]() -> Result<> {
        auto database = TRY(connect_side());
        if (with_database()) TRY(check_contents(database, testimony));
        if (with_filestore()) {
            TRY(order_.pitr ? check_moment_files(database, testimony) : check_files(database, testimony));
        }
        return {};
    };
    auto checked = check();
    if (analyzing.joinable()) analyzing.join();
    TRY(checked);
    TRY(analyzed);
    return testimony;
}

}  // namespace backstay::restore
