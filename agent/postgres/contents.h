// What a database holds, counted so that source and restored copy can be compared: the same statements count both. What
// belongs to extensions is left out (their versions may differ between hosts). Run it inside the snapshot that is
// dumped, or on a database that nobody writes to.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/domain/manifest.h"
#include "common/pq/connection.h"

namespace backstay {

// tables, indexes, constraints, sequences; row_counts stays empty.
Result<ManifestContents> count_objects(pq::Connection& connection);

// The tables whose rows are counted, by OID: "schema.table".
Result<std::map<std::int64_t, std::string>> counted_tables(pq::Connection& connection);

// tables, indexes, constraints, sequences and the exact rows of each table; the modules are left to agent/odoo.
Result<ManifestContents> count_contents(pq::Connection& connection);

// One line for each difference ("public.sale_order: 3 rows instead of 5"), at most 20 and then how many more.
std::vector<std::string> compare_contents(const ManifestContents& expected, const ManifestContents& found);

}  // namespace backstay
