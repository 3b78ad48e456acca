// How this side gets at what is in a destination: S3 and SFTP from here, a local folder through the agent on whose host
// it is.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "common/crypto/secret_box.h"
#include "common/http/address_rule.h"
#include "common/sql/database.h"
#include "control-plane/relay/storage_desk.h"
#include "control-plane/store/destinations.h"
#include "storage/storage.h"

namespace backstay::browse {

class Reach {
public:
    // All outlive it.
    Reach(const SecretBox& box, http::AddressRule rule, relay::StorageDesk& desk)
        : box_(box), rule_(rule), desk_(desk) {}

    // 422 agent_required when nobody knows which agent has the folder. For one thread; blocks when it is used, until
    // this or, when it is given, `stop` is stopped.
    Result<std::unique_ptr<Storage>> open(sql::Database& db, const store::DestinationRow& row) const {
        return open(db, row, stop_.get_token());
    }
    Result<std::unique_ptr<Storage>> open(sql::Database& db, const store::DestinationRow& row,
                                          std::stop_token stop) const;
    // Waits and transfers end from now on.
    void stop();

private:
    const SecretBox& box_;
    const http::AddressRule rule_;
    relay::StorageDesk& desk_;
    std::stop_source stop_;
};

// A driver's or an agent's error as the API says it (contract/semantics.md 13): 404 file_not_found, 409 object_locked,
// 507 storage_full, 503 storage_unreachable, 502 storage_error. Words of ours: a driver's would show the inside of our
// network. What is a refusal of the API already stays as it is.
Error storage_problem(const Error& error, const std::string& destination);

}  // namespace backstay::browse
