#include "agent/postgres/snapshot.h"

#include <fmt/format.h>

#include "agent/postgres/cluster.h"

namespace backstay::postgres {
namespace {

// A server-wide idle timeout would end the snapshot in the middle of the dump.
constexpr std::string_view kOpen =
    "SET idle_in_transaction_session_timeout = 0; SET row_security = off;"
    "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

}  // namespace

Snapshot::Snapshot(const ClusterConfig& cluster, std::string database, std::stop_token stop, pq::Connection connection,
                   std::string id)
    : cluster_(&cluster),
      database_(std::move(database)),
      stop_(std::move(stop)),
      connection_(std::move(connection)),
      id_(std::move(id)) {}

Result<Snapshot> Snapshot::open(const ClusterConfig& cluster, std::string database, std::stop_token stop) {
    pq::Connection connection = TRY(pq::Connection::connect(connect_parameters(cluster, database), stop));
    TRY(connection.exec(kOpen).context("open a snapshot"));
    const pq::Rows rows = TRY(connection.query("SELECT pg_export_snapshot()").context("export the snapshot"));
    std::string id(rows.text(0, 0));
    return Snapshot(cluster, std::move(database), std::move(stop), std::move(connection), std::move(id));
}

Result<pq::Connection> Snapshot::join() const {
    pq::Connection connection = TRY(pq::Connection::connect(connect_parameters(*cluster_, database_), stop_));
    TRY(connection.exec(kOpen));
    TRY(connection.exec(fmt::format("SET TRANSACTION SNAPSHOT {}", pq::quote_literal(id_))).context("join a snapshot"));
    return connection;
}

}  // namespace backstay::postgres
