#include "common/sql/snapshot.h"

#include <utility>

#include "common/log.h"

namespace backstay::sql {

Result<Snapshot> Snapshot::begin(Database& database) {
    if (database.in_transaction()) return Error(Errc::invalid, "a transaction is open already");
    TRY(database.driver_->begin_snapshot());
    return Snapshot(database);
}

Snapshot::Snapshot(Snapshot&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}

Snapshot::~Snapshot() {
    if (database_ == nullptr || !database_->in_transaction()) return;
    const auto ended = database_->driver_->roll_back();
    if (!ended) log::error("a snapshot of the store did not end", {{"error", ended.error().message()}});
}

}  // namespace backstay::sql
