// The backups that this agent made: what `backstay backups` lists and a restore from the socket starts from. Where each
// lies is told by destination ids only; how to reach them stands in the configuration.
#pragma once

#include <boost/describe.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/domain/orders.h"
#include "common/json/json.h"
#include "common/sqlite/database.h"

namespace backstay {

struct BackupRow {
    std::string backup_id;
    Timestamp created_at;
    Timestamp completed_at;
    std::string cluster;
    std::string database;
    std::string scope;
    std::string trigger;
    std::optional<std::string> label;
    std::string origin;
    std::string status;  // completed, partial
    std::string folder;
    std::uint64_t size_bytes = 0;
    EnvironmentOrder environment;
    json::Object manifest;                     // without row counts
    std::vector<std::string> destination_ids;  // those that hold all of it
};
BOOST_DESCRIBE_STRUCT(BackupRow, (),
                      (backup_id, created_at, completed_at, cluster, database, scope, trigger, label, origin, status,
                       folder, size_bytes, environment, manifest, destination_ids))

class BackupRepository {
public:
    explicit BackupRepository(sqlite::Database& database) : database_(database) {}

    Result<> put(const BackupRow& backup);
    // By id, or the start of one; not_found, or conflict when several fit.
    Result<BackupRow> look_up(const std::string& text);
    // Newest first; database "" means all.
    Result<std::vector<BackupRow>> newest(const std::string& database, std::size_t limit);
    // The newest of each cluster and database, newest first.
    Result<std::vector<BackupRow>> last_of_each();
    // The newest that holds the database ("db") or all of it ("full"); cluster "" means any.
    Result<std::optional<BackupRow>> last(const std::string& cluster, const std::string& database,
                                          std::string_view scope);
    Result<> set_destinations(const std::string& backup_id, const std::vector<std::string>& ids,
                              const std::string& status);
    Result<> remove(const std::string& backup_id);

private:
    sqlite::Database& database_;
};

}  // namespace backstay
