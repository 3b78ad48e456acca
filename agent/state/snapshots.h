// The snapshots that lie on this host: what `backstay snapshots` lists, what a rollback starts from, and the names that
// differentials are compared with.
#pragma once

#include <boost/describe.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/domain/orders.h"
#include "common/sqlite/database.h"

namespace backstay {

struct SnapshotRow {
    std::string snapshot_id;
    std::string environment;  // "v1/<org>/<project>/<env>"
    std::string folder;
    std::string status;  // running, completed, partial, deleting
    Timestamp created_at;
    std::optional<Timestamp> completed_at;
    std::string cluster;
    std::string database;
    std::string trigger;
    std::optional<std::string> label;
    std::string origin;
    std::string mode;  // full, differential; "" while that is not decided
    std::optional<std::string> base_id;
    std::uint64_t size_bytes = 0;
    std::uint64_t database_bytes = 0;
    EnvironmentOrder environment_order;
    std::vector<std::string> destination_ids;  // those that hold a whole copy
};

class SnapshotRepository {
public:
    explicit SnapshotRepository(sqlite::Database& database) : database_(database) {}

    // A new attempt replaces an earlier one of the same id; conflict while others need that.
    Result<> begin(const SnapshotRow& row);
    // not_found: the base is going or gone.
    Result<> lean_on(const std::string& snapshot_id, const std::string& base_id);
    // With a full one's names out of a file (one a line, in byte order; "" for none). One transaction.
    Result<> complete(const SnapshotRow& row, const std::string& names_file);
    Result<> set_status(const std::string& snapshot_id, const std::string& status);
    Result<> set_destinations(const std::string& snapshot_id, const std::vector<std::string>& ids);
    Result<> add_destinations(const std::string& snapshot_id, const std::vector<std::string>& ids);
    // From here on nothing can lean on it; conflict while something does, or a rollback works with it. Unknown is
    // success.
    Result<> begin_deletion(const std::string& snapshot_id);
    Result<> remove(const std::string& snapshot_id);
    // One that was found whole on the host, under a base that is known. Its names are not: no differential leans on it
    // from now on. A known one stays as it is.
    Result<> adopt(const SnapshotRow& row);

    Result<std::optional<SnapshotRow>> find(const std::string& snapshot_id);
    // Also by the start of its id: not_found, or conflict when several fit.
    Result<SnapshotRow> look_up(const std::string& text);
    // Whole ones, newest first; database "" means all.
    Result<std::vector<SnapshotRow>> newest(const std::string& database, std::size_t limit);
    // By the order in which they were begun: clocks are put back.
    Result<std::optional<SnapshotRow>> newest_full(const std::string& environment);
    Result<std::vector<SnapshotRow>> of_status(const std::string& status);
    // The operation of a rollback that waits or runs and works with it.
    Result<std::optional<std::string>> rollback_using(const std::string& snapshot_id);
    // Completed before then, asked for on this host, and needed by nothing.
    Result<std::vector<SnapshotRow>> expired(TimeMs completed_before);
    // Ids of what leans on it.
    Result<std::vector<std::string>> dependents(const std::string& snapshot_id);
    // One piece of a full one's names; nullopt after the last.
    Result<std::optional<std::string>> names(const std::string& snapshot_id, std::int64_t number);

private:
    sqlite::Database& database_;
};

}  // namespace backstay
