// A destination on an agent's host as a Storage of this side: every call goes through the agent.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "common/domain/orders.h"
#include "control-plane/relay/storage_desk.h"
#include "storage/storage.h"

namespace backstay::relay {

// `desk` and `store`, the calling thread's own, outlive it.
std::unique_ptr<Storage> relay_storage(StorageDesk& desk, sql::Database& store, std::string agent,
                                       DestinationOrder destination, std::stop_token stop);

}  // namespace backstay::relay
