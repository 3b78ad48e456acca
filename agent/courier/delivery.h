// Empties the outbox: batches in order, what is acknowledged leaves it, what is refused is dropped.
#pragma once

#include <functional>
#include <string>

#include "common/sqlite/database.h"
#include "control-plane-client/client.h"

namespace backstay {

class Delivery {
public:
    // `refused`: the control plane took no report of this job under this fence; it is to be stopped.
    using Refused = std::function<void(const std::string& job_id, std::int64_t fence)>;

    Delivery(sqlite::Database& database, std::string instance_id, Refused refused)
        : database_(database), instance_id_(std::move(instance_id)), refused_(std::move(refused)) {}

    // Until the outbox is empty. A report that the control plane does not understand (400, 413, 422, alone in its
    // batch) would block every other for ever: its job's reports are dropped, with an error in the log.
    Result<> deliver(control_plane::ControlPlaneClient& client);

private:
    Result<bool> deliver_batch(control_plane::ControlPlaneClient& client);
    Result<bool> take(const control_plane::ReportAck& ack);

    sqlite::Database& database_;
    std::string instance_id_;
    Refused refused_;
    std::size_t batch_max_ = 100;
};

}  // namespace backstay
