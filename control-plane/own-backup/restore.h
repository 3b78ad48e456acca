// A control plane as it was when a backup of it was made, in an empty state folder.
#pragma once

#include <boost/describe.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/result.h"
#include "control-plane/own-backup/forget.h"

namespace backstay::own_backup {

// What a backup says of itself.
struct About {
    std::int32_t format = 1;
    Timestamp made_at;
    std::string version;      // of the program that made it
    std::string state_dir;    // where the installation lay
    std::string store_place;  // the database in it; absolute when it lay elsewhere
    std::int64_t owner = 0;   // of the folder, a user id: another account's, maybe, on another host
    std::optional<std::string> owner_name;
    bool with_keys = true;
    std::vector<std::string> left_out;
};
BOOST_DESCRIBE_STRUCT(About, (),
                      (format, made_at, version, state_dir, store_place, owner, owner_name, with_keys, left_out))

struct RestoreOrder {
    std::string state_dir;  // absent or empty
    std::string from;
    std::string key_file;  // of an encrypted one
    std::string store{};   // postgresql://… of an empty database; empty: an SQLite file
};
struct Restored {
    About about;
    Forgotten forgotten;
    std::vector<std::string>
        elsewhere;  // files that lay outside of the state folder: "…/elsewhere/etc/x is for /etc/x"
    std::vector<std::string> missing;       // files that the settings name and that are not here
    std::string store;                      // where the database is now
    bool store_changed = false;             // `store` in control.toml says so; it said something else
    std::optional<std::string> no_account;  // all stays root's, because this account of the old host is not here
};

// Nothing is in place before digest, pages and schema are proven; a failure leaves nothing. Root gives all to the
// owner of the folder, else to the account of the old one's name, else to backstay-control. Errors: conflict (the
// folder holds something), corrupted, invalid (no such backup, or of a newer version), denied or not_found (the key). A
// PostgreSQL database is filled last, in one transaction; conflict: it is not empty.
Result<Restored> restore(const RestoreOrder& order, TimeMs now);

}  // namespace backstay::own_backup
