#include "control-plane/store/projects.h"

#include "common/ids.h"
#include "control-plane/store/rows.h"

namespace backstay::store {
namespace {

Project read(const sql::Statement& row) {
    return {row.text(0), row.text(1), row.text(2), row.text(3), row.integer(4), row.integer(5)};
}

}  // namespace

Result<Project> Projects::create(std::string_view organization, std::string_view name, std::string_view description,
                                 TimeMs now) {
    const Project made{new_uuid(), std::string(organization), std::string(name), std::string(description), now, now};
    TRY(
        db_.run("INSERT INTO projects (id, organization_id, name, description, created_at, updated_at) "
                "VALUES ($1, $2, $3, $4, $5, $5)",
                {made.id, organization, name, description, now}));
    return made;
}

Found<Project> Projects::find(std::string_view organization, std::string_view id) {
    return first_row(db_.query("SELECT id, organization_id, name, description, created_at, updated_at FROM projects "
                               "WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL",
                               {organization, id}),
                     read);
}

Result<Listing<Project>> Projects::list(std::string_view organization, std::string_view only, const Page& page) {
    Listing<Project> listing;
    listing.total =
        TRY(count_of(db_.query("SELECT COUNT(*) FROM projects WHERE organization_id = $1 "
                               "AND ($2 = '' OR id = $2) AND deleted_at IS NULL",
                               {organization, only})));
    listing.items =
        TRY(all_rows(db_.query("SELECT id, organization_id, name, description, created_at, updated_at FROM projects "
                               "WHERE organization_id = $1 AND ($2 = '' OR id = $2) AND deleted_at IS NULL "
                               "ORDER BY name, id LIMIT $3 OFFSET $4",
                               {organization, only, page.limit, page.offset}),
                     read));
    return listing;
}

Result<> Projects::update(const Project& project) {
    TRY(
        db_.run("UPDATE projects SET name = $3, description = $4, updated_at = $5 "
                "WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL",
                {project.organization_id, project.id, project.name, project.description, project.updated_at}));
    return {};
}

Result<> Projects::remove(std::string_view organization, std::string_view id, TimeMs now) {
    const auto environments = TRY(
        count_of(db_.query("SELECT COUNT(*) FROM environments WHERE project_id = $1 AND deleted_at IS NULL", {id})));
    if (environments > 0) return Error(Errc::conflict, "the project still has environments");
    TRY(
        db_.run("UPDATE projects SET deleted_at = $3, updated_at = $3 "
                "WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL",
                {organization, id, now}));
    return {};
}

}  // namespace backstay::store
