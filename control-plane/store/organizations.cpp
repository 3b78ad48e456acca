#include "control-plane/store/organizations.h"

#include "common/ids.h"
#include "control-plane/store/rows.h"

namespace backstay::store {
namespace {

Organization read(const sql::Statement& row) {
    return {row.text(0), row.text(1), row.text(2), row.integer(3), row.integer(4)};
}

constexpr std::string_view kById =
    "SELECT id, slug, name, created_at, updated_at FROM organizations WHERE id = $1 AND deleted_at IS NULL";
constexpr std::string_view kBySlug =
    "SELECT id, slug, name, created_at, updated_at FROM organizations WHERE slug = $1 AND deleted_at IS NULL";

}  // namespace

Result<Organization> Organizations::create(std::string_view slug, std::string_view name, TimeMs now) {
    const Organization made{new_uuid(), std::string(slug), std::string(name), now, now};
    TRY(db_.run("INSERT INTO organizations (id, slug, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)",
                {made.id, slug, name, now}));
    return made;
}

Found<Organization> Organizations::by_id(std::string_view id) { return first_row(db_.query(kById, {id}), read); }

Found<Organization> Organizations::by_slug(std::string_view slug) {
    return first_row(db_.query(kBySlug, {slug}), read);
}

Result<std::vector<Organization>> Organizations::list() {
    return all_rows(db_.query("SELECT id, slug, name, created_at, updated_at FROM organizations "
                              "WHERE deleted_at IS NULL ORDER BY slug"),
                    read);
}

Result<std::vector<Organization>> Organizations::of_subject(std::string_view subject) {
    return all_rows(db_.query("SELECT o.id, o.slug, o.name, o.created_at, o.updated_at FROM memberships m "
                              "JOIN organizations o ON o.id = m.organization_id "
                              "WHERE m.subject = $1 AND o.deleted_at IS NULL ORDER BY o.slug",
                              {subject}),
                    read);
}

Result<> Organizations::rename(std::string_view id, std::string_view name, TimeMs now) {
    TRY(db_.run("UPDATE organizations SET name = $2, updated_at = $3 WHERE id = $1", {id, name, now}));
    return {};
}

Result<> Organizations::add_member(std::string_view id, std::string_view subject, std::string_view role, TimeMs now) {
    TRY(
        db_.run("INSERT INTO memberships (organization_id, subject, role, created_at) VALUES ($1, $2, $3, $4) "
                "ON CONFLICT (organization_id, subject) DO UPDATE SET role = excluded.role",
                {id, subject, role, now}));
    return {};
}

Found<std::string> Organizations::role_of(std::string_view id, std::string_view subject) {
    return first_row(
        db_.query("SELECT role FROM memberships WHERE organization_id = $1 AND subject = $2", {id, subject}),
        [](const sql::Statement& row) { return row.text(0); });
}

}  // namespace backstay::store
