// What a snapshot's filestore adds to a full one's: found by names alone, which are hashes of what they name.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "agent/artifact/tar_writer.h"
#include "agent/jobs/backup/name_list.h"
#include "agent/jobs/snapshot/shelf.h"
#include "common/pq/connection.h"

namespace backstay::snapshot {

struct Difference {
    backup::NameList all;     // every file of the snapshot
    backup::NameList fresh;   // of these, what the base lacks; everything without a base
    std::uint64_t bytes = 0;  // of all, as the rows say
    std::uint64_t fresh_bytes = 0;
    std::uint64_t listed_bytes = 0;  // of the list of names below
};

// Reads the names of the snapshot that `connection` sees, in byte order, beside those of the base (null: none). Spools
// lie in `scratch`; memory stays flat.
Result<Difference> find_difference(pq::Connection& connection, BaseNames* base, const std::string& scratch);

// The first member of a differential's tar: every file of the snapshot, one name a line.
Result<> write_list(TarWriter& tar, Difference& difference, std::int64_t modified_at);

// Can a line of the list hold it? Odoo's names can.
bool fits_a_line(std::string_view name);

// nullopt: a differential will do. Else why a full one is to be taken.
struct Choice {
    TimeMs now = 0;
    bool full_wanted = false;
    const Base* base = nullptr;              // null: none
    bool base_is_there = false;              // its objects were looked at
    const Difference* difference = nullptr;  // null: not known yet
    bool encrypted = false;                  // this one is to be
    bool base_is_encrypted = false;
};
std::optional<std::string> why_full(const Choice& choice);

}  // namespace backstay::snapshot
