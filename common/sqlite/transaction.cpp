#include "common/sqlite/transaction.h"

#include <utility>

#include "common/log.h"

namespace backstay::sqlite {

Result<Transaction> Transaction::begin(Database& database) {
    if (database.in_transaction()) return Error(Errc::invalid, "a transaction is open already");
    TRY(database.run("BEGIN IMMEDIATE"));
    return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(other.database_), open_(std::exchange(other.open_, false)) {}

Transaction::~Transaction() {
    // SQLite itself rolls back after some failures (full disk); there is nothing left to do then.
    if (!open_ || !database_->in_transaction()) return;
    const auto rolled_back = database_->run("ROLLBACK");
    if (!rolled_back) log::error("rollback failed", {{"error", rolled_back.error().message()}});
}

Result<> Transaction::commit() {
    if (!open_) return Error(Errc::invalid, "the transaction has ended already");
    TRY(database_->run("COMMIT"));
    open_ = false;
    return {};
}

}  // namespace backstay::sqlite
