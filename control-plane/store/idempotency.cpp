#include "control-plane/store/idempotency.h"

#include "control-plane/store/rows.h"

namespace backstay::store {

Found<KeptAnswer> Idempotency::find(std::string_view credential, std::string_view key, TimeMs now) {
    return first_row(db_.query("SELECT request_hash, status, body FROM idempotency "
                               "WHERE credential = $1 AND key = $2 AND created_at > $3",
                               {credential, key, now - kKeptMs}),
                     [](const sql::Statement& row) {
                         return KeptAnswer{row.text(0), static_cast<int>(row.integer(1)), row.text(2)};
                     });
}

Result<> Idempotency::keep(std::string_view credential, std::string_view key, const KeptAnswer& answer, TimeMs now) {
    TRY(db_.run("DELETE FROM idempotency WHERE credential = $1 AND key = $2 AND created_at <= $3",
                {credential, key, now - kKeptMs}));
    TRY(
        db_.run("INSERT INTO idempotency (credential, key, request_hash, status, body, created_at) "
                "VALUES ($1, $2, $3, $4, $5, $6)",
                {credential, key, answer.request_hash, answer.status, answer.body, now}));
    return {};
}

}  // namespace backstay::store
