// What a project has stored, summed over the last scans of the destinations that it uses.
#pragma once

#include "common/json/json.h"
#include "common/sql/database.h"
#include "control-plane/store/projects.h"

namespace backstay::browse {

Result<json::Value> project_summary(sql::Database& db, const store::Project& project);

}  // namespace backstay::browse
