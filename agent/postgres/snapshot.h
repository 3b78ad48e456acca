// One moment of one database, held open and exported, so that pg_dump, the list of attachments and every count see
// exactly the same rows. Holds a transaction: keep it no longer than the dump needs.
#pragma once

#include <stop_token>
#include <string>

#include "agent/config/config.h"
#include "common/pq/connection.h"
#include "common/result.h"

namespace backstay::postgres {

class Snapshot {
public:
    static Result<Snapshot> open(const ClusterConfig& cluster, std::string database, std::stop_token stop);

    // The connection inside the snapshot's transaction. A statement that fails ends the snapshot for it and all.
    pq::Connection& connection() { return connection_; }
    // For pg_dump --snapshot.
    const std::string& id() const { return id_; }
    const std::string& database() const { return database_; }
    // A further connection that sees the same moment; for another thread, or for statements that may fail.
    Result<pq::Connection> join() const;

private:
    Snapshot(const ClusterConfig& cluster, std::string database, std::stop_token stop, pq::Connection connection,
             std::string id);

    const ClusterConfig* cluster_;
    std::string database_;
    std::stop_token stop_;
    pq::Connection connection_;
    std::string id_;
};

}  // namespace backstay::postgres
