// Makes a backup of the control plane itself, beside a running server: a consistent copy of its database as an SQLite
// file (VACUUM INTO; or one snapshot of PostgreSQL, table by table, held against it), checked page by page, with the
// settings and keys of the installation in a table of that copy.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/crypto/secretstream.h"
#include "common/result.h"
#include "control-plane/config/settings.h"

namespace backstay::own_backup {

struct SaveOrder {
    std::string output;            // a new file, a folder, or "-" for standard output
    std::optional<StreamKey> key;  // encrypts it
    bool with_keys = true;         // false: no secrets.key, no key of tokens, no password
    std::size_t keep = 0;          // of a folder: how many stay; 0: all
};
struct Saved {
    std::string path;
    std::uint64_t bytes = 0;
    std::size_t removed = 0;            // older ones
    std::vector<std::string> left_out;  // files that the settings name and the backup does not hold
};

// May block for as long as the database is large; one at a time for each installation (else conflict). Works in the
// state folder, which must have room for two copies (else exhausted). Nothing is left behind by a failure.
// cancelled: `stop`.
Result<Saved> save(const Settings& settings, const SaveOrder& order, TimeMs now, const std::stop_token& stop = {});

}  // namespace backstay::own_backup
