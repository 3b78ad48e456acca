// PostgreSQL through libpq as a store's driver. Inside common/sql only; one thread at a time.
#pragma once

#include <memory>
#include <string>

#include "common/result.h"
#include "common/sql/database.h"
#include "common/sql/driver.h"

namespace backstay::sql {

// A connection that is made anew when it broke: at the earliest a second after the last attempt failed, so that a
// server that is away costs its callers no waiting in line.
Result<std::unique_ptr<Driver>> open_postgres(const std::string& url, const OpenOptions& options);

}  // namespace backstay::sql
