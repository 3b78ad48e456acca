#include "control-plane/admin-api/admin_routes.h"
#include "control-plane/api/answer.h"
#include "control-plane/api/scope.h"
#include "control-plane/registry/registry.h"
#include "control-plane/registry/views.h"

namespace backstay::admin_api {
namespace {

using api::Call;
using auth::Permission;

struct NewProject {
    std::string name;
    std::optional<std::string> description;
};
BOOST_DESCRIBE_STRUCT(NewProject, (), (name, description))

struct ProjectChange {
    std::optional<std::string> name;
    std::optional<std::string> description;
};
BOOST_DESCRIBE_STRUCT(ProjectChange, (), (name, description))

http::Response project_answer(int status, const store::Project& project) {
    return api::json_answer(status, json::Value(registry::view(project)));
}

Result<http::Response> list_projects(Call& call, sql::Database& db) {
    const auto page = TRY(api::page_of(call, 50));
    const auto listing =
        TRY(store::Projects(db).list(call.organization_id, call.principal.project_id.value_or(""), page));
    return api::json_answer(200, registry::listing_view("projects", listing, [](const store::Project& item) {
                                return registry::view(item);
                            }));
}

Result<http::Response> create_project(Call& call, sql::Transaction& tx) {
    if (call.principal.project_id) return api::problem(403, "forbidden", "this key is limited to one project");
    const auto wanted = TRY(api::body<NewProject>(call, json::Missing::refuse));
    const auto made = TRY(registry::create_project(tx, actor_of(call), call.organization_id, wanted.name,
                                                   wanted.description.value_or("")));
    return project_answer(201, made);
}

Result<http::Response> show_project(Call& call, sql::Database& db) {
    const auto project = TRY(api::find_project(call, db, call.param("id")));
    return project_answer(200, project);
}

Result<http::Response> update_project(Call& call, sql::Transaction& tx) {
    auto project = TRY(api::find_project(call, tx.database(), call.param("id")));
    const auto change = TRY(api::body<ProjectChange>(call));
    project.name = change.name.value_or(project.name);
    project.description = change.description.value_or(project.description);
    TRY(registry::check_name("name", project.name));
    TRY(registry::check_name("description", project.description, 0, 1000));
    project.updated_at = call.now;
    if (auto updated = store::Projects(tx.database()).update(project); !updated) {
        if (updated.error().code() != Errc::conflict) return updated.error();
        return api::conflict("project_exists", "the organization has a project of that name");
    }
    TRY(registry::note(tx, actor_of(call), call.organization_id, "project.update", project.id, project.name));
    return project_answer(200, project);
}

Result<http::Response> delete_project(Call& call, sql::Transaction& tx) {
    const auto project = TRY(api::find_project(call, tx.database(), call.param("id")));
    TRY(store::Projects(tx.database()).remove(call.organization_id, project.id, call.now).reason("project_not_empty"));
    TRY(registry::note(tx, actor_of(call), call.organization_id, "project.delete", project.id, project.name));
    return api::message_answer(200, "the project is deleted");
}

}  // namespace

void add_project_routes(api::RouteTable& routes) {
    routes.add({"GET", "/api/projects", Permission::view_backups}, list_projects);
    routes.add_write({"POST", "/api/projects", Permission::manage_projects}, create_project);
    routes.add({"GET", "/api/projects/{id}", Permission::view_backups}, show_project);
    routes.add_write({"PUT", "/api/projects/{id}", Permission::manage_projects}, update_project);
    routes.add_write({"PATCH", "/api/projects/{id}", Permission::manage_projects}, update_project);
    routes.add_write({"DELETE", "/api/projects/{id}", Permission::manage_projects}, delete_project);
}

}  // namespace backstay::admin_api
