// As whom a private PostgreSQL runs, and where it may: the server refuses to be root.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/result.h"

namespace backstay::pitr {

struct ServerUser {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<std::string> prefix;  // of argv: what becomes that user; empty when we are it
};
// Ourselves; as root the user postgres.
Result<ServerUser> server_user();

// Whether that user can reach the folder: every folder above lets it pass.
bool may_pass(const ServerUser& user, const std::string& folder);

// Makes a folder of our own that the user can pass through, and no more.
Result<> make_passable(const ServerUser& user, const std::string& folder);

// Gives it to the user, when it is not ourselves.
Result<> give_to(const ServerUser& user, const std::string& path);

}  // namespace backstay::pitr
