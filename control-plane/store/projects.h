// Projects: the environments of one Odoo application.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "control-plane/store/store.h"

namespace backstay::store {

struct Project {
    std::string id;
    std::string organization_id;
    std::string name;
    std::string description;
    TimeMs created_at = 0;
    TimeMs updated_at = 0;
};

class Projects {
public:
    explicit Projects(sql::Database& db) : db_(db) {}

    // conflict: the name is taken in this organization.
    Result<Project> create(std::string_view organization, std::string_view name, std::string_view description,
                           TimeMs now);
    Found<Project> find(std::string_view organization, std::string_view id);
    // `only`: empty for all, else the one project that a key is limited to.
    Result<Listing<Project>> list(std::string_view organization, std::string_view only, const Page& page);
    Result<> update(const Project& project);
    // conflict while it has environments.
    Result<> remove(std::string_view organization, std::string_view id, TimeMs now);

private:
    sql::Database& db_;
};

}  // namespace backstay::store
