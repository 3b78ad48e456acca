// Organizations, the boundary between tenants, and who belongs to them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "control-plane/store/store.h"

namespace backstay::store {

struct Organization {
    std::string id;
    std::string slug;
    std::string name;
    TimeMs created_at = 0;
    TimeMs updated_at = 0;
};

class Organizations {
public:
    explicit Organizations(sql::Database& db) : db_(db) {}

    // conflict: the slug is taken.
    Result<Organization> create(std::string_view slug, std::string_view name, TimeMs now);
    Found<Organization> by_id(std::string_view id);
    Found<Organization> by_slug(std::string_view slug);
    Result<std::vector<Organization>> list();
    // Those that the subject is a member of.
    Result<std::vector<Organization>> of_subject(std::string_view subject);
    Result<> rename(std::string_view id, std::string_view name, TimeMs now);

    Result<> add_member(std::string_view id, std::string_view subject, std::string_view role, TimeMs now);
    Found<std::string> role_of(std::string_view id, std::string_view subject);

private:
    sql::Database& db_;
};

}  // namespace backstay::store
