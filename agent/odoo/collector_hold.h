// Keeps Odoo's collector from deleting files while they are packed: a ROW EXCLUSIVE lock on ir_attachment, which lets
// writers pass. Odoo up to 19 asks for a SHARE lock, gives up after ten seconds, and tries again next time. A role that
// may only read cannot take it; the backup then goes without, and a file that vanished is named in its evidence.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "agent/config/config.h"
#include "common/pq/connection.h"

namespace backstay::odoo {

class CollectorHold {
public:
    // nullopt: the role may not, or somebody holds a stronger lock.
    static std::optional<CollectorHold> take(const ClusterConfig& cluster, const std::string& database,
                                             std::stop_token stop);

    // Call about once a second: lets go for good when somebody (a module upgrade) waits for an exclusive lock. False
    // once it has let go.
    bool yield_to_upgrades();

private:
    explicit CollectorHold(pq::Connection connection) : connection_(std::move(connection)) {}
    std::optional<pq::Connection> connection_;
};

}  // namespace backstay::odoo
