#include "control-plane/store/enroll_tokens.h"

#include "control-plane/store/rows.h"

namespace backstay::store {
namespace {

std::string select(std::string_view where) {
    std::string sql =
        "SELECT id, organization_id, name, created_by, created_at, expires_at, used_at, agent_id FROM enroll_tokens "
        "WHERE ";
    return sql += where;
}

EnrollToken read(const sql::Statement& row) {
    return {row.text(0),
            row.text(1),
            row.text(2),
            row.text(3),
            row.integer(4),
            row.integer(5),
            row.optional_integer(6),
            row.optional_text(7)};
}

}  // namespace

Result<> EnrollTokens::create(const EnrollToken& token, std::string_view token_hash) {
    TRY(
        db_.run("INSERT INTO enroll_tokens (id, organization_id, name, token_hash, created_by, created_at, expires_at) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7)",
                {token.id, token.organization_id, token.name, token_hash, token.created_by, token.created_at,
                 token.expires_at}));
    return {};
}

Found<EnrollToken> EnrollTokens::usable(std::string_view token_hash, TimeMs now) {
    return first_row(db_.query(select("token_hash = $1 AND used_at IS NULL AND expires_at > $2"), {token_hash, now}),
                     read);
}

Result<Listing<EnrollToken>> EnrollTokens::list(std::string_view organization, const Page& page) {
    Listing<EnrollToken> listing;
    listing.total =
        TRY(count_of(db_.query("SELECT COUNT(*) FROM enroll_tokens WHERE organization_id = $1", {organization})));
    listing.items =
        TRY(all_rows(db_.query(select("organization_id = $1 ORDER BY created_at DESC, id LIMIT $2 OFFSET $3"),
                               {organization, page.limit, page.offset}),
                     read));
    return listing;
}

Result<> EnrollTokens::use(std::string_view id, std::string_view agent_id, TimeMs now) {
    const auto changed = TRY(db_.run(
        "UPDATE enroll_tokens SET used_at = $3, agent_id = $2 WHERE id = $1 AND used_at IS NULL", {id, agent_id, now}));
    if (changed == 0) return Error(Errc::conflict, "the enrolment token was used already");
    return {};
}

Result<bool> EnrollTokens::revoke(std::string_view organization, std::string_view id, TimeMs now) {
    const auto changed = TRY(
        db_.run("UPDATE enroll_tokens SET expires_at = $3 WHERE organization_id = $1 AND id = $2 AND used_at IS NULL",
                {organization, id, now}));
    return changed > 0;
}

}  // namespace backstay::store
