// One backup or snapshot in the words of /api/public/v1, and finding it within what the caller may see.
#pragma once

#include <optional>
#include <string_view>

#include "control-plane/api/call.h"
#include "control-plane/api/operation_answers.h"
#include "control-plane/operations/public_listing.h"

namespace backstay::public_api {

// 401 for who calls with something else than an API key.
Result<> check_key(const api::Call& call);

struct Bounds {
    std::int64_t least = 0;
    std::int64_t most = 0;
};
// A whole number of the query: 400 invalid_parameter when it is none, 422 out of bounds.
Result<std::int64_t> number_of(const api::Call& call, std::string_view name, std::int64_t usual, Bounds bounds);

// With the row that stands behind it: exactly one of both.
struct Item {
    operations::PublicBackup shown;
    std::optional<operations::BackupRow> backup;
    std::optional<operations::SnapshotRow> snapshot;
};
Result<Item> read_item(const api::Call& call, sql::Database& db, operations::PublicBackup shown);
// 404
Result<Item> find_item(const api::Call& call, sql::Database& db, std::string_view id);

Result<json::Value> item_answer(api::Names& names, const Item& item);

}  // namespace backstay::public_api
