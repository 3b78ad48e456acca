// How PostgreSQL's failures become ours. Inside this folder only.
#pragma once

#include <string_view>

#include "common/result.h"

struct pg_conn;
struct pg_result;

namespace backstay::pq {

// The SQLSTATE (fact "sqlstate") decides category and reason code; docs/operations.md lists them.
Error error_of_state(std::string_view sqlstate, std::string_view message);

// A statement failed, or the connection broke under it. `stopped`: we asked for the cancellation ourselves.
Error error_of_result(const pg_conn* connection, const pg_result* result, bool stopped);

// A connection did not come up. libpq keeps no SQLSTATE of it, so the message must have been built verbosely.
Error error_of_connect(const pg_conn* connection);

}  // namespace backstay::pq
