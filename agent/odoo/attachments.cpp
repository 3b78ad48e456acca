#include "agent/odoo/attachments.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "common/domain/layout.h"

namespace backstay::odoo {
namespace {

constexpr std::string_view kTotals = R"(
SELECT coalesce(sum(rows), 0), count(*), coalesce(sum(bytes), 0)
  FROM (SELECT count(*) AS rows, max(file_size)::bigint AS bytes FROM public.ir_attachment
         WHERE store_fname <> '' GROUP BY store_fname) AS file)";

constexpr std::string_view kFiles = R"(
SELECT DISTINCT ON (store_fname COLLATE "C") store_fname, file_size, checksum FROM public.ir_attachment
 WHERE store_fname <> '' ORDER BY store_fname COLLATE "C", id)";

constexpr std::string_view kRecords = R"(
SELECT DISTINCT ON (store_fname) store_fname, id, coalesce(res_model, ''), res_id, coalesce(name, '')
  FROM public.ir_attachment WHERE store_fname = ANY ($1::text[]) ORDER BY store_fname, id)";

bool is_hex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

// {"a","b"} with what an array literal needs escaped.
std::string array_literal(const std::vector<ManifestFileProblem>& problems) {
    std::string out = "{";
    for (const ManifestFileProblem& problem : problems) {
        out += out.size() > 1 ? ",\"" : "\"";
        for (const char c : problem.store_fname) {
            if (c == '"' || c == '\\') out += '\\';
            out += c;
        }
        out += '"';
    }
    return out + "}";
}

}  // namespace

NameKind kind_of_name(std::string_view store_fname) {
    if (store_fname.find("://") != std::string_view::npos) return NameKind::external;
    if (store_fname.empty() || store_fname.front() == '/' || store_fname.find('\0') != std::string_view::npos) {
        return NameKind::unsafe;
    }
    // Ours inside of archives: what leads a differential's must not be taken for a file, nor a file for it.
    if (store_fname.starts_with(layout::kOwnMembers)) return NameKind::unsafe;
    const std::string framed = fmt::format("/{}/", store_fname);
    const bool walks = framed.find("/../") != std::string::npos || framed.find("/./") != std::string::npos ||
                       framed.find("//") != std::string::npos;
    return walks ? NameKind::unsafe : NameKind::file;
}

std::string sha1_of_name(std::string_view store_fname) {
    const std::size_t slash = store_fname.rfind('/');
    const std::string_view name = slash == std::string_view::npos ? store_fname : store_fname.substr(slash + 1);
    return name.size() == 40 && is_hex(name) ? std::string(name) : std::string();
}

Result<AttachmentTotals> attachment_totals(pq::Connection& connection) {
    const pq::Rows rows = TRY(connection.query(kTotals).context("count the attachments"));
    AttachmentTotals totals;
    totals.rows = TRY(rows.integer(0, 0));
    totals.files = TRY(rows.integer(0, 1));
    totals.bytes = TRY(rows.integer(0, 2));
    return totals;
}

Result<> stream_attachments(pq::Connection& connection, const std::function<Result<>(AttachmentFile)>& each) {
    const auto on_row = [&](pq::RowView row) -> Result<> {
        AttachmentFile file;
        file.store_fname = row.text(0, 0);
        if (!row.is_null(0, 1)) file.size = TRY(row.integer(0, 1));
        file.sha1 = sha1_of_name(file.store_fname);
        if (file.sha1.empty() && row.text(0, 2).size() == 40 && is_hex(row.text(0, 2))) file.sha1 = row.text(0, 2);
        return each(std::move(file));
    };
    return connection.stream(kFiles, {}, on_row).context("list the attachments");
}

Result<> name_records(pq::Connection& connection, std::vector<ManifestFileProblem>& problems) {
    if (problems.empty()) return {};
    const pq::Rows rows = TRY(connection.query(kRecords, {array_literal(problems)}).context("name the records"));
    std::map<std::string, std::size_t, std::less<>> row_of;
    for (std::size_t i = 0; i < rows.size(); ++i) row_of.emplace(rows.text(i, 0), i);
    for (ManifestFileProblem& problem : problems) {
        const auto found = row_of.find(problem.store_fname);
        if (found == row_of.end()) continue;
        const std::size_t row = found->second;
        problem.attachment_id = TRY(rows.integer(row, 1));
        problem.res_model = rows.text(row, 2);
        if (!rows.is_null(row, 3)) problem.res_id = TRY(rows.integer(row, 3));
        problem.name = rows.text(row, 4);
    }
    return {};
}

}  // namespace backstay::odoo
