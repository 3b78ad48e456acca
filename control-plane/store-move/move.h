// An installation's store moves between SQLite and PostgreSQL: whole and proven, or not at all.
#pragma once

#include <string>

#include "common/result.h"
#include "control-plane/config/settings.h"
#include "control-plane/store-move/fill.h"

namespace backstay::store_move {

struct MoveOrder {
    std::string to;              // a path, or postgresql://…
    bool keep_settings = false;  // control.toml stays as it is
};
struct Moved {
    Filled tables;
    bool was_there = false;     // an earlier move had filled it: it was compared only
    std::string kept_settings;  // where control.toml is as it was; empty: it was not changed
};

// One transaction fills the target, so that an interruption at any moment leaves it empty or whole; once more after it
// begins anew or, when it was whole, compares and goes on. Where `tables` differ nothing was stored and nothing
// switched. The source is read, and nobody else writes it meanwhile. Errors: conflict (a server runs; the target holds
// something else), invalid (the target is not fit; a value that it cannot hold), unavailable.
Result<Moved> move_store(const Settings& settings, const MoveOrder& order, const OnProgress& on_progress);

// Into an empty PostgreSQL database, all or nothing; the source is within a transaction or a snapshot. conflict: the
// database holds something.
Result<Filled> fill_empty_postgres(sql::Database& source, const std::string& url, const OnProgress& on_progress);

// Into an empty SQLite file.
Result<Filled> fill_file(sql::Database& source, const std::string& path, const OnProgress& on_progress);

}  // namespace backstay::store_move
