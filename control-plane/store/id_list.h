// Rows of many ids with one question for each hundred: on PostgreSQL each question is a round trip.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "common/sql/database.h"

namespace backstay::store {

// `select` ends with "… IN".
template <class Read>
Result<> for_each_of(sql::Database& db, std::string_view select, const std::vector<std::string>& ids, Read read,
                     std::string_view order = {}) {
    constexpr std::size_t kAtOnce = 100;
    // The same text each time, so that it is prepared once: the last id fills the places that are left.
    std::string sql(select);
    for (std::size_t i = 1; i <= kAtOnce; ++i) sql += (i == 1 ? " ($" : ", $") + std::to_string(i);
    sql.append(")").append(order);
    for (std::size_t at = 0; at < ids.size(); at += kAtOnce) {
        std::vector<sql::Value> values;
        for (std::size_t i = 0; i < kAtOnce; ++i) values.emplace_back(ids[std::min(at + i, ids.size() - 1)]);
        auto rows = TRY(db.query(sql, values));
        while (TRY(rows.step())) read(rows);
    }
    return {};
}

}  // namespace backstay::store
