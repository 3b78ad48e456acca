// pg_restore's table of contents, split by who restores what. Pure functions.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace backstay::restore {

// Three lists for pg_restore -L, each line as --list wrote it.
struct DumpLists {
    std::string first;   // schemas and extensions: prepared before anything that needs them
    std::string main;    // everything else but rights and comments of extensions
    std::string rights;  // grants and default privileges: mapped to the roles of this server
    std::uint64_t entries = 0;
};
DumpLists split_list(std::string_view toc);

struct MappedRights {
    std::vector<std::string> statements;
    std::set<std::string> missing_roles;  // statements that name them are left out
};
// `sql` is what pg_restore writes for the rights. Roles of `renamed` get their other name; a statement that then names
// a role outside `known` is left out.
MappedRights map_rights(std::string_view sql, const std::map<std::string, std::string>& renamed,
                        const std::set<std::string>& known);

}  // namespace backstay::restore
