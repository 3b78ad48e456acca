// The files that rows of ir_attachment name, read inside a snapshot. A name is the SHA-1 of the content, so each file
// can be checked without Odoo.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/domain/manifest.h"
#include "common/pq/connection.h"
#include "common/result.h"

namespace backstay::odoo {

struct AttachmentFile {
    std::string store_fname;  // relative to the filestore
    std::string sha1;         // what the content must have, lower-case hex; empty: unknown
    std::int64_t size = -1;   // as the row says; -1: unknown
};

struct AttachmentTotals {
    std::int64_t rows = 0;   // rows that name a file
    std::int64_t files = 0;  // distinct names
    std::int64_t bytes = 0;  // of the distinct files, as the rows say
};

Result<AttachmentTotals> attachment_totals(pq::Connection& connection);

// Each distinct name once, in the order of names (which is the order of folders). Memory stays flat.
Result<> stream_attachments(pq::Connection& connection, const std::function<Result<>(AttachmentFile)>& each);

// Completes problems that know only store_fname by the record that each file belongs to.
Result<> name_records(pq::Connection& connection, std::vector<ManifestFileProblem>& problems);

enum class NameKind {
    file,      // a path inside the filestore
    external,  // another module keeps it elsewhere (OCA's fs_attachment writes a URI)
    unsafe,    // would lead out of the filestore
};
NameKind kind_of_name(std::string_view store_fname);

// The SHA-1 that a name of Odoo's own form states ("ab/ab…", or "abc/ab…" of old); empty for others.
std::string sha1_of_name(std::string_view store_fname);

}  // namespace backstay::odoo
