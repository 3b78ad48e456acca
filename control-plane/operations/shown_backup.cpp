#include "control-plane/operations/shown_backup.h"

#include <fmt/format.h>

#include <array>

#include "control-plane/operations/rows.h"
#include "control-plane/store/rows.h"

namespace backstay::operations {
namespace {

ShownBackup read_shown(const sql::Statement& row) {
    constexpr int kBeside = kBackupColumnCount;
    ShownBackup out;
    out.row = read_backup(row);
    const bool has_operation = !row.is_null(kBeside + 2);
    if (has_operation) out.testimony = read_testimony(row, kBeside);
    out.environment_name = row.optional_text(kBeside + 3);
    out.environment_type = row.optional_text(kBeside + 4);
    out.scheduled = row.boolean(kBeside + 5);
    return out;
}

}  // namespace

Result<std::optional<ShownBackup>> find_shown_backup(sql::Database& db, std::string_view organization_id,
                                                     std::string_view id) {
    static const std::string kSql = fmt::format(
        "SELECT b.*, o.evidence, o.progress, o.phase, e.name, e.type, s.enabled FROM (SELECT {} FROM backups WHERE "
        "id = $1 AND organization_id = $2 AND deleted_at IS NULL) b LEFT JOIN operations o ON o.id = b.id LEFT JOIN "
        "environments e ON e.id = b.environment_id AND e.organization_id = b.organization_id LEFT JOIN schedules s ON "
        "s.environment_id = e.id",
        kBackupColumns);
    const std::array questions = {sql::Question{kSql, {id, organization_id}}, copies_question(id)};
    auto answers = TRY(db.query_all(questions));
    std::optional<ShownBackup> shown = TRY(store::first_row(std::move(answers[0]), read_shown));
    if (shown) shown->copies = TRY(read_copies(std::move(answers[1])));
    return shown;
}

}  // namespace backstay::operations
