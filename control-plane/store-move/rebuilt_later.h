// What a table of many rows is filled without. Faster: indexes that no constraint needs and, on PostgreSQL, foreign
// keys. And triggers: what they would count comes with the rows of its own table.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "common/sql/transaction.h"
#include "control-plane/store-move/schema.h"

namespace backstay::store_move {

class RebuiltLater {
public:
    // Drops them.
    static Result<RebuiltLater> drop(sql::Transaction& transaction, const Schema& schema);
    // Makes them anew as they were; all rows are held against them.
    Result<> rebuild(sql::Transaction& transaction) const;

private:
    std::vector<std::string> words_;
};

}  // namespace backstay::store_move
