#include "common/sql/transaction.h"

#include <utility>

#include "common/log.h"
#include "common/sql/group.h"

namespace backstay::sql {

Result<Transaction> Transaction::begin(Database& database, std::string_view organization) {
    if (database.group_) {
        TRY(Group::begin_member(database, organization));
        return Transaction(database);
    }
    if (database.in_transaction()) return Error(Errc::invalid, "a transaction is open already");
    TRY(database.driver_->begin(organization));
    return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(other.database_), open_(std::exchange(other.open_, false)) {}

Transaction::~Transaction() {
    if (open_ && database_->group_) Group::undo_member(*database_);
    // A database itself rolls back after some failures (full disk, lost connection); nothing is left to do then.
    if (!open_ || database_->group_ || !database_->in_transaction()) return;
    const auto rolled_back = database_->driver_->roll_back();
    if (!rolled_back) log::error("rollback failed", {{"error", rolled_back.error().message()}});
}

Result<> Transaction::commit() {
    if (!open_) return Error(Errc::invalid, "the transaction has ended already");
    open_ = false;
    if (database_->group_) return Group::commit_member(*database_);
    if (!database_->in_transaction()) return Error(Errc::unavailable, "the store ended the transaction before");
    auto committed = database_->driver_->commit();
    if (!committed && database_->in_transaction()) (void)database_->driver_->roll_back().has_value();
    return committed;
}

}  // namespace backstay::sql
