// SQLite as a store's driver. Inside common/sql only; one thread at a time.
#pragma once

#include <memory>
#include <string>

#include "common/result.h"
#include "common/sql/database.h"
#include "common/sql/driver.h"

namespace backstay::sql {

Result<std::unique_ptr<Driver>> open_sqlite(const std::string& path, const OpenOptions& options);

}  // namespace backstay::sql
