#include "control-plane/store/api_keys.h"

#include "control-plane/store/rows.h"

namespace backstay::store {
namespace {

std::string select(std::string_view where) {
    std::string sql =
        "SELECT id, organization_id, project_id, name, mode, prefix, permissions, created_by, created_at, expires_at, "
        "last_used_at FROM api_keys WHERE ";
    return sql += where;
}

ApiKey read(const sql::Statement& row) {
    ApiKey key;
    key.id = row.text(0);
    key.organization_id = row.text(1);
    key.project_id = row.optional_text(2);
    key.name = row.text(3);
    key.mode = row.text(4);
    key.prefix = row.text(5);
    key.permissions = row.text(6);
    key.created_by = row.text(7);
    key.created_at = row.integer(8);
    key.expires_at = row.optional_integer(9);
    key.last_used_at = row.optional_integer(10);
    return key;
}

}  // namespace

Result<> ApiKeys::create(const ApiKey& key, std::string_view key_hash) {
    TRY(
        db_.run("INSERT INTO api_keys (id, organization_id, project_id, name, mode, prefix, key_hash, permissions, "
                "created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                {key.id, key.organization_id, key.project_id, key.name, key.mode, key.prefix, key_hash, key.permissions,
                 key.created_by, key.created_at, key.expires_at}));
    return {};
}

Found<ApiKey> ApiKeys::find(std::string_view organization, std::string_view id) {
    return first_row(db_.query(select("organization_id = $1 AND id = $2 AND revoked_at IS NULL"), {organization, id}),
                     read);
}

Found<ApiKey> ApiKeys::by_hash(std::string_view key_hash, TimeMs now) {
    return first_row(
        db_.query(select("key_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)"),
                  {key_hash, now}),
        read);
}

Result<Listing<ApiKey>> ApiKeys::list(std::string_view organization, const Page& page, std::string_view project) {
    const std::string where = "organization_id = $1 AND revoked_at IS NULL AND ($2 = '' OR project_id = $2)";
    Listing<ApiKey> listing;
    listing.total = TRY(count_of(db_.query("SELECT COUNT(*) FROM api_keys WHERE " + where, {organization, project})));
    listing.items = TRY(all_rows(db_.query(select(where + " ORDER BY created_at DESC, id LIMIT $3 OFFSET $4"),
                                           {organization, project, page.limit, page.offset}),
                                 read));
    return listing;
}

Result<> ApiKeys::note_used(std::string_view id, TimeMs now) {
    TRY(db_.run("UPDATE api_keys SET last_used_at = $2 WHERE id = $1", {id, now}));
    return {};
}

Result<> ApiKeys::revoke(std::string_view organization, std::string_view id, TimeMs now) {
    TRY(db_.run("UPDATE api_keys SET revoked_at = $3 WHERE organization_id = $1 AND id = $2 AND revoked_at IS NULL",
                {organization, id, now}));
    return {};
}

}  // namespace backstay::store
