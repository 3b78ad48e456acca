// The store as it is at one moment, that of the first question, for many questions that must agree. Writers go on
// meanwhile.
#pragma once

#include "common/result.h"
#include "common/sql/database.h"

namespace backstay::sql {

class Snapshot {
public:
    // Inside of no transaction. Nothing can be written through this connection until it is gone.
    static Result<Snapshot> begin(Database& database);
    ~Snapshot();
    Snapshot(Snapshot&& other) noexcept;
    Snapshot& operator=(Snapshot&&) = delete;

private:
    explicit Snapshot(Database& database) : database_(&database) {}
    Database* database_;
};

}  // namespace backstay::sql
