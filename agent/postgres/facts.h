// What a server and a database are, as the manifest states it. Every function runs in the caller's transaction.
#pragma once

#include <cstdint>
#include <string>

#include "common/domain/manifest.h"
#include "common/pq/connection.h"
#include "common/result.h"

namespace backstay::postgres {

// Version, identity, encoding, owner, extensions, size. start_lsn is the present one, end_lsn stays empty.
Result<ManifestPostgres> read_facts(pq::Connection& connection);

// The write position now; empty where it cannot be told.
Result<std::string> current_lsn(pq::Connection& connection);

}  // namespace backstay::postgres
