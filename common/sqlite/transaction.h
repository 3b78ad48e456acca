// A write transaction (BEGIN IMMEDIATE: takes the write lock now, so that it cannot fail half way for want of it).
// Rolls back unless committed. Functions that must take part in one take it as a parameter.
#pragma once

#include "common/result.h"
#include "common/sqlite/database.h"

namespace backstay::sqlite {

class Transaction {
public:
    // Another open transaction on this connection is `invalid`: they do not nest.
    static Result<Transaction> begin(Database& database);
    ~Transaction();
    Transaction(Transaction&& other) noexcept;
    Transaction& operator=(Transaction&&) = delete;

    // After a failure nothing is stored; the transaction is rolled back.
    Result<> commit();
    Database& database() { return *database_; }

private:
    explicit Transaction(Database& database) : database_(&database) {}
    Database* database_;
    bool open_ = true;
};

}  // namespace backstay::sqlite
