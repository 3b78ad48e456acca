// A write transaction. Rolls back unless committed. Functions that must take part in one take it as a parameter.
//
// Whoever writes is alone, so that what it read before it wrote is still true: SQLite has one writer by nature; on
// PostgreSQL a transaction waits for an advisory lock first, which says what it may touch: everything, or one
// organization's things. Two organizations' writers go on side by side, on any number of replicas.
#pragma once

#include <string_view>

#include "common/result.h"
#include "common/sql/database.h"

namespace backstay::sql {

class Transaction {
public:
    // `organization`: the one whose things are written; empty: it may be anything. Another open transaction on this
    // connection is `invalid`: they do not nest. While a Group is open, this is a member of it (group.h).
    static Result<Transaction> begin(Database& database, std::string_view organization = {});
    ~Transaction();
    Transaction(Transaction&& other) noexcept;
    Transaction& operator=(Transaction&&) = delete;

    // After a failure nothing is stored, and the transaction is rolled back; but when PostgreSQL is lost in the middle
    // of it (unavailable), it may be stored all the same. One that the store has ended by itself is unavailable too.
    // A member's is stored when its group is.
    Result<> commit();
    Database& database() { return *database_; }

private:
    explicit Transaction(Database& database) : database_(&database) {}
    Database* database_;
    bool open_ = true;
};

// What `act` wrote is undone when it fails, and only that: the transaction around it goes on. A failed statement ends
// PostgreSQL's transaction unless it stands in such a part. unavailable: the whole transaction has ended, as SQLite's
// does when the disk is full; nothing of it is stored.
template <class Act>
auto apart(Database& database, Act act) -> decltype(act()) {
    TRY(database.run_script("SAVEPOINT part"));
    auto done = act();
    if (!database.in_transaction()) {
        const std::string why = done ? "" : ": " + done.error().message();
        return Error(Errc::unavailable, "the store ended the transaction" + why);
    }
    TRY(database.run_script(done ? "RELEASE part" : "ROLLBACK TO part; RELEASE part"));
    return done;
}

}  // namespace backstay::sql
