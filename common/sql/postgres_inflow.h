// Rows into PostgreSQL by COPY. Inside common/sql only.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "common/pq/connection.h"
#include "common/sql/driver.h"

namespace backstay::sql {

// The connection outlives it.
Result<std::unique_ptr<Inflow>> begin_postgres_inflow(pq::Connection& connection, const std::string& table,
                                                      std::span<const std::string> columns);

}  // namespace backstay::sql
