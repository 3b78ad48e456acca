#include "agent/odoo/collector_hold.h"

#include "agent/postgres/cluster.h"

namespace backstay::odoo {
namespace {

constexpr std::string_view kTake =
    "SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '2s'; BEGIN;"
    "LOCK TABLE public.ir_attachment IN ROW EXCLUSIVE MODE";

constexpr std::string_view kWaiting = R"(
SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'public.ir_attachment'::regclass
   AND mode IN ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock'))";

}  // namespace

std::optional<CollectorHold> CollectorHold::take(const ClusterConfig& cluster, const std::string& database,
                                                 std::stop_token stop) {
    Result<pq::Connection> connection = pq::Connection::connect(connect_parameters(cluster, database), std::move(stop));
    if (!connection || !connection->exec(kTake)) return std::nullopt;
    return CollectorHold(std::move(*connection));
}

bool CollectorHold::yield_to_upgrades() {
    if (!connection_) return false;
    const Result<pq::Rows> waiting = connection_->query(kWaiting);
    if (!waiting || waiting->text(0, 0) != "0") connection_.reset();
    return connection_.has_value();
}

}  // namespace backstay::odoo
